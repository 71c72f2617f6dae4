"""Some records of a raw table, as they are handed to cleaning."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from basketwise.schema import REASON, ROW

MALFORMED_SCHEMA = {ROW: pl.UInt32, REASON: pl.String}


@dataclass(frozen=True)
class RawFrame:
    """Some records of one table: the known columns that are present.

    Attributes
    ----------
    frame
        One row per record that can be parsed.
    rows
        Of each of them, the number of its line within the table (UInt32): from 1, the header not
        counted.
    malformed
        One row per record that cannot be parsed: ``row``, ``reason``.
    decimal_comma
        Whether numbers may be written ``0,93`` (in files separated by ``;``).
    blanks
        Whether a value may have blanks around it.
    """

    frame: pl.DataFrame
    rows: pl.Series
    malformed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MALFORMED_SCHEMA))
    decimal_comma: bool = False
    blanks: bool = True

    @property
    def records(self) -> int:
        """How many records there are, malformed ones included."""
        return self.frame.height + self.malformed.height

    def release(self) -> None:
        """Take the columns out of ``frame``, whose memory whoever read it would keep otherwise."""
        for name in self.frame.columns:
            self.frame.drop_in_place(name)


def row_numbers(height: int, first: int = 1) -> pl.Series:
    """Return the numbers of the lines of a table, or of a part that starts with ``first``."""
    return pl.int_range(first, first + height, dtype=pl.UInt32, eager=True).alias(ROW)
