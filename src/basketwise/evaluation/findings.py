"""What an evaluation measured, before it is put into documents."""

from __future__ import annotations

from dataclasses import dataclass

from basketwise.etl.gold.metadata import Metadata
from basketwise.evaluation.champion import Champion, Scored
from basketwise.evaluation.gate import Decision
from basketwise.evaluation.intervals import Resampled
from basketwise.report.types.calibration import Calibration
from basketwise.report.types.drivers import FaceValidity, Importance, ProductScore, Rule
from basketwise.report.types.scores import SliceTable, SplitScores
from basketwise.report.types.verdict import Impact
from basketwise.training.metrics import Scores
from basketwise.training.record import TrainingRecord

BASELINE = "baseline"
CHAMPION = "champion"
BEST = "best of memory"
"""The names under which they are resampled with the models of the run."""


@dataclass(frozen=True)
class Findings:
    """Everything that was measured.

    ``scores`` has the test scores of every model: candidates (the winner as it is shipped),
    references, the baseline. ``resampled`` has these, and the champion where it was scored, and the
    best version of the gate's memory; ``by_customer`` says whether customers were drawn, or single
    baskets. ``block`` is the digest of the test baskets, ``looks`` how often they were looked at,
    this time included; None where that is not known.
    """

    metadata: Metadata
    record: TrainingRecord
    scores: dict[str, Scores]
    resampled: Resampled
    by_customer: bool
    champion: Champion
    best: Scored | None
    block: str
    looks: int | None
    decision: Decision
    calibration: Calibration
    slices: list[SliceTable]
    splits: list[SplitScores]
    importance: list[Importance]
    products: dict[str, list[ProductScore]]
    rule: Rule | None
    face_validity: FaceValidity | None
    impact: Impact | None
