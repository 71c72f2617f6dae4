"""Columns of any library, and lists of values, as Polars' Series."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import narwhals.stable.v2.dependencies as libraries
import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.errors import InputError
from basketwise.schema import KINDS, Kind

FAILURES = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    TypeError,
    ValueError,
    OverflowError,
    RuntimeError,
)
"""What Polars raises of values and types that it does not know; a panic is no Exception."""

_AS_THOUSANDS = re.compile(r"-?[0-9]{1,3}\.[0-9]{3}")

_UNIFORM: tuple[set[type], ...] = (set(), {str}, {int}, {float}, {int, float})
"""Types of values that are one column as they are."""


def any_column(name: str, values: Any) -> Any:
    """Return a column of a dictionary as one of Polars, or as something that it can read.

    A list is judged as that of one key of rows; arrays and Series have a type of their own.
    """
    if libraries.is_pandas_series(values):
        return of_pandas(name, values)
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return _from_array(name, values)
    if isinstance(values, list | tuple) or hasattr(values, "isna"):
        # What else has this method is an array of pandas.
        return listed(name, list(values))
    return values


def of_pandas(name: str, column: Any) -> pl.Series:
    """Return a Series of pandas as one of Polars, without its index."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufM":
        return _from_array(name, column.to_numpy())
    return listed(name, column.astype(object).where(column.notna(), None).tolist())


def _from_array(name: str, values: NDArray[Any]) -> pl.Series:
    if values.dtype.kind == "M" and np.datetime_data(values.dtype)[0] in ("s", "m", "h"):
        # Polars has no times in whole seconds.
        values = values.astype("datetime64[ms]")
    if isinstance(values, np.ma.MaskedArray) or values.dtype.kind == "O":
        return listed(name, values.tolist())
    return pl.Series(name, values, nan_to_null=True)


def listed(name: str, values: list[Any]) -> pl.Series:
    """Return a list of values as a column.

    Polars would make nulls of what does not suit the first value. Mixed values are text, as in a
    CSV; numbers of both kinds are numbers.

    Raises
    ------
    InputError
        If a text is not Unicode.

    Examples
    --------
    >>> listed("SPEND", [1, 2.5, None]).to_list(), listed("PROD_CODE", [7, "x"]).to_list()
    ([1.0, 2.5, None], ['7', 'x'])
    """
    kinds = _kinds(values)
    if kinds not in _UNIFORM:
        values = [None if is_absent(value) else value for value in values]
        kinds = _kinds(values)
    # No code has a fraction, so columns of other names may be amounts.
    amounts = KINDS.get(name.strip().upper(), Kind.NUMBER) is Kind.NUMBER
    if len(kinds) > 1 and kinds not in _UNIFORM:
        values, kinds = _as_text(values, amounts=amounts), {str}
    try:
        if kinds == {int, float}:
            values = [value if value is None else float(value) for value in values]
        return pl.Series(name, values)
    except UnicodeEncodeError as error:
        raise InputError(
            f"The column {name!r} contains half a surrogate pair, which is not Unicode.",
            "Read the text again with the encoding that it was written in.",
        ) from error
    except FAILURES:
        # Numbers that are too large or too long for any type; other objects are refused if the
        # column is needed.
        if kinds <= {int, float, Decimal}:
            return pl.Series(name, _as_text(values, amounts=amounts))
        return pl.Series(name, values, dtype=pl.Object)


def unmistakable(number: str) -> str:
    """Write a number whose point could be taken for one of thousands with one digit more.

    In text the decimal mark is told by all values; that of a number is known.

    Examples
    --------
    >>> unmistakable("1.234"), unmistakable("1.25")
    ('1.2340', '1.25')
    """
    return f"{number}0" if _AS_THOUSANDS.fullmatch(number) else number


def _kinds(values: list[Any]) -> set[type]:
    return {type(value) for value in values} - {type(None)}


def _as_text(values: list[Any], *, amounts: bool) -> list[str | None]:
    return [
        None
        if value is None
        else unmistakable(str(value))
        if amounts and isinstance(value, float | Decimal | np.floating)
        else str(value)
        for value in values
    ]


def is_absent(value: object) -> bool:
    """Whether a value in a list stands for none: None, NaN, and NA and NaT of pandas.

    Examples
    --------
    >>> is_absent(float("nan")), is_absent("nan")
    (True, False)
    """
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    if isinstance(value, Decimal):
        return value.is_nan()
    return value is None or type(value).__name__ in ("NAType", "NaTType")
