"""Lines that repeat others, and lines that take others back: copies, pieces and returns."""

from __future__ import annotations

from typing import Literal

import polars as pl

from basketwise.etl.lines.rules import Rules
from basketwise.schema import (
    BASKET_ID,
    COLUMN_NAMES,
    LABEL,
    PROD_CODE,
    QUANTITY,
    REASON,
    SOURCE,
    SPEND,
)

Policy = Literal["reject", "keep", "pieces"]


def has_repeats(lines: pl.DataFrame) -> bool:
    """Whether a product is in a basket more than once: only then can a line be a copy."""
    # Equal hashes of unequal pairs would only cost a closer look.
    return lines[[BASKET_ID, PROD_CODE]].hash_rows().n_unique() < lines.height


def only_pieces(lines: pl.DataFrame) -> bool:
    """Whether every QUANTITY is 1, as from tills that print one line per piece."""
    return bool((lines[QUANTITY] == 1).all())


def negative(lines: pl.DataFrame) -> bool:
    """Whether some line has a negative QUANTITY or SPEND, as returns have."""
    return bool((lines[QUANTITY] < 0).any() or (lines[SPEND] < 0).any())


def duplicates_policy(rules: Rules, *, pieces: bool) -> Policy:
    """Return what happens to repeated lines; ``pieces``: whether every QUANTITY is 1."""
    if rules.duplicates == "auto":
        return "pieces" if pieces else "reject"
    return rules.duplicates


def copied(lines: pl.DataFrame, policy: Policy) -> pl.Series:
    """Flag the lines that are copies; of equal lines the one delivered first is none.

    With ``pieces``, equal lines of one table are pieces of one purchase; a line is a copy if
    another table has an equal one, each piece counting for one.
    """
    if policy == "keep":
        return pl.repeat(False, lines.height, eager=True)
    identity = [pl.col(name) for name in COLUMN_NAMES]
    if policy == "pieces":
        number = pl.int_range(pl.len()).over(*COLUMN_NAMES, SOURCE)
        identity.append(number.alias("piece"))
    return ~lines.select(pl.struct(identity).is_first_distinct()).to_series()


def netted(lines: pl.DataFrame, reason: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Net returns with the other lines of their product in the same basket.

    Parameters
    ----------
    lines : DataFrame
        All lines of some baskets.
    reason : Series
        Why a line is rejected already; null where it is not.

    Returns
    -------
    lines : DataFrame
        The same rows. Where a product was partly returned, its first purchase has the sums of
        SPEND and QUANTITY. Each has its basket's label, which may have been stated on others alone.
    reason : Series
        ``netted_return`` for the other lines of such a product, and for all of them if nothing of
        it is left.
    """
    if not negative(lines):
        return lines, reason
    returned = (pl.col(QUANTITY) < 0) | (pl.col(SPEND) < 0)
    keys = [BASKET_ID, PROD_CODE]
    judged = lines.with_columns(reason.alias(REASON)).with_row_index("number")
    # In an order that is not that of delivery: the sums are the same to the last bit.
    others = [name for name in COLUMN_NAMES if name not in keys]
    live = judged.filter(pl.col(REASON).is_null()).sort(*keys, *others, maintain_order=True)
    sums = (
        live.group_by(keys, maintain_order=True)
        .agg(
            returned.any().alias("returned"),
            pl.col("number").filter(~returned).first().alias("purchase"),
            pl.col(SPEND).sum().alias("SPEND_NET"),
            pl.col(QUANTITY).sum().alias("QUANTITY_NET"),
        )
        .filter("returned")
    )
    joined = judged.join(sums, on=keys, how="left", maintain_order="left")
    # Sums of decimal amounts that should be nothing are some 1e-16.
    left = (pl.col("QUANTITY_NET") > 1e-9) & (pl.col("SPEND_NET") > -1e-9)
    affected = pl.col("returned").is_not_null() & pl.col(REASON).is_null()
    keeps = (affected & left & (pl.col("number") == pl.col("purchase"))).fill_null(False)
    spend = pl.max_horizontal("SPEND_NET", 0.0)
    stated = pl.col(LABEL).drop_nulls().first().over(BASKET_ID)
    made = joined.select(
        pl.when(keeps).then(spend).otherwise(pl.col(SPEND)).alias(SPEND),
        pl.when(keeps).then("QUANTITY_NET").otherwise(pl.col(QUANTITY)).alias(QUANTITY),
        pl.when(affected & ~keeps)
        .then(pl.lit("netted_return"))
        .otherwise(pl.col(REASON))
        .alias(REASON),
        pl.coalesce(LABEL, stated).alias(LABEL),
    )
    return lines.with_columns(made[SPEND], made[QUANTITY], made[LABEL]), made[REASON]
