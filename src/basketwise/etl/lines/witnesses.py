"""A few values of a table that decide for all of it: the same layout follows from them.

Where a table is spread over machines, none of them sees all of it. Each names its witnesses, and
:mod:`basketwise.etl.lines.layout` judges these as if they were the table.
"""

from __future__ import annotations

import polars as pl

from basketwise.etl.lines.date_formats import one_of_each_reading, tried_formats, written_dates
from basketwise.etl.lines.missing import without_missing
from basketwise.etl.lines.numbers import one_of_each_notation
from basketwise.etl.lines.rules import Rules
from basketwise.etl.lines.stored_types import as_looked_at
from basketwise.etl.raw.header import standard_names
from basketwise.schema import AMOUNTS, SHOP_DATE, SHOP_WEEK


def witnesses(frame: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Choose a table's witnesses.

    Parameters
    ----------
    frame : DataFrame
        Raw lines, or witnesses of some.
    rules : Rules
        What is settled already needs none.

    Returns
    -------
    DataFrame
        Text columns under the table's own names, each value once, the shorter ones filled up with
        nulls: numbers, one of each notation that decimal marks can be told by; dates, one of each
        way in which the known formats read one. SHOP_WEEK, where it is a column, is null.

    Examples
    --------
    >>> lines = pl.DataFrame({"SPEND": ["1,5", "2,75", "1.234", "5.678", "3"], "PROD_CODE": "A"})
    >>> witnesses(lines, Rules())["SPEND"].to_list()
    ['1,5', '1.234', '3']
    """
    chosen: list[pl.Series] = []
    names = standard_names(frame.columns, rules.columns)
    for own, ours in zip(frame.columns, names, strict=True):
        if ours == SHOP_WEEK:
            chosen.append(pl.Series(own, [], dtype=pl.String))
        if ours not in AMOUNTS and ours != SHOP_DATE:
            continue
        column = as_looked_at(frame[own])
        if ours == SHOP_DATE and (dates := written_dates(column)) is not None:
            given = without_missing(dates, rules.missing).drop_nulls()
            formats = tried_formats(rules.date_format)
            chosen.append(one_of_each_reading(given, formats).alias(own))
        elif ours in AMOUNTS and column.dtype == pl.String and not rules.decimal:
            chosen.append(one_of_each_notation(column))
    height = max(map(len, chosen), default=0)
    return pl.DataFrame([column.extend_constant(None, height - len(column)) for column in chosen])
