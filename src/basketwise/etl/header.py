"""Header of a raw table: separator, columns, and whether it is the right data set."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from basketwise.errors import InputError
from basketwise.etl.text import Block, check_utf8
from basketwise.schema import COLUMNS, COMPLETE_JOURNEY, LABEL

SEPARATORS = (",", ";", "\t", "|")
_LINES_BEFORE = 20
CALENDAR = frozenset({"SHOP_WEEK", "DATE_FROM", "DATE_TO"})
"""The columns of ``time.csv``, which dunnhumby ships beside the till lines."""

_KNOWN = {column.name for column in COLUMNS}


@dataclass(frozen=True)
class Header:
    """How one table is laid out; names in file order, upper case, white space stripped.

    ``separator`` is a CSV's; ``","`` for Parquet, where it has no meaning.
    """

    separator: str
    names: tuple[str, ...]

    @property
    def is_calendar(self) -> bool:
        """Whether this is dunnhumby's calendar file rather than till lines."""
        return set(self.names) == CALENDAR

    def positions(self) -> dict[str, int]:
        """Map the known columns that are present to their positions."""
        return {name: i for i, name in enumerate(self.names) if name in _KNOWN}


def standard_names(given: Iterable[str], columns: Mapping[str, str]) -> tuple[str, ...]:
    """Return column names in upper case without blanks; those of a retailer's own as ours.

    ``columns`` are the retailer's own names by ours, from ``data.columns``. Where such a column is
    there, another that has our name is not the one, and gets a name that is not known.

    Examples
    --------
    >>> standard_names([" Spend", "Sku"], {"PROD_CODE": "SKU"})
    ('SPEND', 'PROD_CODE')
    """
    names = [name.strip().upper() for name in given]
    canonical = {own.strip().upper(): name for name, own in columns.items()}
    mapped = {canonical[name] for name in names if name in canonical}
    return tuple(canonical.get(n, f"{n} (not mapped)" if n in mapped else n) for n in names)


def read_header(
    block: Block, source: str, columns: Mapping[str, str] = MappingProxyType({})
) -> tuple[Header, int, int]:
    """Read the header line of a CSV.

    Parameters
    ----------
    block : Block
        The beginning of its text.
    source : str
        What errors call it.
    columns : mapping of str to str
        A retailer's own column names by ours.

    Returns
    -------
    header : Header
    end : int
        Where it ends in the text, in bytes.
    line : int
        The number of its line, from 1: blank lines before it are skipped, and so is the line
        ``sep=;`` that spreadsheets write.

    Raises
    ------
    InputError
        If there is none, or it is not UTF-8.
    """
    end, text = 0, block.text
    for line in range(block.line, block.line + _LINES_BEFORE):
        start, end = end, text.find(b"\n", end) + 1 or len(text)
        first = text[start:end]
        if first.strip() and not first.lower().startswith(b"sep="):
            check_utf8(first, source, line)
            return parse_header(first.decode(), columns), end, line
    raise InputError(
        f"{source!r} is empty."
        if not block.text.strip()
        else f"{source!r} has no header in its first {_LINES_BEFORE} lines.",
        "Remove it, or export it again with its header and lines.",
    )


def parse_header(line: str, columns: Mapping[str, str] = MappingProxyType({})) -> Header:
    """Take the separator that makes most of the header's names known ones.

    Examples
    --------
    >>> parse_header("basket_id;Prod_Code;SPEND").names
    ('BASKET_ID', 'PROD_CODE', 'SPEND')
    >>> parse_header("basket_id;Prod_Code;SPEND").separator
    ';'
    """
    headers = []
    for separator in SEPARATORS:
        fields = next(csv.reader([line.rstrip("\r\n")], delimiter=separator), [])
        headers.append(Header(separator, standard_names(fields, columns)))
    return max(headers, key=lambda h: (len(_KNOWN.intersection(h.names)), len(h.names)))


def check_columns(source: str, names: Sequence[str], *, labelled: bool) -> None:
    """Refuse a table that lacks a required column, or that is another set altogether.

    ``names`` are in upper case; the label column is required to train, not to predict.

    Raises
    ------
    InputError
        Naming what is missing and what was found.
    """
    if len(COMPLETE_JOURNEY.intersection(names)) >= 3:
        raise InputError(
            f"{source!r} is from dunnhumby's 'The Complete Journey' "
            f"(columns {', '.join(sorted(COMPLETE_JOURNEY.intersection(names)))}).",
            f"That set does not contain {LABEL}. Get dunnhumby's \"Let's Get Sort-of-Real\" set "
            "(files transactions_YYYYWW.csv).",
        )
    refuse_repeated(source, names)
    required = [c.name for c in COLUMNS if c.required and (labelled or c.name != LABEL)]
    missing = [name for name in required if name not in names]
    if missing:
        shown = ", ".join(list(names)[:30]) + (" …" if len(names) > 30 else "")
        raise InputError(
            f"{source!r} lacks the required column{'s' * (len(missing) > 1)} "
            f"{', '.join(missing)}. Found: {shown}.",
            f"Required: {', '.join(required)}. Column names are case-insensitive.",
        )


def refuse_repeated(source: str, names: Sequence[str]) -> None:
    """Refuse a table that has a known column more than once; ``names`` are in upper case."""
    duplicates = sorted({name for name in names if name in _KNOWN and list(names).count(name) > 1})
    if duplicates:
        raise InputError(
            f"{source!r} has the column {duplicates[0]} more than once.",
            "Column names are case-insensitive; keep one of them.",
        )
