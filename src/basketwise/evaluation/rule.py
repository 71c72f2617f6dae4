"""The rule behind the labels, where one feature and two thresholds say it.

For every feature that the winner sees, the two thresholds that tell the classes of training baskets
best are found exactly. The best feature is a rule that a person can check with a till receipt. How
often it is right is measured on the test set, which had no say in it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from basketwise.arrays import Counts, Flags, Floats, Labels
from basketwise.etl.gold.metadata import Metadata
from basketwise.etl.gold.tables import TRAIN_FILE, class_numbers
from basketwise.features.groups import group_of
from basketwise.features.product import BALANCE
from basketwise.features.thresholds import Piece, apply_thresholds, fit_thresholds
from basketwise.report.in_words import rule_notes, rule_text
from basketwise.report.types.data import GroupTrial
from basketwise.report.types.drivers import Rule
from basketwise.schema import CLASSES, TARGET
from basketwise.training.examples import Examples

MOST = 20_000
"""Training baskets, evenly spaced, on which the feature is chosen."""
PREFERRED = BALANCE
"""Kept unless another feature is clearly better: it is the easiest to check."""
ERRORS = 3.0
"""Standard errors from which another is clearly better."""
LEAST = 0.9
"""Accuracy from which a rule is recognised, on training and test baskets alike ..."""
REMOVED = 0.5
"""... if it makes at most this share of the errors of always naming the majority class."""

ROUNDED = 0.05
"""Errors that rounding the thresholds may add, as a share of those there are."""
MOST_DIGITS = 8


def describe_rule(
    gold: Path, test: Examples, winner: Labels, majority: int, metadata: Metadata
) -> Rule | None:
    """Find the rule of one feature that tells the labels best.

    Parameters
    ----------
    gold : Path
        The gold folder; its training features are out of fold.
    test : Examples
        The test set, with the columns that the winner sees.
    winner : array
        What the winner predicts for it.
    majority : int
        The majority class of the training set.
    metadata : Metadata
        What weighs a product, and which optional groups were tried.

    Returns
    -------
    Rule or None
        None if no feature tells more than one class.
    """
    labels = pl.read_parquet(gold / TRAIN_FILE, columns=[TARGET], glob=False)[TARGET]
    rows = np.unique(np.linspace(0, labels.len() - 1, MOST).round().astype(np.int64))
    y = class_numbers(labels)
    right: dict[str, Flags] = {}
    for column in test.columns:
        values = _training_values(gold, column, rows)
        right[column] = apply_thresholds(fit_thresholds(values, y[rows]), values) == y[rows]
    feature = _best(right)
    values = _training_values(gold, feature)
    pieces = round_thresholds(fit_thresholds(values, y), values, y)
    if len(pieces) < 2:
        return None
    answers = apply_thresholds(pieces, test.X[:, test.columns.index(feature)].astype(np.float64))
    train = float((apply_thresholds(pieces, values) == y).mean())
    tested = float((answers == test.y).mean())
    wrong = float((test.y != majority).mean())
    rule = Rule(
        text="",
        notes=[],
        recognised=min(train, tested) >= LEAST and 1 - tested <= REMOVED * wrong,
        feature=feature,
        group=group_of(feature),
        pieces=[{"class": CLASSES[piece.number], "up_to": piece.up_to} for piece in pieces],
        weighting=metadata.weighting,
        train_baskets=int(y.size),
        train_accuracy=train,
        test_accuracy=tested,
        agreement=float((answers == winner).mean()),
    )
    rule["text"] = rule_text(rule)
    rule["notes"] = rule_notes(rule, float((winner == test.y).mean()), trials(metadata))
    return rule


def trials(metadata: Metadata) -> list[GroupTrial]:
    """Return the optional groups that were tried, as the report has them."""
    return [
        {"group": t.group, "gain": t.gain, "error": t.error, "chosen": t.chosen}
        for t in metadata.tried
    ]


def round_thresholds(pieces: list[Piece], values: Floats, y: Labels) -> list[Piece]:
    """Round thresholds as far as next to no basket is told wrong that was told right."""
    right = int((apply_thresholds(pieces, values) == y).sum())
    allowed = right - ROUNDED * (y.size - right)
    for digits in range(MOST_DIGITS):
        rounded = [
            piece if piece.up_to is None else Piece(piece.number, round(piece.up_to, digits) + 0.0)
            for piece in pieces
        ]
        if (apply_thresholds(rounded, values) == y).sum() >= allowed:
            return rounded
    return pieces


def _training_values(gold: Path, column: str, rows: Counts | None = None) -> Floats:
    """Read one feature; all at once would be most of the memory of an evaluation."""
    values = pl.read_parquet(gold / TRAIN_FILE, columns=[column], glob=False)[column]
    some = values if rows is None else values.gather(rows)
    return some.cast(pl.Float32).to_numpy().astype(np.float64)


def _best(right: dict[str, Flags]) -> str:
    best = max(right, key=lambda column: int(right[column].sum()))
    if PREFERRED not in right:
        return best
    gain = right[best].astype(np.float64) - right[PREFERRED]
    clearly = gain.sum() > ERRORS * np.sqrt(gain.var() * gain.size)
    return best if clearly else PREFERRED
