"""Group ``product``: what the basket's products say, by the product index."""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
from narwhals.typing import IntoFrameT

from basketwise.features.frames import as_narwhals, as_native
from basketwise.features.product_index.table import CLASS, SCORES
from basketwise.schema import BASKET_ID, CLASSES, INDEX_LABELS, PROD_CODE, UNCLASSIFIED

_TELLING = [name.lower() for name in CLASSES]
_SILENT = UNCLASSIFIED.lower()
_MEAN_OF = {f"product_{score}": score for score in SCORES[: len(CLASSES)]}

PRODUCT_FEATURES: tuple[str, ...] = (
    *_MEAN_OF,
    *(f"product_count_{label.lower()}" for label in INDEX_LABELS),
    *(f"product_share_{label.lower()}" for label in INDEX_LABELS),
    "product_balance",
)


def product_features(
    lines: IntoFrameT, index: IntoFrameT, *, on: Sequence[str] = (PROD_CODE,)
) -> IntoFrameT:
    """Compute the group ``product``.

    Parameters
    ----------
    lines : any frame that Narwhals knows, eager or lazy
        One row per line, outliers treated.
    index : the same kind of frame
        The product index, completed for every product in ``lines``.
    on : sequence of str
        Columns the two are joined on; with ``fold`` among them, each basket meets the index that
        has not seen it.

    Returns
    -------
    the same kind of frame
        One row per basket: BASKET_ID and

        - ``product_score_<label>``: mean of the products' scores over the lines;
        - ``product_count_<label>``: lines whose product is of that class;
        - ``product_share_<label>``: of Low, Medium and High among the lines whose product tells
          something, of Unclassified among all lines; 0 where there is none;
        - ``product_balance``: share of High minus share of Low, from -1 to 1.
    """
    scored = as_narwhals(lines).join(
        as_narwhals(index).select(*on, *_MEAN_OF.values(), CLASS), on=list(on), how="left"
    )
    flagged = scored.with_columns(
        *(nw.col(score).cast(nw.Float64) for score in _MEAN_OF.values()),
        *(
            (nw.col(CLASS) == label).cast(nw.Int32).alias(f"product_count_{label.lower()}")
            for label in INDEX_LABELS
        ),
    )
    counts = [f"product_count_{label.lower()}" for label in INDEX_LABELS]
    grouped = flagged.group_by(BASKET_ID).agg(
        *(nw.col(score).mean().alias(name) for name, score in _MEAN_OF.items()),
        *(nw.col(name).sum() for name in counts),
    )
    telling = nw.sum_horizontal(*(nw.col(f"product_count_{name}") for name in _TELLING))
    silent = nw.col(f"product_count_{_SILENT}")
    features = (
        grouped.with_columns(
            telling.cast(nw.Float64).alias("_telling"),
            (telling + silent).cast(nw.Float64).alias("_lines"),
        )
        .with_columns(
            *(
                nw.when(nw.col("_telling") > 0)
                .then(nw.col(f"product_count_{name}") / nw.col("_telling"))
                .otherwise(nw.lit(0.0))
                .alias(f"product_share_{name}")
                for name in _TELLING
            ),
            (silent / nw.col("_lines")).alias(f"product_share_{_SILENT}"),
        )
        .with_columns(
            (nw.col("product_share_high") - nw.col("product_share_low")).alias("product_balance")
        )
        .select(BASKET_ID, *PRODUCT_FEATURES)
    )
    return as_native(features, lines)
