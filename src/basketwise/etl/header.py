"""What a raw table's header tells: separator, columns, and whether it is the right set at all."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from zipfile import BadZipFile

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.sources import Source, open_bytes
from basketwise.schema import COLUMNS, COMPLETE_JOURNEY, LABEL

SEPARATORS = (",", ";", "\t", "|")
MAX_HEADER_BYTES = 65_536
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
    ours = {own.strip().upper(): name for name, own in columns.items()}
    mapped = {ours[name] for name in names if name in ours}
    return tuple(ours.get(n, f"{n} (not mapped)" if n in mapped else n) for n in names)


def read_csv_header(source: Source, data: DataConfig) -> Header:
    """Read a CSV's header line; an InputError if there is none, or it is no text."""
    try:
        with open_bytes(source) as stream:
            first = stream.readline(MAX_HEADER_BYTES)
    except (OSError, EOFError, zlib.error, BadZipFile) as error:
        kind = "gzip" if source.is_gzip else "zip" if source.member else "file"
        raise InputError(
            f"{source.name!r} is a broken {kind}: {error}.", "Fetch or pack the file again."
        ) from error
    if not first.strip():
        raise InputError(
            f"{source.name!r} is empty.",
            "Remove it, or deliver it again with its header and lines.",
        )
    try:
        text = first.decode("utf-8-sig" if data.encoding == "utf-8" else data.encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"The header of {source.name!r} is not {data.encoding}: byte {error.start} is "
            f"0x{first[error.start]:02x}.",
            "Set data.encoding to 'latin-1' or 'cp1252' if the file is written so.",
        ) from error
    return parse_header(text, data.columns)


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
            f"That set does not carry {LABEL}. Get dunnhumby's \"Let's Get Sort-of-Real\" set "
            "(files transactions_YYYYWW.csv).",
        )
    twice = sorted({name for name in names if name in _KNOWN and list(names).count(name) > 1})
    if twice:
        raise InputError(
            f"{source!r} has the column {twice[0]} more than once.",
            "Column names are matched without regard to case; keep one of them.",
        )
    required = [c.name for c in COLUMNS if c.required and (labelled or c.name != LABEL)]
    missing = [name for name in required if name not in names]
    if missing:
        shown = ", ".join(list(names)[:30]) + (" …" if len(names) > 30 else "")
        raise InputError(
            f"{source!r} lacks the required column{'s' * (len(missing) > 1)} "
            f"{', '.join(missing)}. Found: {shown}.",
            f"Needed are {', '.join(required)}; upper or lower case does not matter.",
        )
