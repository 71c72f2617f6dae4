"""The lines of a basket as JSON: which of their columns are read, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from basketwise.config import OwnColumns
from basketwise.errors import InputError
from basketwise.etl.raw.header import names_by_own
from basketwise.schema import BASKET_ID, LABEL, READ_NAMES
from basketwise.serving.http.bounds import (
    MAX_COLUMNS,
    MAX_ID,
    MAX_TEXT,
    too_long,
    too_many_columns,
)

Row = dict[str, str | None]
"""One line: its values as text, by column in capitals."""


class Names:
    """The columns that are read: those of raw till lines but the label, in any case.

    Parameters
    ----------
    columns
        A retailer's own names of columns by ours, which are read as well.
    """

    def __init__(self, columns: OwnColumns) -> None:
        own = {own for own, name in names_by_own(columns).items() if name != LABEL}
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
            if kind is int or (kind is float and value.is_integer()):
                value = str(int(value))
            elif kind is float:
                value = str(value)
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
