"""Group ``product``: what the basket's products say, by the product index."""

from __future__ import annotations

import numpy as np
import polars as pl

from basketwise.arrays import Counts, Floats
from basketwise.features.group import Encoders, FeatureGroup
from basketwise.features.product_index.table import CLASS, NEW, SCORES
from basketwise.schema import CLASSES, INDEX_LABELS, PROD_CODE, UNCLASSIFIED

_INFORMATIVE = [name.lower() for name in CLASSES]
_SILENT = UNCLASSIFIED.lower()
_MEAN_OF = {f"product_{score}": score for score in SCORES[: len(CLASSES)]}

BALANCE = "product_balance"
SHARE_NEW = "product_share_new"
NEW_BANDS = (0.0, 0.1, 0.25, 0.5)
"""Upper ends of the bands of ``product_share_new``; above the last is a band too."""

COLUMNS: tuple[str, ...] = (
    *_MEAN_OF,
    *(f"product_count_{label.lower()}" for label in INDEX_LABELS),
    *(f"product_share_{label.lower()}" for label in INDEX_LABELS),
    BALANCE,
    SHARE_NEW,
)
READS = (PROD_CODE,)


def band_of(shares: Floats) -> Counts:
    """Return the band of each share of new products: 0 where no product is new.

    Examples
    --------
    >>> band_of(np.array([0.0, 0.1, 0.2, 1.0])).tolist()
    [0, 1, 2, 4]
    """
    # As single precision, which is what models see: 1 of 10 lines must be in one band everywhere.
    return np.searchsorted(np.array(NEW_BANDS, np.float32), shares.astype(np.float32))


def means() -> list[pl.Expr]:
    """Average over a basket's lines.

    - ``product_score_<label>``: mean of the products' scores;
    - ``product_share_new``: share of lines whose product is not in the training data.
    """
    return [
        *(pl.col(score).cast(pl.Float64).alias(name) for name, score in _MEAN_OF.items()),
        pl.col(NEW).alias(SHARE_NEW),
    ]


def counts() -> list[pl.Expr]:
    """Count the classes of a basket's lines.

    - ``product_count_<label>``: lines whose product is of that class.
    """
    return [
        (pl.col(CLASS) == label).alias(f"product_count_{label.lower()}") for label in INDEX_LABELS
    ]


def derived(encoders: Encoders) -> list[pl.Expr]:
    """Turn counts into shares.

    - ``product_share_<label>``: of Low, Medium and High among the lines whose product says
      something, of Unclassified among all lines; 0 where there is none;
    - ``product_balance``: share of High minus share of Low, from -1 to 1.
    """
    informative = pl.sum_horizontal(f"product_count_{name}" for name in _INFORMATIVE)
    unclassified = pl.col(f"product_count_{_SILENT}")
    shares = {
        name: pl.when(informative > 0)
        .then(pl.col(f"product_count_{name}") / informative)
        .otherwise(0.0)
        for name in _INFORMATIVE
    }
    return [
        *(share.alias(f"product_share_{name}") for name, share in shares.items()),
        (unclassified / (informative + unclassified)).alias(f"product_share_{_SILENT}"),
        (shares["high"] - shares["low"]).alias(BALANCE),
    ]


GROUP = FeatureGroup(
    "product", COLUMNS, READS, list, derived, needs_index=True, means=means, counts=counts
)
