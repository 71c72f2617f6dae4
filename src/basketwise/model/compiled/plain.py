"""The values of a few lines as the schema types them, where there is no doubt what they mean.

What :mod:`basketwise.etl.lines.dtypes` would look at twice (blanks, missing words, fractions,
commas, long or damaged numbers, dates) is not plain: :class:`NotPlainError` leaves it to the
frames.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from math import copysign, isfinite
from typing import Any

from basketwise.errors import InputError
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw.header import check_columns, standard_names
from basketwise.schema import (
    COLUMNS,
    LABEL,
    PROD_NAME,
    READ_NAMES,
    SHOP_DATE,
    SHOP_HOUR,
    SHOP_WEEK,
    SHOP_WEEKDAY,
    Kind,
)

Columns = dict[str, Sequence[Any]]
"""Typed values by column, one per line; absent columns are not there, missing values are None."""

MOST, LONGEST = 100, 4_000
"""Columns, and characters of all their names: so many names are remembered."""

INT32, INT64 = 2**31, 2**63
EXACT = 2**53
"""Whole numbers up to here are floats without a loss."""
_HHMM = 100

_CODE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_POINT = re.compile(r"-?(?:0|[0-9]{4,})\.[0-9]+|-?[0-9]+\.(?:[0-9]{1,2}|[0-9]{4,})")
"""Numbers whose point can mark no thousands."""
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_HOUR = re.compile(r"[0-9]{1,2}")
_DATE = re.compile(r"(?:19[7-9]|20[0-9])[0-9]{5}")
_WHOLE_DATE = "%Y%m%d"

_KINDS = {column.name: column.kind for column in COLUMNS}
_NEEDED = frozenset(column.name for column in COLUMNS if column.required) - {LABEL}
_TIMES = frozenset({SHOP_WEEK, SHOP_WEEKDAY})


class NotPlainError(Exception):
    """Something that the frames have to judge."""


def read(rows: Sequence[Mapping[str, Any]], rules: Rules) -> Columns:
    """Type the values of raw lines.

    Parameters
    ----------
    rows : sequence of mapping
        One per line: text, numbers or None by column name.
    rules : Rules
        Those of a model, not settled yet.

    Raises
    ------
    NotPlainError
        If a value, or a column, is not plain.
    """
    columns: Columns = {}
    dotted: list[str] = []
    for name, values, kinds in _columns(rows, rules):
        kind = _KINDS.get(name)
        distinct = set(values)
        distinct.discard(None)
        if name == LABEL or kind is None:
            _ignore(distinct, kinds, name)
        elif not kinds:
            columns[name] = values
        elif kind.is_text:
            columns[name] = _texts(values, distinct, kinds, kind, rules.missing)
        elif kind is Kind.NUMBER:
            columns[name] = _numbers(values, distinct, kinds)
            if kinds == {str}:
                dotted += [text for text in distinct if "." in text]
        else:
            columns[name] = _integers(values, distinct, kinds, name, rules.date_format)
    comma = (rules.decimal or rules.usual_decimal) == ","
    if dotted and comma and (rules.decimal or not any(map(_POINT.fullmatch, dotted))):
        raise NotPlainError
    return columns


def _columns(
    rows: Sequence[Mapping[str, Any]], rules: Rules
) -> Iterator[tuple[str, Sequence[Any], set[type]]]:
    """Yield the standard name, the values and their types of each column."""
    given = tuple(rows[0])
    if all(tuple(row) == given for row in rows):
        columns: Iterable[Sequence[Any]] = zip(*(row.values() for row in rows), strict=True)
    else:
        given = tuple(dict.fromkeys(name for row in rows for name in row))
        columns = ([row.get(name) for row in rows] for name in given)
    if len(given) > MOST or not all(type(name) is str for name in given):
        raise NotPlainError
    if sum(map(len, given)) > LONGEST:
        raise NotPlainError
    names = _names(given, tuple(rules.columns.items()))
    for name, values in zip(names, columns, strict=True):
        kinds = set(map(type, values))
        kinds.discard(type(None))
        if not kinds <= {str, int, float}:
            raise NotPlainError
        if len(kinds) > 1 and kinds != {int, float}:
            # As a table of mixed values is read; floats have their own rules there.
            if float in kinds:
                raise NotPlainError
            yield name, [value if value is None else str(value) for value in values], {str}
        else:
            yield name, values, kinds


@lru_cache(maxsize=100)
def _names(given: tuple[str, ...], own: tuple[tuple[str, Any], ...]) -> tuple[str, ...]:
    """Return the standard names of columns that need nothing derived."""
    if not all(map(str.isascii, given)):
        raise NotPlainError
    names = standard_names(given, dict(own))
    try:
        check_columns("", names, labelled=False)
    except InputError as error:
        raise NotPlainError from error
    known = READ_NAMES.intersection(names)
    others = known - _KINDS.keys() - {PROD_NAME}
    if others or not known >= _NEEDED or (SHOP_DATE in known and not known >= _TIMES):
        raise NotPlainError
    return names


def _all(test: Callable[[Any], object], values: Iterable[Any]) -> None:
    if not all(map(test, values)):
        raise NotPlainError


def _ignore(distinct: set[Any], kinds: set[type], name: str) -> None:
    """Expect values that a frame can hold, of a column that scoring does not read."""
    if kinds == {str}:
        _all(_is_unicode, distinct)
    elif kinds and name in (LABEL, PROD_NAME):
        raise NotPlainError
    elif int in kinds:
        _all(_is_int64, distinct)


def _texts(
    values: Sequence[Any],
    distinct: set[Any],
    kinds: set[type],
    kind: Kind,
    missing: tuple[str, ...],
) -> Sequence[str | None]:
    if kinds == {int}:
        _all(_is_int64, distinct)
        return _mapped(values, {number: str(number) for number in distinct})
    if kinds != {str}:
        raise NotPlainError
    for text in distinct:
        if text and (not _is_plain(text) or text.upper() in missing):
            raise NotPlainError
        if "E+" in text:
            raise NotPlainError
        # Damaged ids, and those that are only nearly numbers, contain one of these.
        if kind is Kind.ID and ("+" in text or "." in text or len(text) > 100):
            raise NotPlainError
    return [value or None for value in values] if "" in distinct else values


def _mapped(values: Sequence[Any], meaning: dict[Any, Any]) -> list[Any]:
    meaning[None] = None
    return list(map(meaning.__getitem__, values))


def _is_plain(text: str) -> bool:
    if text.isascii():
        return _CODE.fullmatch(text) is not None
    # Letters and digits are no blanks; halves of surrogate pairs are not printable.
    return text.isprintable() and text[0].isalnum() and text[-1].isalnum()


def _is_unicode(text: str) -> bool:
    """Whether a text is without halves of surrogate pairs."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _is_int64(number: float) -> bool:
    return -INT64 <= number < INT64


