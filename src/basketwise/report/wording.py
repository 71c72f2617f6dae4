"""The report's sentences: which model is ahead, what a feature group is worth, which slices fail.

A difference whose interval contains 0 is never called better or worse.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from basketwise.candidates import CANDIDATES
from basketwise.config import BusinessConfig
from basketwise.features.groups import GROUPS, of_index
from basketwise.report.types.calibration import Reliability
from basketwise.report.types.data import GroupTrial
from basketwise.report.types.drivers import Importance
from basketwise.report.types.scores import Interval, LeaderboardRow, SliceTable
from basketwise.report.types.verdict import Assumption, Looks

Standing = Literal["ahead", "level", "behind", "mixed"]

_ALGORITHMS: Mapping[str, str] = {name: candidate.title for name, candidate in CANDIDATES.items()}
_LEAST_DROP = 0.0001
"""The smallest drop in accuracy that the report can show."""
_COLUMNS: Mapping[str, str] = {
    "store_format": "Store format",
    "store_region": "Store region",
    "shop_week": "Week",
    "shop_weekday": "Weekday (1 is Sunday)",
    "shop_hour": "Hour",
    "basket_size": "Lines in the basket",
    "card": "Loyalty card",
}
_SPLITS: Mapping[str, str] = {
    "time": "tests on the latest weeks",
    "stratified": "tests on a random sample",
    "customer": "tests on customers unseen in training",
}
_TAGS: Mapping[Standing | None, str] = {
    "ahead": "▲ Ahead",
    "level": "≈ No significant difference",
    "behind": "▼ Behind",
    "mixed": "◆ Mixed",
    None: "Not measured",
}
_FINDINGS: Mapping[Standing | None, str] = {
    "ahead": "The whole interval is above 0: the challenger is better.",
    "level": "The interval contains 0: no significant difference on these baskets.",
    "behind": "The whole interval is below 0: the challenger is worse.",
    None: "",
}


@dataclass(frozen=True)
class Comparison:
    """The winner against one reference, in words: ``start``, the leads, ``conclusion``.

    ``leads`` has each measured lead with the name of its score; ``standing`` is None where there
    is none.
    """

    title: str
    standing: Standing | None
    start: str
    leads: list[tuple[Interval, str]]
    conclusion: str


def standing(difference: Interval | None) -> Standing | None:
    """Classify a difference by its interval; None where it was not measured.

    Examples
    --------
    >>> standing({"estimate": 0.02, "low": 0.01, "high": 0.03})
    'ahead'
    >>> standing({"estimate": 0.02, "low": -0.01, "high": 0.05})
    'level'
    """
    if difference is None:
        return None
    if difference["low"] > 0:
        return "ahead"
    if difference["high"] < 0:
        return "behind"
    return "level" if difference["low"] <= 0 <= difference["high"] else None


def tag(standing: Standing | None) -> str:
    """Return a standing in a word or two, with a symbol."""
    return _TAGS[standing]


def finding(difference: Interval) -> str:
    """Return what the difference between challenger and champion shows."""
    return _FINDINGS[standing(difference)]


def comparisons(rows: Sequence[LeaderboardRow]) -> list[Comparison]:
    """Return what each feature group is worth, and whether a simpler model is enough."""
    groups = [_of_group(row) for row in rows if row["kind"] == "ablation"]
    return groups + [_of_simpler(row) for row in rows if row["kind"] == "simpler"]


def trial(tried: GroupTrial) -> str:
    """Say what came of an optional feature group."""
    gain = f"{tried['gain']:+.3f} ± {tried['error']:.3f}".replace("-", "−")
    outcome = "added" if tried["chosen"] else "left out: it does not clearly help"
    return f"{_short(tried['group'])} ({gain}) is {outcome}"


def _of_group(row: LeaderboardRow) -> Comparison:
    group = _short(row["without"] or "left out")
    conclusions: Mapping[Standing | None, str] = {
        "ahead": f"group {group} improves the model.",
        "level": "both intervals contain 0: no significant difference. These baskets do not show "
        f"that group {group} improves the model.",
        "behind": f"the model is better without group {group}.",
    }
    title = f"Feature group {group}"
    return _compare(row, title, "the same algorithm without it", conclusions)


def _of_simpler(row: LeaderboardRow) -> Comparison:
    conclusions: Mapping[Standing | None, str] = {
        "ahead": "the simpler model would lose this much.",
        "level": "both intervals contain 0: no significant difference. On these baskets, the "
        "simpler model is enough.",
        "behind": "the simpler model is better. Prefer it.",
    }
    title = f"Simplest model: {simpler_name(row)}"
    return _compare(row, title, "the simplest model", conclusions)


def _compare(
    row: LeaderboardRow, title: str, other: str, conclusions: Mapping[Standing | None, str]
) -> Comparison:
    leads = [(row["accuracy_lead"], "accuracy"), (row["f1_lead"], "macro-F1")]
    standings = [standing(lead) for lead, _ in leads]
    measured = [(lead, name) for lead, name in leads if standing(lead) and lead is not None]
    if standings[0] == standings[1]:
        conclusion = conclusions.get(standings[0], "")
    else:
        parts = [_alone(name, level) for (_, name), level in zip(leads, standings, strict=True)]
        conclusion = "; ".join(parts) + "."
    agreed = standings[0] if standings[0] == standings[1] else "mixed"
    start = f"The winner is ahead of {other} by"
    if agreed != "ahead":
        start = f"The winner’s lead over {other} {'is' if measured else 'was not measured.'}"
    return Comparison(title, agreed, start, measured, conclusion)


def _alone(score: str, standing: Standing | None) -> str:
    """Return what one score shows, where the two do not agree."""
    words: Mapping[Standing | None, str] = {
        "ahead": f"the winner is ahead in {score}",
        "level": f"there is no significant difference in {score}",
        "behind": f"the winner is behind in {score}",
        None: f"{score} was not measured",
    }
    return words[standing]


def simpler_name(row: LeaderboardRow) -> str:
    """Name a model by what it sees: ``index-only logistic regression``."""
    algorithm = _ALGORITHMS.get(row["model"], _short(row["model"]))
    # A report may name groups that this version does not know.
    known = [name for name in row["groups"] if name in GROUPS]
    index_only = list(of_index(known)) == row["groups"]
    seen = "index" if index_only else " and ".join(map(_short, row["groups"]))
    return f"{seen}-only {algorithm}"


def row_note(row: LeaderboardRow) -> str:
    """Return what kind of model a leaderboard's row is."""
    groups = " + ".join(row["groups"])
    notes = {
        "ablation": f"without {_short(row['without'] or '')}: {groups} only",
        "simpler": f"{simpler_name(row)}, the simplest model",
        "baseline": "baseline: always predicts the majority class",
    }
    return notes.get(row["kind"], groups)


