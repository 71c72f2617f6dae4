"""Lines with what is known of their baskets: a look-up per basket instead of one per line."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.schema import BASKET_ID


def with_baskets(
    lines: pl.DataFrame, baskets: pl.DataFrame, *, fill: int | None = None
) -> pl.DataFrame:
    """Add the columns of their baskets to lines, and leave out the lines of other baskets.

    What ``lines.join(baskets, on=BASKET_ID, maintain_order="left")`` gives. Where the lines of a
    basket come one after the other, which they do once they are sorted, each basket is looked up
    once.

    Parameters
    ----------
    lines : DataFrame
        One row per line: BASKET_ID and other columns.
    baskets : DataFrame
        One row per basket: BASKET_ID and what its lines get. No nulls.
    fill : int, optional
        What lines of other baskets get, which stay then if they are few: to pick out all others
        takes longer than to work on them.

    Returns
    -------
    DataFrame
        The lines in their order.
    """
    runs = lines[BASKET_ID].rle().struct.unnest()
    rows, lengths = rows_of(runs["value"], baskets[BASKET_ID]), runs["len"].to_numpy()
    mine = rows.is_not_null().to_numpy()
    if not mine.all() and (fill is None or 2 * lengths[mine].sum() <= lines.height):
        lines = lines.filter(pl.Series(np.repeat(mine, lengths)))
        rows, lengths = rows.drop_nulls(), lengths[mine]
    known = baskets.drop(BASKET_ID).select(pl.all().gather(rows))
    if fill is not None:
        known = known.fill_null(fill)
    return lines.hstack([_repeated(values, lengths) for values in known])


def rows_of(ids: pl.Series, baskets: pl.Series) -> pl.Series:
    """Return the row (UInt32) of each id among those of baskets; null where there is none.

    No basket is there twice.
    """
    if ids.dtype == baskets.dtype and ids.dtype.is_integer() and baskets.is_sorted():
        asked, known = ids.to_numpy(), baskets.to_numpy()
        row = np.searchsorted(known, asked)
        # Behind the last basket there is none.
        missing = row == known.size
        row[missing] = 0
        if known.size:
            missing |= known[row] != asked
        return pl.Series(row.astype(np.uint32)).scatter(np.flatnonzero(missing), None)
    rows = baskets.to_frame(BASKET_ID).with_row_index("row")
    asked_for = ids.to_frame(BASKET_ID)
    return asked_for.join(rows, on=BASKET_ID, how="left", maintain_order="left")["row"]


def _repeated(values: pl.Series, lengths: NDArray[np.integer]) -> pl.Series:
    """Repeat each value."""
    if values.dtype.is_numeric() and not values.null_count():
        return pl.Series(values.name, np.repeat(values.to_numpy(), lengths), values.dtype)
    return values.gather(np.repeat(np.arange(values.len(), dtype=np.uint32), lengths))
