"""Header of a raw table: separator, columns, and whether it is the right data set."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from basketwise.config import OwnColumns
from basketwise.errors import InputError
from basketwise.etl.raw.text import Block, check_utf8
from basketwise.schema import (
    BASKET_ID,
    BASKET_ID_PARTS,
    COLUMNS,
    COMPLETE_JOURNEY,
    LABEL,
    READ_NAMES,
    SPEND,
    UNIT_PRICE,
)

SEPARATORS = (",", ";", "\t", "|")
_LINES_BEFORE = 20
CALENDAR = frozenset({"SHOP_WEEK", "DATE_FROM", "DATE_TO"})
"""The columns of ``time.csv``, which dunnhumby ships beside the till lines."""


@dataclass(frozen=True)
class Header:
    """How one table is laid out; names in file order, upper case, white space stripped.

    ``separator`` is a CSV's; ``","`` for Parquet, where it has no meaning. ``own`` are the names as
    they are written.
    """

    separator: str
    names: tuple[str, ...]
    own: tuple[str, ...] = ()

    @property
    def is_calendar(self) -> bool:
        """Whether this is dunnhumby's calendar file rather than till lines."""
        return set(self.names) == CALENDAR

    def positions(self) -> dict[str, int]:
        """Map the known columns that are present to their positions."""
        return {name: i for i, name in enumerate(self.names) if name in READ_NAMES}

    def own_positions(self) -> dict[str, int]:
        """Map every own name to its position, the first where it repeats."""
        return {name: self.own.index(name) for name in self.own if name}


def standard_names(given: Iterable[str], columns: OwnColumns) -> tuple[str, ...]:
    """Return column names in upper case without blanks; those of a retailer's own as ours.

    ``columns`` are the retailer's own names by ours, from ``data.columns``. Where such a column is
    there, another that has our name is not the one, and gets a name that is not known.

    Examples
    --------
    >>> standard_names([" Spend", "Sku"], {"PROD_CODE": "SKU"})
    ('SPEND', 'PROD_CODE')
    """
    names = [name.strip().upper() for name in given]
    canonical = names_by_own(columns)
    mapped = {canonical[name] for name in names if name in canonical}
    return tuple(canonical.get(n, f"{n} (not mapped)" if n in mapped else n) for n in names)


def names_by_own(columns: OwnColumns) -> dict[str, str]:
    """Return the standard names by a retailer's own ones in upper case."""
    canonical = {own.strip().upper(): name for name, own in columns.items() if isinstance(own, str)}
    for part, own in zip(BASKET_ID_PARTS, _own_parts(columns), strict=False):
        # What is read for itself, as the date and the store, is not read twice.
        canonical.setdefault(own, own if own in READ_NAMES and own != BASKET_ID else part)
    return canonical


def _own_parts(columns: OwnColumns) -> list[str]:
    own = columns.get(BASKET_ID, "")
    return [] if isinstance(own, str) else [name.strip().upper() for name in own]


def basket_id_parts(columns: OwnColumns) -> list[str]:
    """Return the names, as by :func:`standard_names`, of the columns that make up BASKET_ID.

    Empty if it is a column of its own.

    Examples
    --------
    >>> basket_id_parts({"BASKET_ID": ("store", "receipt"), "STORE_CODE": "Store"})
    ['STORE_CODE', 'BASKET_ID.2']
    """
    canonical = names_by_own(columns)
    return [canonical[own] for own in _own_parts(columns)]


def with_derived_names(names: Iterable[str], columns: OwnColumns) -> list[str]:
    """Add BASKET_ID and SPEND to a table's names where they follow from others of its columns."""
    complete = list(names)
    parts = basket_id_parts(columns)
    if BASKET_ID not in complete and parts and set(parts) <= set(complete):
        complete.append(BASKET_ID)
    if SPEND not in complete and UNIT_PRICE in complete:
        complete.append(SPEND)
    return complete


