"""Values cut out of a text at known places, a column at a time."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl
from pydantic_core import from_json

from basketwise.arrays import Counts, Floats
from basketwise.serving.http.bounds import MAX_ID
from basketwise.serving.http.spans import NULL, NUMBER, TEXT, Bytes, Values

_NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"
_WHOLE = re.compile(rf"0|-?[1-9][0-9]{{0,{MAX_ID}}}")
_SPACE = ord(" ")
_ZERO = np.uint8(ord("0"))
_POINT = np.uint8(254)
"""A point, from which the code of a zero is subtracted."""
_DIGITS = 15
"""Numbers of so many digits are exact in a Float64 without their point."""


class NotPlainError(Exception):
    """A value is no JSON, or of another kind than others of its column."""


class Pieces:
    """Cuts the values of a body, as :func:`basketwise.serving.http.spans.find_spans` finds them.

    Attributes
    ----------
    blanks
        Whether a text that was cut may be empty, or have blanks around it.
    """

    def __init__(self, body: bytes) -> None:
        self._text = body
        self._body = pl.Series([body], dtype=pl.Binary)
        self._bodies = self._body
        self._escaped = self.blanks = b"\\" in body

    def column(self, values: Values) -> pl.Series:
        """Cut a column of texts, or of numbers.

        Returns
        -------
        Series
            String, or Int64 or Float64; null where the body says so.

        Raises
        ------
        NotPlainError
            If there are both, a number is none, or a text has escapes that JSON does not know.
        """
        return self._numbers(values) if _are_numbers(values) else self._texts(values)

    def check(self, values: Values) -> None:
        """Raise what :meth:`column` raises, for a column that is not read."""
        if _are_numbers(values) or self._escaped:
            self.column(values)

    def ids(self, values: Values) -> tuple[list[str | int], list[str]]:
        """Cut ids, all texts or all whole numbers: the same as they were sent, and as text.

        Raises
        ------
        NotPlainError
            If they are neither.
        """
        if (values.kinds == TEXT).all():
            texts = self._texts(values).to_list()
            return texts, texts
        texts = self._cut(values.starts, values.ends).to_list()
        if (values.kinds != NUMBER).any() or not all(map(_WHOLE.fullmatch, texts)):
            raise NotPlainError
        return list(map(int, texts)), texts

    def _texts(self, values: Values) -> pl.Series:
        """Cut texts without their quotes and escapes."""
        texts = _with_nulls(self._cut(values.starts + 1, values.ends - 1), values)
        if not self._escaped or not texts.str.contains("\\", literal=True).any():
            return texts
        distinct = texts.drop_nulls().unique().to_list()
        try:
            meaning = [from_json(f'"{text}"') for text in distinct]
        except ValueError as error:
            raise NotPlainError from error
        return texts.replace_strict(distinct, meaning, default=None, return_dtype=pl.String)

    def _numbers(self, values: Values) -> pl.Series:
        plain = self._plain(values)
        if plain is not None:
            return pl.Series(plain)
        texts = _with_nulls(self._cut(values.starts, values.ends), values)
        if not texts.unique().str.contains(_NUMBER).all():
            raise NotPlainError
        return texts.cast(pl.Float64)

    def _plain(self, values: Values) -> Counts | Floats | None:
        """Return numbers of few digits, with or without a point; None if others are among them."""
        sizes = values.ends - values.starts
        size = int(sizes.max())
        if size > _DIGITS or sizes.min() < 1 or values.ends.min() < size:
            return None
        text = np.frombuffer(self._text, np.uint8)
        digits = self._windows(values.ends - size, size).view(np.uint8).reshape(-1, size) - _ZERO
        if sizes.min() < size:
            # What stands before shorter ones.
            digits[np.arange(size) < (size - sizes)[:, None]] = 0
        others = digits > 9
        led = (text[values.starts] == _ZERO) & (sizes > 1)
        number = np.zeros(len(sizes), dtype=np.int64)
        if not others.any():
            for place in digits.T:
                number = number * 10 + place
            return None if led.any() else number
        points = digits == _POINT
        decimals = points @ np.arange(size - 1, -1, -1)
        led &= text[values.starts + 1] - _ZERO != _POINT
        if (others != points).any() or led.any() or (points.sum(axis=1) != (decimals > 0)).any():
            return None
        for place, point in zip(digits.T, points.T, strict=True):
            number = np.where(point, number, number * 10 + place)
        # Both are exact in a Float64, so that their quotient is what the text stands for.
        quotient: Floats = number / 10.0**decimals
        return quotient

    def _cut(self, starts: Counts, ends: Counts) -> pl.Series:
        """Return the texts between some places, which have to be between whole characters."""
        sizes = ends - starts
        size = int(sizes[0])
        if size and (sizes == size).all():
            codes = self._windows(starts, size).view(np.uint8).reshape(-1, size)
            self._look(codes[:, 0], codes[:, -1])
            return pl.Series(codes).cast(pl.List(pl.UInt8)).cast(pl.Binary).cast(pl.String)
        text = np.frombuffer(self._text, np.uint8)
        # What is empty ends before it starts, with its quote.
        self.blanks |= bool(sizes.min() == 0)
        self._look(text[starts], text[ends - 1])
        if len(self._bodies) != len(starts):
            # So many references to the body: it is not copied.
            self._bodies = self._body.new_from_index(0, len(starts))
        # Typed as single numbers, but columns of them are taken as well.
        offsets: Any = pl.Series(starts)
        lengths: Any = pl.Series(sizes)
        return self._bodies.bin.slice(offsets, lengths).cast(pl.String)

    def _look(self, firsts: Bytes, lasts: Bytes) -> None:
        self.blanks |= bool(firsts.min() <= _SPACE or lasts.min() <= _SPACE)

    def _windows(self, starts: Counts, size: int) -> Any:
        """Return the text of one size from each of some places on."""
        windows = np.ndarray(len(self._text) - size + 1, f"V{size}", self._text, strides=(1,))
        return windows[starts]


def _are_numbers(values: Values) -> bool:
    numbers = (values.kinds == NUMBER).any()
    if numbers and (values.kinds == TEXT).any():
        raise NotPlainError
    return bool(numbers)


def _with_nulls(texts: pl.Series, values: Values) -> pl.Series:
    given = values.kinds != NULL
    if given.all():
        return texts
    return texts.zip_with(pl.Series(given), pl.Series([None], dtype=pl.String))
