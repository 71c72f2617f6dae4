"""Columns in the types that Parquet files and frames store them in, as a CSV could have given them.

Categories, binary text and whole numbers stored as decimals or floats become what they stand for.
"""

from __future__ import annotations

import polars as pl

from basketwise.errors import InputError
from basketwise.etl.lines.missing import without_missing
from basketwise.schema import KINDS, SHOP_DATE, SHOP_HOUR

_EXACT: dict[pl.DataType, int] = {pl.Float16(): 2**11, pl.Float32(): 2**24, pl.Float64(): 2**53}
"""Whole numbers below are floats without a loss."""


def in_plain_type(column: pl.Series, source: str) -> pl.Series:
    """Return a column's values in a type that a CSV could have given, or a date's.

    Raises
    ------
    InputError
        If it is of a type that no value of a raw line has, or has lost digits.
    """
    column = decoded(column)
    dtype, kind = column.dtype, KINDS[column.name]
    if dtype == pl.String or dtype.is_integer():
        return column
    if dtype.is_nested() or dtype == pl.Object:
        raise InputError(
            f"{source!r} has the column {column.name} as {dtype}.",
            "Each line needs one text or one number there.",
        )
    if dtype == pl.Binary:
        raise InputError(
            f"{source!r} has the column {column.name} as {dtype} that is not UTF-8.",
            "Write it as text.",
        )
    if dtype.is_float() and (kind.is_text or column.name == SHOP_DATE):
        refuse_rounded(column, source)
    if kind.is_text and (dtype.is_decimal() or dtype.is_float()):
        return codes_as_text(column)
    if kind.is_text and isinstance(dtype, pl.Datetime):
        return as_text(column)
    if dtype.is_decimal():
        return column.cast(pl.Float64)
    if dtype == pl.Time and column.name == SHOP_HOUR:
        return column.dt.hour()
    dated = column.name == SHOP_DATE and dtype in (pl.Date, pl.Datetime)
    if not kind.is_text and not dated and (dtype.is_temporal() or dtype == pl.Boolean):
        # A cast would make a number of it all the same: days or microseconds since 1970.
        raise InputError(
            f"{source!r} has the column {column.name} as {dtype}.",
            "Each line needs a number there; data.date takes week, weekday and hour from a column "
            "of dates or times.",
        )
    return column


def as_looked_at(column: pl.Series) -> pl.Series:
    """Return categories, binary text and decimals as what tells how their values are written."""
    return column.cast(pl.Float64) if column.dtype.is_decimal() else decoded(column)


def decoded(column: pl.Series) -> pl.Series:
    """Return categories and binary text as text, any other column as it is.

    So are bytes that are no text, which :func:`in_plain_type` refuses.
    """
    if not isinstance(column.dtype, pl.Categorical | pl.Enum | pl.Binary):
        return column
    try:
        return column.cast(pl.String)
    except pl.exceptions.PolarsError:
        return column


def refuse_rounded(column: pl.Series, source: str) -> None:
    """Refuse codes and dates that came as floats too large to keep each digit."""
    exact = _EXACT.get(column.dtype, _EXACT[pl.Float64()])
    highest = column.fill_nan(None).abs().max()
    # The first number that is too long is rounded to the last one that is not.
    if isinstance(highest, float) and highest >= exact:
        raise InputError(
            f"{source!r} has the column {column.name} as {column.dtype}, which keeps "
            f"{len(str(exact)) - 1} digits, and longer numbers in it.",
            f"Write {column.name} as whole numbers or as text.",
        )


def as_text(column: pl.Series) -> pl.Series:
    """Write values as text: times to the digits that they have, whatever unit they are stored in.

    Examples
    --------
    >>> from datetime import datetime
    >>> as_text(pl.Series([datetime(2025, 1, 6, 13, 30)], dtype=pl.Datetime("ns"))).to_list()
    ['2025-01-06 13:30:00']
    """
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.replace_time_zone(None).dt.strftime("%Y-%m-%d %H:%M:%S%.f")
    return column.cast(pl.String)


def codes_as_text(column: pl.Series) -> pl.Series:
    """Write codes that came as numbers: pandas makes floats of whole numbers with gaps."""
    whole = as_whole(column)
    return numbers_as_text(column) if whole is None else whole.cast(pl.String)


def as_whole(column: pl.Series) -> pl.Series | None:
    """Return codes that came as floats or decimals as whole numbers; None if some are not."""
    if column.dtype.is_float():
        column = column.fill_nan(None)
        whole = column.cast(pl.Int64, strict=False)
    else:
        whole = column.cast(pl.Decimal(38, 0))
    return whole if bool((whole.cast(column.dtype) == column).all()) else None


def numbers_as_text(column: pl.Series) -> pl.Series:
    """Write codes that came as floats or decimals as they stand."""
    return (column.fill_nan(None) if column.dtype.is_float() else column).cast(pl.String)


def texts(column: pl.Series, source: str, missing: tuple[str, ...]) -> pl.Series:
    """Return the values of a column of text; null where they are missing.

    Raises
    ------
    InputError
        As :func:`in_plain_type`.
    """
    return without_missing(in_plain_type(column, source).cast(pl.String), missing)
