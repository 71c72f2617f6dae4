"""What one pass over the training lines gathers: all that the index is learned from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl

from basketwise.arrays import Flags
from basketwise.concurrency import side_by_side
from basketwise.features.joining import with_baskets
from basketwise.features.product_index.pairs import (
    Pairs,
    concatenate,
    pair,
    unit_prices,
)
from basketwise.features.product_index.table import GROUP_PRICE, UNIT_PRICE, finest_groups
from basketwise.pieces import Result
from basketwise.schema import BASKET_ID, FOLD, INDEX_LABELS, LABEL, PROD_CODE, QUANTITY, SPEND


class LabelledLines(NamedTuple):
    """Some training baskets and all their lines, both sorted by basket.

    ``lines``: one row per line: BASKET_ID, PROD_CODE, SPEND, QUANTITY; those of other baskets are
    passed over. ``baskets``: one row per training basket: BASKET_ID, the label and ``fold``.
    """

    lines: pl.DataFrame
    baskets: pl.DataFrame


@dataclass(frozen=True)
class Evidence:
    """What one pass over the training lines gathers; all that learning needs.

    It depends on the training lines and their order alone, not on the pieces they came in nor on
    what other products there are. ``products``: one row per product of the training lines, sorted
    by PROD_CODE: its hierarchy and prices, numbered so in ``pairs``. ``folds``: their number.
    ``seed``: see :func:`gather`.
    """

    products: pl.DataFrame
    pairs: Pairs
    folds: int
    seed: int

    def take(self, baskets: Flags) -> Evidence:
        """Return the evidence of the baskets that the mask marks; products stay the same."""
        return replace(self, pairs=self.pairs.take(baskets))


def gather(
    pieces: Iterable[LabelledLines],
    products: pl.DataFrame,
    *,
    folds: int,
    seed: int,
) -> Evidence:
    """Gather in one pass what the index is learned from.

    Parameters
    ----------
    pieces : iterable of LabelledLines
        The training baskets, none in two pieces.
    products : DataFrame
        One row per product that the lines may name: PROD_CODE, hierarchy.
    folds : int
        Number of folds.
    seed : int
        Draws the baskets on which is seen what weighs a product, where there are more than needed.
    """
    work = partial(number_lines, numbered(products))
    return put_together(side_by_side(work, pieces), products, folds=folds, seed=seed)


def numbered(products: pl.DataFrame) -> pl.DataFrame:
    """Return PROD_CODE of each product; its number is its position."""
    return products.select(pl.col(PROD_CODE).sort())


def put_together(
    pieces: Iterable[Result], products: pl.DataFrame, *, folds: int, seed: int
) -> Evidence:
    """Put the numbered lines of all pieces together; as :func:`gather`.

    ``pieces``: from :func:`number_lines`; they are emptied.
    """
    ordered = products.sort(PROD_CODE)
    pairs = concatenate(list(pieces))
    trained = pairs.baskets_with(products.height) > 0
    number = (np.cumsum(trained) - 1).astype(np.int32)
    pairs = replace(pairs, product=number[pairs.product])
    own = ordered.filter(pl.Series(trained))
    groups = finest_groups(own)
    prices, of_groups = unit_prices(pairs, groups)
    own = own.with_columns(
        pl.Series(UNIT_PRICE, prices).fill_nan(None),
        pl.Series(GROUP_PRICE, of_groups[groups]).fill_nan(None),
    )
    return Evidence(own, pairs, folds, seed)


def number_lines(numbers: pl.DataFrame, piece: LabelledLines) -> Result:
    """Turn a piece's lines into numbers, training baskets only.

    Parameters
    ----------
    numbers : DataFrame
        From :func:`numbered`.
    piece : LabelledLines
        Whole baskets.

    Returns
    -------
    dict
        The fields of :class:`basketwise.features.product_index.pairs.Pairs`.
    """
    own = piece.baskets
    coded = with_baskets(
        piece.lines.select(BASKET_ID, PROD_CODE, SPEND, QUANTITY),
        own.select(BASKET_ID, pl.int_range(pl.len(), dtype=pl.Int32).alias("basket")),
    )
    # Categories are numbered by their positions, too.
    number = coded[PROD_CODE].cast(pl.Enum(numbers[PROD_CODE])).to_physical()
    labels = (
        own[LABEL]
        .cast(pl.String)
        .replace_strict(INDEX_LABELS, range(len(INDEX_LABELS)), return_dtype=pl.Int8)
    )
    pairs = pair(
        coded["basket"].to_numpy(),
        number.cast(pl.Int32).to_numpy(),
        coded[SPEND].fill_null(0).to_numpy(),
        coded[QUANTITY].fill_null(0).to_numpy(),
        labels.to_numpy(),
        own[FOLD].to_numpy(),
    )
    return {field.name: getattr(pairs, field.name) for field in fields(pairs)}