def read_header(
    block: Block, source: str, columns: OwnColumns = MappingProxyType({})
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
    for line in range(1, 1 + _LINES_BEFORE):
        start, end = end, text.find(b"\n", end) + 1 or len(text)
        first = text[start:end]
        if first.strip() and not first.lower().startswith(b"sep="):
            check_utf8(first, source, line)
            if b"\0" in first:
                raise InputError(
                    f"{source!r} has null bytes in its header, as UTF-16 without a byte order mark "
                    "has.",
                    "Save it as UTF-8.",
                )
            try:
                return parse_header(first.decode(), columns), end, line
            except csv.Error as error:
                raise InputError(
                    f"The header of {source!r} cannot be read: {error}.",
                    "Export it again; a quote that is never closed may be the reason.",
                ) from error
    raise InputError(
        f"{source!r} is empty."
        if not block.text.strip()
        else f"{source!r} has no header in its first {_LINES_BEFORE} lines.",
        "Remove it, or export it again with its header and lines.",
    )


def parse_header(line: str, columns: OwnColumns = MappingProxyType({})) -> Header:
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
        fields = next(csv.reader([line.replace("\r", "").rstrip("\n")], delimiter=separator), [])
        own = tuple(field.strip() for field in fields)
        headers.append(Header(separator, standard_names(fields, columns), own))
    return max(headers, key=lambda h: (len(READ_NAMES.intersection(h.names)), len(h.names)))


def check_columns(
    source: str,
    names: Sequence[str],
    *,
    labelled: bool,
    columns: OwnColumns = MappingProxyType({}),
    required: Sequence[str] = (),
    given: Iterable[str] = (),
) -> None:
    """Refuse a table that lacks a required column, or that is another set altogether.

    ``names`` are those of :func:`standard_names` with ``columns``; the label column is required to
    train, not to predict. ``required`` are the columns of a table that is none of lines. ``given``
    are the names as the table has them, for the message.

    Raises
    ------
    InputError
        Naming what is missing and what was found.
    """
    refuse_repeated(source, names)
    of_lines = [c.name for c in COLUMNS if c.required and (labelled or c.name != LABEL)]
    required = required or of_lines
    present = with_derived_names(names, columns)
    missing = [name for name in required if name not in present]
    if missing:
        journey = sorted(COMPLETE_JOURNEY.intersection(names))
        # Mapped columns have our names; what is left of the set are its discounts.
        if len(journey) >= 3 or (LABEL in missing and "RETAIL_DISC" in journey):
            raise _journey(source, journey, missing)
        parts = [own for own in _own_parts(columns) if names_by_own(columns)[own] not in names]
        if BASKET_ID in missing and parts:
            missing = [*parts, *(name for name in missing if name != BASKET_ID)]
        written = [name.strip() for name in given] or list(names)
        shown = ", ".join(written[:30]) + (" …" if len(written) > 30 else "")
        raise InputError(
            f"{source!r} lacks the required column{'s' * (len(missing) > 1)} "
            f"{', '.join(missing)}. Found: {shown}.",
            f"Required: {', '.join(required)}. Column names are case-insensitive"
            + ("; 'basketwise init --data PATH' maps others." if BASKET_ID in required else "."),
        )


def _journey(source: str, columns: Sequence[str], missing: Sequence[str]) -> InputError:
    """Say what to do with the set that has baskets, but no classes."""
    headline = (
        f"{source!r} is from dunnhumby's 'The Complete Journey' (columns {', '.join(columns)})."
    )
    others = [name for name in missing if name != LABEL]
    if LABEL not in missing:
        return InputError(
            f"{headline} {', '.join(others)} not found.",
            "Map its columns in [data.columns]: 'basketwise init --data' proposes how.",
        )
    return InputError(
        headline,
        f"That set does not contain {LABEL}: join a class of each basket to its lines, and map the "
        "columns with 'basketwise init --data'; or get dunnhumby's \"Let's Get Sort-of-Real\" set "
        "(files transactions_YYYYWW.csv).",
    )


def refuse_repeated(source: str, names: Sequence[str]) -> None:
    """Refuse a table that has a known column more than once; ``names`` are in upper case."""
    duplicates = sorted(
        {name for name in names if name in READ_NAMES and list(names).count(name) > 1}
    )
    if duplicates:
        raise InputError(
            f"{source!r} has the column {duplicates[0]} more than once.",
            "Column names are case-insensitive; keep one of them.",
        )
