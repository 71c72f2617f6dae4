"""What drives the winner: permutation importance, and each class's most informative products."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from basketwise.arrays import Labels, Matrix
from basketwise.features.groups import group_of
from basketwise.features.product_index.table import BASKETS, CLASS, PROBABILITY
from basketwise.report.types.drivers import Importance, ProductScore
from basketwise.schema import CLASSES, PROD_CODE, PROD_NAME
from basketwise.training.candidates import Classifier
from basketwise.training.examples import Examples

DEPARTMENT = "PROD_CODE_20"


def feature_importance(
    model: Classifier, test: Examples, *, baskets: int, repeats: int, seed: int
) -> list[Importance]:
    """Measure how much accuracy is lost when one feature is shuffled between baskets.

    Shuffles each feature ``repeats`` times on a random sample of ``baskets`` test baskets; the
    largest drop comes first. Two features that carry the same information share their importance:
    each alone can look unimportant. Reference: Breiman, "Random Forests", Machine Learning 45,
    2001.
    """
    from sklearn.inspection import permutation_importance

    rows = np.random.default_rng(seed).permutation(test.y.size)[:baskets]
    drops = permutation_importance(
        model, test.X[rows], test.y[rows], scoring=_accuracy, n_repeats=repeats, random_state=seed
    )
    importance = [
        Importance(feature=column, group=group_of(column), drop=float(mean), std=float(std))
        for column, mean, std in zip(
            test.columns, drops.importances_mean, drops.importances_std, strict=True
        )
    ]
    return sorted(importance, key=lambda row: (-row["drop"], row["feature"]))


def _accuracy(model: Classifier, X: Matrix, y: Labels) -> float:
    return float((model.predict_proba(X).argmax(axis=1) == y).mean())


def informative_products(index: pl.DataFrame, *, most: int = 8) -> dict[str, list[ProductScore]]:
    """Pick, for each class, the products that most probably belong to it.

    By probability, then by how many baskets it rests on: a product that was seen twice says little,
    whatever its score.
    """
    ranked = index.sort(
        pl.col(PROBABILITY).round(3), BASKETS, PROD_CODE, descending=[True, True, False]
    )
    return {
        label: [_product(row) for row in of_class.head(most).iter_rows(named=True)]
        for label in CLASSES
        for of_class in [ranked.filter(pl.col(CLASS) == label)]
    }


def _product(row: dict[str, Any]) -> ProductScore:
    return {
        "prod_code": row[PROD_CODE],
        "prod_name": row.get(PROD_NAME),
        "department": row[DEPARTMENT],
        "score_low": row["score_low"],
        "score_medium": row["score_medium"],
        "score_high": row["score_high"],
        "class": row[CLASS],
        "baskets": row[BASKETS],
    }
