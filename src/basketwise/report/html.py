"""The report document as one HTML page that works offline and runs no script.

The page carries a content security policy that lets nothing load and only its own style sheet
apply; so bars are SVG with percentages, and no element has a ``style`` of its own. Whatever comes
from data is escaped, shortened and counted off, so that the page stays small and tame.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from basketwise.report import drawing, wording
from basketwise.report.numbers import FILTERS, finish
from basketwise.report.types import (
    Assumption,
    Impact,
    LeaderboardRow,
    Report,
    Verdict,
)

_BASKETS = ("predictions_per_day", "days_per_month")
_RESTS_ON: Mapping[str, tuple[str, ...]] = {
    "monthly_predictions": _BASKETS,
    "accurate_predictions": _BASKETS,
    "monthly_revenue_impact": (*_BASKETS, "revenue_per_accurate_prediction", "cost_matrix"),
    "monthly_cost_savings": (*_BASKETS, "cost_saving_per_prediction"),
}


def render_html(report: Report) -> str:
    """Render ``report.json`` as a page of HTML, below 2 MB as UTF-8 whatever the size of the data.

    Numbers that are ``None`` or not finite are shown as not measured. The same document gives the
    same page.
    """
    style = resources.files(__package__).joinpath("templates/report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("report.html")
        .render(
            report,
            style=Markup(style),  # noqa: S704 - our own file
            style_digest=digest,
            baseline=_first(report["leaderboard"], "baseline"),
            thresholds=_thresholds(report["verdict"]),
            margin=_margin(report["verdict"]),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("basketwise.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finish,
    )
    environment.filters |= {
        **FILTERS,
        "assumptions": _assumptions,
        "quoted": shlex.quote,
        **{function.__name__: function for function in (*wording.FILTERS, *drawing.FILTERS)},
    }
    return environment


def _first(rows: Iterable[LeaderboardRow], kind: str) -> LeaderboardRow | None:
    return next((row for row in rows if row["kind"] == kind), None)


def _thresholds(verdict: Verdict) -> dict[str, float | None]:
    """Return the gate's minimum of each metric, where a rule names one."""
    by_rule = {reason["rule"]: reason["threshold"] for reason in verdict["reasons"]}
    return {metric: by_rule.get(f"min_{metric}") for metric in ("accuracy", "macro_f1")}


def _margin(verdict: Verdict) -> float | None:
    """Return the difference to the champion that the gate asks for at least."""
    reasons = (r for r in verdict["reasons"] if r["rule"] == "champion")
    return next((reason["threshold"] for reason in reasons), None)


def _assumptions(impact: Impact, figure: str) -> list[Assumption]:
    """Return what a figure rests on; the total, and any setting unknown here, on all."""
    names = _RESTS_ON.get(figure)
    known = {name for group in _RESTS_ON.values() for name in group}
    return [
        item
        for item in impact["assumptions"]
        if names is None or item["name"] in names or item["name"] not in known
    ]
