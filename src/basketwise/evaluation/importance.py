"""What drives the winner: permutation importance, and the most telling products of the index."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from basketwise.features.groups import group_of
from basketwise.features.product_index.table import BASKETS, CLASS, PROBABILITY
from basketwise.report.types import Importance, ProductScore
from basketwise.schema import CLASSES, PROD_CODE
from basketwise.training.candidates import Classifier
from basketwise.training.examples import Examples

DEPARTMENT = "PROD_CODE_20"


def permutation_importance(
    model: Classifier, test: Examples, *, baskets: int, repeats: int, seed: int
) -> list[Importance]:
    """Measure how much accuracy is lost when one feature is shuffled between baskets.

    Parameters
    ----------
    model : Classifier
        The winner.
    test : Examples
        The test part; a random sample of ``baskets`` of it is used.
    baskets, repeats, seed : int
        Sample size, shuffles per feature, seed.

    Returns
    -------
    list of Importance
        Largest drop first. Two features that say the same share their importance: each alone can
        look unimportant.

    References
    ----------
    Breiman, "Random Forests", Machine Learning 45, 2001.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(test.y.size)[:baskets]
    X, y = test.X[rows], test.y[rows]

    def accuracy() -> float:
        return float((model.predict_proba(X).argmax(axis=1) == y).mean())

    whole = accuracy()
    found = []
    for place, column in enumerate(test.columns):
        kept = X[:, place].copy()
        drops = []
        for _ in range(repeats):
            X[:, place] = rng.permutation(kept)
            drops.append(whole - accuracy())
        X[:, place] = kept
        found.append(
            Importance(
                feature=column,
                group=group_of(column),
                drop=float(np.mean(drops)),
                std=float(np.std(drops)),
            )
        )
    return sorted(found, key=lambda one: (-one["drop"], one["feature"]))


def telling_products(index: pl.DataFrame, *, most: int = 8) -> dict[str, list[ProductScore]]:
    """Pick, for each class, the products that most surely belong to it.

    Sure first, then by how many baskets that rests on: a product that was seen twice tells little,
    whatever its score.
    """
    by_sureness = index.sort(
        pl.col(PROBABILITY).round(3), BASKETS, PROD_CODE, descending=[True, True, False]
    )
    return {
        label: [_product(row) for row in of_class.head(most).iter_rows(named=True)]
        for label in CLASSES
        for of_class in [by_sureness.filter(pl.col(CLASS) == label)]
    }


def _product(row: dict[str, Any]) -> ProductScore:
    return {
        "prod_code": row[PROD_CODE],
        "department": row[DEPARTMENT],
        "score_low": row["score_low"],
        "score_medium": row["score_medium"],
        "score_high": row["score_high"],
        "class": row[CLASS],
        "baskets": row[BASKETS],
    }
