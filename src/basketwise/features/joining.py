"""Lines with what is known of their baskets: a look-up per basket instead of one per line."""

from __future__ import annotations

import numpy as np
import polars as pl

from basketwise.schema import BASKET_ID

_LENGTH = "_length"


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
    runs.columns = [_LENGTH, BASKET_ID]
    known = runs.join(
        baskets.with_columns(pl.lit(True).alias("_known")),
        on=BASKET_ID,
        how="left",
        maintain_order="left",
    )
    mine = known["_known"].fill_null(False).to_numpy()
    lengths = runs[_LENGTH].to_numpy()
    if fill is not None and 2 * lengths[mine].sum() > lines.height:
        known = known.fill_null(fill)
    elif not mine.all():
        lines = lines.filter(pl.Series(np.repeat(mine, lengths)))
        known, lengths = known.filter(pl.Series(mine)), lengths[mine]
    row = np.repeat(np.arange(known.height, dtype=np.uint32), lengths)
    return lines.hstack(known.drop(BASKET_ID, _LENGTH, "_known")[row])
