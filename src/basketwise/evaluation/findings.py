"""What evaluation found, before it is put into documents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basketwise.etl.metadata import Metadata
from basketwise.evaluation.gate import Decision
from basketwise.evaluation.intervals import Bootstrap, Resampled
from basketwise.evaluation.metrics import Scores
from basketwise.report.types import (
    Calibration,
    Impact,
    Importance,
    ProductScore,
    SliceTable,
    SplitScores,
)
from basketwise.training.record import TrainingRecord

BASELINE = "baseline"
CHAMPION = "champion"
"""Under these names they are resampled with the models of the run."""


@dataclass(frozen=True)
class ChampionPredictions:
    """What the current champion says of the test baskets.

    Attributes
    ----------
    version
        Its version in the registry.
    predicted
        One entry per test basket, in the order of the gold file; None if it could not score them.
    """

    version: str
    predicted: NDArray[np.int8] | None


@dataclass(frozen=True)
class Findings:
    """Everything that was measured.

    Attributes
    ----------
    metadata, record
        Of the gold data and of the training.
    judged
        Test scores by model: candidates (the winner as it is shipped), references, the baseline.
    resampled
        The same models, resampled together.
    versus
        The winner and the champion, resampled together; None where there is none, or where it
        could not be scored.
    bootstrap, by_customer
        How they were resampled.
    champion, decision
        What the gate looked at besides, and what it decided.
    calibration, slices, splits, importance, products, impact
        As the report shows them.
    """

    metadata: Metadata
    record: TrainingRecord
    judged: dict[str, Scores]
    resampled: Resampled
    versus: Resampled | None
    bootstrap: Bootstrap
    by_customer: bool
    champion: ChampionPredictions | None
    decision: Decision
    calibration: Calibration
    slices: list[SliceTable]
    splits: list[SplitScores]
    importance: list[Importance]
    products: dict[str, list[ProductScore]]
    impact: Impact
