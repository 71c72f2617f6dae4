"""What stands for a missing value: nothing, blanks, and words that programs export for none."""

from __future__ import annotations

import polars as pl


def is_missing(text: pl.Series, words: tuple[str, ...]) -> pl.Series:
    """Flag the values that are missing: null, blank, or one of some words in any case.

    ``words`` are in upper case.
    """
    stripped = text.str.strip_chars()
    # Words are short, so of long columns of codes next to nothing is looked at twice.
    short = stripped.filter(stripped.str.len_chars() <= max(map(len, words), default=0)).unique()
    absent = ["", *(value for value in short if value is not None and value.upper() in words)]
    return stripped.is_in(absent).fill_null(True)


def is_given(column: pl.Series, words: tuple[str, ...]) -> pl.Series:
    """Flag the values of a column of any type that are not missing; NaN is."""
    if column.dtype == pl.String:
        return ~is_missing(column, words)
    return column.is_not_null() & (~column.is_nan() if column.dtype.is_float() else True)


def without_missing(text: pl.Series, words: tuple[str, ...]) -> pl.Series:
    """Strip blanks around the values, and make missing ones null; see :func:`is_missing`."""
    return text.str.strip_chars().set(is_missing(text, words), None)