def _is_date(text: str) -> bool:
    if _DATE.fullmatch(text) is None:
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def _numbers(values: Sequence[Any], distinct: set[Any], kinds: set[type]) -> Sequence[float | None]:
    if kinds == {str}:
        _all(_NUMBER.fullmatch, distinct)
        values = _mapped(values, {text: float(text) for text in distinct})
    else:
        if any(type(value) is int and abs(value) > EXACT for value in distinct):
            raise NotPlainError
        _all(isfinite, distinct)
        if int in kinds:
            values = [value if value is None else float(value) for value in values]
    # Frames take the sign of a zero away, where they do not reject it.
    if any(copysign(1, value) < 0 for value in values if value == 0):
        raise NotPlainError
    return values


def _integers(
    values: Sequence[Any], distinct: set[Any], kinds: set[type], name: str, date_format: str
) -> Sequence[int | None]:
    if float in kinds:
        raise NotPlainError
    if name == SHOP_DATE:
        if date_format not in ("", _WHOLE_DATE):
            raise NotPlainError
        _all(_is_date, map(str, distinct))
    elif kinds == {str}:
        # 0012 is a time of day, not noon.
        _all((_HOUR if name == SHOP_HOUR else _WHOLE).fullmatch, distinct)
    if kinds == {str}:
        meaning = {text: int(text) for text in distinct}
        distinct = set(meaning.values())
        values = _mapped(values, meaning)
    highest = _HHMM if name == SHOP_HOUR else INT32
    if not -INT32 <= min(distinct) <= max(distinct) < highest:
        raise NotPlainError
    return values


def as_ids(texts: Sequence[str]) -> list[int] | list[str]:
    """Return basket ids as whole numbers if all of them can be, otherwise as they are."""
    try:
        numbers = list(map(int, texts))
    except ValueError:
        return list(texts)
    same = all(
        str(number) == text and -INT64 <= number < INT64
        for number, text in zip(numbers, texts, strict=True)
    )
    return numbers if same else list(texts)
