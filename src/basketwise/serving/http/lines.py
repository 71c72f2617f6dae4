"""The lines of a basket as JSON: which of their columns are read, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from basketwise.config import OwnColumns
from basketwise.errors import InputError
from basketwise.etl.raw.header import names_by_own
from basketwise.model.compiled.plain import EXACT
from basketwise.schema import AMOUNTS, BASKET_ID, LABEL, READ_NAMES
from basketwise.serving.http.bounds import (
    MAX_COLUMNS,
    MAX_ID,
    MAX_TEXT,
    too_long,
    too_many_columns,
)

Row = dict[str, str | float | None]
"""One line by column in capitals: amounts that were sent as numbers, and all else as text."""


class Names:
    """The columns that are read: those of raw till lines but the label, in any case.

    Parameters
    ----------
    columns
        A retailer's own names of columns by ours, which are read as well.

    Attributes
    ----------
    amounts
        The names in capitals of columns of amounts.
    """

    def __init__(self, columns: OwnColumns) -> None:
        ours = names_by_own(columns)
        own = {own for own, name in ours.items() if name != LABEL}
        self.amounts = frozenset(AMOUNTS) | {own for own, name in ours.items() if name in AMOUNTS}
        self._read = (READ_NAMES - {LABEL}) | own
        self._usual = {usual: name for name in self._read for usual in (name, name.lower())}

    def of(self, column: str) -> str | None:
        """Return the name in capitals of a column; None if it is not read."""
        usual = self._usual.get(column)
        if usual is not None or len(column) > MAX_ID:
            return usual
        name = column.strip().upper()
        return name if name in self._read else None


def names_of(columns: OwnColumns) -> Names:
    """Return the columns that are read for a model, see :class:`Names`."""
    return _names(tuple(columns.items()))


@lru_cache(maxsize=16)
def _names(columns: tuple[tuple[str, str | tuple[str, ...]], ...]) -> Names:
    return Names(dict(columns))


def sent_number(number: float, *, amount: bool) -> str | float:
    """Return a number as lines have it.

    A code of digits is the same code whatever type of number carries it, so it is text. The point
    of an amount is no separator of thousands, as the one of a text may be: it stays a number.
    """
    whole = int(number) if isinstance(number, int) or number.is_integer() else None
    if amount and (whole is None or abs(whole) <= EXACT):
        return number if whole is None else whole
    return str(number if whole is None else whole)


def read_lines(
    lines: list[Any], key: str | int, names: Names, where: str, form: str
) -> Iterator[Row]:
    """Read the lines of one basket.

    Parameters
    ----------
    lines : list
        As JSON gives them.
    key : str or int
        The basket's id, which its lines get.
    names : Names
        The columns that are read.
    where, form : str
        How errors call the basket, and what they advise to send.

    Raises
    ------
    InputError
        If a line is no object, has too many columns or one twice, or a value that is read is
        neither a text nor a number, or too long; if a line has another basket's id.
    """
    text = str(key)
    for position, line in enumerate(lines, start=1):
        if not isinstance(line, dict):
            raise InputError(f"Line {position} of {where} is not an object.", form)
        if len(line) > MAX_COLUMNS:
            raise too_many_columns(f"Line {position} of {where} has")
        row: Row = {}
        for column, value in line.items():
            name, kind = names.of(column), type(value)
            if name is None:
                continue
            if name in row:
                raise InputError(
                    f"Line {position} of {where} has the column {name} more than once.", form
                )
            if kind is int or kind is float:
                value = sent_number(value, amount=name in names.amounts)
            elif kind is str:
                if len(value) > MAX_TEXT:
                    raise too_long(f"Line {position} of {where}: {name} has")
            elif value is not None:
                raise InputError(
                    f"Line {position} of {where}: {name} is neither a text nor a number.", form
                )
            row[name] = value
        if row.get(BASKET_ID) not in (None, text):
            other = str(row[BASKET_ID])[:MAX_ID]
            raise InputError(
                f"Line {position} of {where} has another {BASKET_ID}: {other!r}.", form
            )
        row[BASKET_ID] = text
        yield row
