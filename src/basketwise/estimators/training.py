"""What the index is learned from in memory: labelled baskets in folds, and their evidence."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from basketwise.config import IndexConfig
from basketwise.errors import InputError
from basketwise.etl.gold.split import draw_folds
from basketwise.etl.silver.survey import merge, survey_week
from basketwise.features.product_index.evidence import (
    Evidence,
    LabelledLines,
    gather,
)
from basketwise.schema import BASKET_ID, FOLD, INDEX_LABELS, LABEL, SHOP_WEEK


class Training(NamedTuple):
    """What ``fit`` learns from.

    Attributes
    ----------
    baskets
        One row per labelled basket, with ``fold``.
    evidence
        What one pass over the lines of labelled baskets gathers.
    classes
        The labels that occur, in the order Low, Medium, High, Unclassified.
    """

    baskets: pl.DataFrame
    evidence: Evidence
    classes: list[str]


def gather_training(
    lines: pl.DataFrame, labels: pl.DataFrame, config: IndexConfig, *, n_folds: int, seed: int
) -> Training:
    """Draw the folds, and gather the evidence for the index.

    Parameters
    ----------
    lines : DataFrame
        Typed lines; those of baskets without a label are not used.
    labels : DataFrame
        BASKET_ID and label, one row per basket.
    config : IndexConfig
        How the index is learned.
    n_folds : int
        Number of folds.
    seed : int
        Draws the folds, and the baskets on which is seen what weighs a product.

    Raises
    ------
    InputError
        If there are fewer than two labels, or fewer baskets than folds.
    """
    own = (
        lines.drop(LABEL)
        .join(labels, on=BASKET_ID, maintain_order="left")
        .sort(SHOP_WEEK, maintain_order=True)
    )
    classes = [label for label in INDEX_LABELS if label in set(own[LABEL])]
    if len(classes) < 2:
        raise InputError(
            f"All labelled baskets with lines are {classes[0]}: there is nothing to classify."
            if classes
            else "No basket with lines has a label.",
            "Pass baskets with at least two labels.",
        )
    survey = merge([survey_week(week) for week in own.partition_by(SHOP_WEEK)])
    if survey.baskets.height < n_folds:
        raise InputError(
            f"{survey.baskets.height:,} labelled baskets are fewer than {n_folds} folds.",
            "Pass more baskets, or lower ProductIndex(n_folds=...).",
        )
    fold = draw_folds(survey.baskets.height, n_folds, seed)
    baskets = survey.baskets.with_columns(pl.Series(FOLD, fold))
    evidence = gather(
        [LabelledLines(own, baskets.sort(SHOP_WEEK, BASKET_ID))],
        survey.products,
        folds=n_folds,
        seed=seed,
    )
    return Training(baskets, evidence, classes)
