"""Names of tables in a catalogue, as people write them in the place of a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from basketwise.etl.raw.formats import format_of

_PART = r"[A-Za-z_][A-Za-z0-9_-]*"
_TABLE = re.compile(rf"(?P<name>{_PART}(?:\.{_PART}){{1,2}})(?:@v(?P<snapshot>\d{{1,19}}))?")
_SCHEMA = re.compile(rf"{_PART}(?:\.{_PART})?")


@dataclass(frozen=True)
class TableName:
    """A table: ``schema.table`` or ``catalog.schema.table``.

    ``snapshot`` is the version of a Delta table, or the id of an Iceberg table's snapshot, in
    digits; None: the lines that the table has when it is read.
    """

    name: str
    snapshot: str | None = None

    def __str__(self) -> str:
        return self.name if self.snapshot is None else f"{self.name}@v{self.snapshot}"

    @property
    def quoted(self) -> str:
        """The name for SQL, without the snapshot."""
        return quoted_name(self.name)


def quoted_name(name: str) -> str:
    """Return the name of a schema or a table as Spark takes it: without quotes, hyphens are minus.

    Examples
    --------
    >>> quoted_name("my-shop.raw.lines")
    '`my-shop`.`raw`.`lines`'
    """
    return ".".join(f"`{part}`" for part in name.split("."))


def is_schema_name(text: str) -> bool:
    """Whether a text is ``schema`` or ``catalog.schema``."""
    return bool(_SCHEMA.fullmatch(text))


def table_name(text: str) -> TableName | None:
    """Read the name of a table; None if the text is a path or an address.

    Examples
    --------
    >>> table_name("shop.raw.lines@v7")
    TableName(name='shop.raw.lines', snapshot='7')
    >>> str(table_name("shop.raw.lines"))
    'shop.raw.lines'
    >>> table_name("lines.csv"), table_name("s3://bucket/lines")
    (None, None)
    """
    match = _TABLE.fullmatch(text)
    if not match or format_of(match["name"]) or Path(text).exists():
        return None
    return TableName(match["name"], match["snapshot"])