def change(raw: float, shipped: float) -> str:
    """Return what calibration did to an error; lower is better."""
    if raw == shipped:
        return "same"
    return "▼ better" if shipped < raw else "▲ worse" if shipped > raw else "not measured"


def calibrated(raw: Reliability, shipped: Reliability) -> str:
    """Return whether calibration helped, by the three measures."""
    pairs = [(raw[name], shipped[name]) for name in ("log_loss", "brier", "ece")]
    if all(before == after for before, after in pairs):
        return "Calibration changed none of these measures."
    if all(after <= before for before, after in pairs):
        return "On the test set, calibration made the probabilities more reliable."
    if all(after >= before for before, after in pairs):
        return "On the test set, calibration made the probabilities less reliable."
    return "On the test set, calibration improved some measures and worsened others."


def above_noise(rows: Sequence[Importance]) -> list[Importance]:
    """Return the features whose drop in accuracy stands out from how it varies by chance."""
    return [row for row in rows if row["drop"] >= max(_LEAST_DROP, 2 * row["std"])]


def is_example(assumption: Assumption) -> bool:
    """Return whether an assumption is as delivered: an example, which nobody has stated."""
    field = BusinessConfig.model_fields.get(assumption["name"])
    return field is not None and bool(field.default == assumption["value"])


def looked(looks: Looks) -> str:
    """Return how often the test baskets were looked at, and what that may add to an accuracy.

    Examples
    --------
    >>> looked({"block": "", "number": 5, "optimism": 0.00123})
    'evaluated on 5 times in this workspace: the best of 5 equal models would seem better by 0.0012'
    """
    number = looks["number"]
    if number == 1:
        return "evaluated on for the first time in this workspace"
    return (
        f"evaluated on {number:,} times in this workspace: the best of {number:,} equal models "
        f"would seem better by {looks['optimism']:.4f}"
    )


def column_title(column: str) -> str:
    """Return the title of a column of slices."""
    return _COLUMNS.get(column, column)


def split_note(strategy: str) -> str:
    """Return what a split tests."""
    return _SPLITS.get(strategy, "")


def options_of(command: str) -> str:
    """Return the workspace and configuration that a command names, to be added to another.

    Examples
    --------
    >>> options_of("basketwise run --data raw --workspace 'my ws' --json")
    " --workspace 'my ws'"
    """
    if command.startswith("basketwise.train("):
        # The Python API: its keyword is the option's value.
        workspace = re.search(r", workspace=('[^']*'|\"[^\"]*\")\)$", command)
        command = f"--workspace {workspace[1]}" if workspace else ""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    chosen = []
    for word, following in pairwise([*words, ""]):
        name, equals, value = word.partition("=")
        if name in ("--workspace", "--config"):
            chosen += [name, value if equals else following]
    return "".join(f" {shlex.quote(word)}" for word in chosen)


def fold_note(row: LeaderboardRow, rows: Sequence[LeaderboardRow]) -> str:
    """Say which part of the cross-validation a candidate took part in; empty: in all of it.

    Examples
    --------
    >>> fold_note({"cv_folds": 1}, [{"cv_folds": 5}, {"cv_folds": 1}, {}])
    '1 of 5 folds'
    """
    most = max(other.get("cv_folds") or 0 for other in rows)
    own = row.get("cv_folds") or most
    return f"{own} of {most} folds" if own < most else ""


def weak_count(tables: Sequence[SliceTable]) -> int:
    """Count the slices that are significantly worse."""
    return sum(row["significantly_worse"] for table in tables for row in table["rows"])


def _short(name: str) -> str:
    return name if len(name) <= 40 else name[:39] + "…"


FILTERS = (
    above_noise,
    calibrated,
    change,
    column_title,
    comparisons,
    finding,
    fold_note,
    is_example,
    looked,
    options_of,
    row_note,
    split_note,
    standing,
    tag,
    trial,
    weak_count,
)
"""Available to the templates under their names."""
