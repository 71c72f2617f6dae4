"""The report document: what ``report.json`` contains and ``report.html`` shows.

Every value is JSON-native. Shares, scores and their intervals are between 0 and 1; ``None`` always
means "not measured". Classes and matrices are in the order Low, Medium, High.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NotRequired, cast

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from basketwise.errors import InputError
from basketwise.report.types.calibration import Calibration
from basketwise.report.types.data import DataSummary, Lineage
from basketwise.report.types.drivers import Drivers, FaceValidity, LearningCurve, Rule
from basketwise.report.types.run import Run
from basketwise.report.types.scores import (
    Certainty,
    LeaderboardRow,
    SliceTable,
    SplitScores,
    Winner,
)
from basketwise.report.types.verdict import Champion, Impact, Looks, Verdict

REPORT_FORMAT = 2
"""Goes up when a key changes its meaning or is taken away."""


class Report(TypedDict):
    """The whole document.

    ``champion`` is ``None`` where no version was approved before, ``impact`` where the gate did not
    approve the model: it earns nothing. ``best`` is the best version of the gate's memory where
    that is another than the champion; it, ``looks``, ``certainty``, ``rule``, ``learning_curve``
    and ``face_validity`` are absent from earlier versions' reports. Without a product index
    ``certainty`` and ``face_validity`` are ``None``, where no feature tells the labels ``rule``.
    """

    format: int
    run: Run
    verdict: Verdict
    leaderboard: list[LeaderboardRow]
    winner: Winner
    certainty: NotRequired[Certainty | None]
    calibration: Calibration
    slices: list[SliceTable]
    splits: list[SplitScores]
    champion: Champion | None
    best: NotRequired[Champion | None]
    looks: NotRequired[Looks | None]
    drivers: Drivers
    rule: NotRequired[Rule | None]
    face_validity: NotRequired[FaceValidity | None]
    learning_curve: NotRequired[LearningCurve]
    impact: Impact | None
    data: DataSummary
    lineage: Lineage


def read_report(path: Path) -> Report:
    """Read and check ``report.json``.

    Raises
    ------
    InputError
        If it is absent, or is not a report of the format that this version writes.
    """
    again = "Run 'basketwise evaluate --force' to write it again."
    if not path.is_file():
        raise InputError(
            f"The run {path.parent.name} has not been evaluated.", "Run 'basketwise evaluate'."
        )
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{str(path)!r} is not JSON: {error}.", again) from error
    number = document.get("format") if isinstance(document, dict) else None
    if number != REPORT_FORMAT:
        raise InputError(
            f"{str(path)!r} has the report format {number!r}; this version of Basketwise reads "
            f"format {REPORT_FORMAT}.",
            again,
        )
    try:
        TypeAdapter(Report).validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{str(path)!r} is not a report of Basketwise: {key}: {first['msg']}.", again
        ) from error
    return cast("Report", document)
