"""Columns that follow from others: SPEND from a unit's price, BASKET_ID from several columns."""

from __future__ import annotations

import math

import polars as pl

from basketwise.etl.lines.missing import is_given, without_missing
from basketwise.etl.lines.numbers import parse
from basketwise.etl.lines.rules import Rules
from basketwise.etl.lines.stored_types import as_text
from basketwise.etl.raw.header import basket_id_parts
from basketwise.schema import BASKET_ID, BASKET_ID_PARTS, QUANTITY, SPEND, UNIT_PRICE

JOINED_BY = "-"
_DIGITS = 6
"""Decimals of a product of price and quantity: 3 × 0.1 is 0.3."""


def with_derived(raw: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Add BASKET_ID and SPEND where they are not columns of their own.

    Parameters
    ----------
    raw : DataFrame
        Lines as delivered, columns under their standard names.
    rules : Rules
        Own column names, decimal mark and missing words.

    Returns
    -------
    DataFrame
        The same lines without UNIT_PRICE and the parts of ids. SPEND is UNIT_PRICE × QUANTITY
        (Float64); null without a price, infinite where the price is no number. BASKET_ID is the
        parts, joined by hyphens; null if a part is missing.
    """
    if BASKET_ID not in raw.columns:
        raw = raw.with_columns(_joined(raw, rules))
    if SPEND not in raw.columns:
        raw = raw.with_columns(_amounts(raw[UNIT_PRICE], raw[QUANTITY], rules))
    sources = [name for name in (UNIT_PRICE, *BASKET_ID_PARTS) if name in raw.columns]
    return raw.drop(sources) if sources else raw


def _joined(raw: pl.DataFrame, rules: Rules) -> pl.Series:
    parts = []
    for name in basket_id_parts(rules.columns):
        parts.append(without_missing(as_text(raw[name]), rules.missing).alias(name))
    ids = pl.concat_str(parts, separator=JOINED_BY)
    return pl.DataFrame(parts).select(ids.alias(BASKET_ID)).to_series()


def _amounts(price: pl.Series, quantity: pl.Series, rules: Rules) -> pl.Series:
    prices = _numbers(price, rules)
    given = is_given(price, rules.missing)
    # A line whose quantity cannot be read is rejected for that.
    amounts = (prices * _numbers(quantity, rules).fill_null(1)).round(_DIGITS)
    # Infinite is not missing, and is rejected as what is no number.
    return amounts.set(given.fill_null(False) & prices.is_null(), math.inf).alias(SPEND)


def _numbers(column: pl.Series, rules: Rules) -> pl.Series:
    """Read numbers; null where one is missing, or not finite."""
    numbers = column.cast(pl.Float64, strict=False)
    if column.dtype == pl.String:
        decimal = rules.decimal_of(column.name)
        safe = "," not in decimal and numbers.null_count() == column.null_count()
        money = column.name == UNIT_PRICE
        numbers = numbers if safe else parse(column, decimal, money=money)
    return numbers.set(~numbers.is_finite().fill_null(True), None)
