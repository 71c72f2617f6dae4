"""The report document as one HTML page that works offline and runs no script.

The page carries a content security policy that lets nothing load and only its own style sheet
apply; so bars are SVG with percentages, and no element has a ``style`` of its own. Whatever comes
from data is escaped, shortened and counted off, so that the page stays small and tame.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Mapping
from functools import cache
from importlib import resources

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from basketwise.report import curve, drawing, wording
from basketwise.report.numbers import FILTERS, finish
from basketwise.report.types.document import Report
from basketwise.report.types.verdict import Assumption, Impact

_BASKETS = ("predictions_per_day", "days_per_month")
_RESTS_ON: Mapping[str, tuple[str, ...]] = {
    "monthly_predictions": _BASKETS,
    "accurate_predictions": _BASKETS,
    "monthly_revenue_impact": (*_BASKETS, "revenue_per_accurate_prediction", "cost_matrix"),
    "monthly_cost_savings": (*_BASKETS, "cost_saving_per_prediction"),
}


def render_html(report: Report) -> str:
    """Render ``report.json`` as a page of HTML, below 2 MB as UTF-8 for data of any size.

    Numbers that are ``None`` or not finite are shown as not measured. The same document gives the
    same page.
    """
    thresholds_by_rule = {
        reason["rule"]: reason["threshold"] for reason in report["verdict"]["reasons"]
    }
    return (
        environment()
        .get_template("report.html")
        .render(
            report,
            **style(),
            baseline=next((r for r in report["leaderboard"] if r["kind"] == "baseline"), None),
            # A rule that the gate did not ask has no threshold.
            thresholds={
                name: thresholds_by_rule.get(f"min_{name}") for name in ("accuracy", "macro_f1")
            },
            margin=thresholds_by_rule.get("champion"),
        )
    )


def load_templates() -> None:
    """Compile the templates ahead, which takes longer than to fill them."""
    for name in environment().list_templates(extensions=["html"]):
        environment().get_template(name)


def style() -> dict[str, str]:
    """Return what ``_head.html`` needs: the style sheet, and its digest for the content policy."""
    text = resources.files(__package__).joinpath("templates/report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {"style": Markup(text), "style_digest": digest}  # noqa: S704  # nosec B704


@cache
def environment(*packages: str) -> Environment:
    """Return the environment of the report's templates, which escapes and finishes all values.

    ``packages`` have templates of their own, which may include those of the report.
    """
    own = [PackageLoader(package) for package in packages]
    made = Environment(
        loader=ChoiceLoader([*own, PackageLoader("basketwise.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finish,
    )
    made.filters |= {
        **FILTERS,
        "assumptions": _assumptions,
        "quoted": shlex.quote,
        **{
            function.__name__: function
            for function in (*wording.FILTERS, *drawing.FILTERS, *curve.FILTERS)
        },
    }
    return made


def _assumptions(impact: Impact, figure: str) -> list[Assumption]:
    """Return the assumptions behind a figure; the total, and any unknown setting, depend on all."""
    names = _RESTS_ON.get(figure)
    known = {name for group in _RESTS_ON.values() for name in group}
    return [
        item
        for item in impact["assumptions"]
        if names is None or item["name"] in names or item["name"] not in known
    ]
