"""Raw lines as one frame, the hidden classes of their products, and what a row makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from basketwise.schema import BASKET_ID, COLUMNS, LABEL, PROD_CODE, SHOP_WEEK, UNCLASSIFIED, Kind

SCORE = "score"
"""The column of a product's hidden class: 1 High, 0 Medium, -1 Low, null: it tells nothing."""

TYPES = {
    column.name: {Kind.TEXT: pl.String, Kind.NUMBER: pl.Float64, Kind.INTEGER: pl.Int64}[
        column.kind
    ]
    for column in COLUMNS
    if column.kind != Kind.ID
}

_SCORES = {"High": 1, "Medium": 0, "Low": -1, UNCLASSIFIED: None}


class UnusableDataError(Exception):
    """The files are not those that a row is made of; the message says what is missing."""


@dataclass(frozen=True)
class Made:
    """One data set: what one row of the table is measured on.

    Attributes
    ----------
    lines
        One row per till line: the columns of :data:`basketwise.schema.COLUMNS` as far as there are
        such, labels as dunnhumby writes them (LA, MM, UM, XX).
    first_test_week
        Baskets of this week and later ones are the test set; None: the default split.
    clean
        BASKET_ID and label: what predicted classes are compared with, if not the labels of the
        lines.
    """

    lines: pl.DataFrame
    first_test_week: int | None = None
    clean: pl.DataFrame | None = None

    def write(self, folder: Path) -> None:
        """Write the lines as one Parquet file a week."""
        folder.mkdir(parents=True)
        weeks = self.lines.partition_by(SHOP_WEEK, as_dict=True)
        for (week,), lines in weeks.items():
            lines.write_parquet(folder / f"transactions_{week}.parquet")


@dataclass(frozen=True)
class Source:
    """The weekly files of a folder; they are read when the first row needs them."""

    folder: Path

    @cached_property
    def lines(self) -> pl.DataFrame:
        """All lines."""
        return read_lines(self.folder)

    @cached_property
    def weeks(self) -> list[int]:
        """The weeks that occur, in order."""
        return sorted(self.lines[SHOP_WEEK].unique().to_list())

    @cached_property
    def classes(self) -> pl.DataFrame:
        """PROD_CODE and :data:`SCORE`, sorted by product, as learned from all weeks.

        No score for what no basket or no label tells anything of. Labels that are made from these
        classes are exact by definition, however well the classes fit the original labels.
        """
        from basketwise import ProductIndex

        index = ProductIndex().fit(self.lines).index_
        score = pl.col("class").replace_strict(_SCORES, return_dtype=pl.Int8)
        return index.select(PROD_CODE, score.alias(SCORE)).sort(PROD_CODE)

    def block(self, training: int, first: int, last: int) -> pl.DataFrame:
        """Take the lines of the test weeks and of so many training weeks before them.

        Raises
        ------
        UnusableDataError
            If a test week is missing, or there are not as many weeks before.
        """
        before = [week for week in self.weeks if week < first][-training:]
        test = [week for week in self.weeks if first <= week <= last]
        if len(before) < training or len(test) < last - first + 1:
            raise UnusableDataError(
                f"The row needs the weeks {first} to {last} and {training} weeks before them; the "
                f"files contain {len(test)} and {len(before)} of them."
            )
        return self.lines.filter(pl.col(SHOP_WEEK).is_in([*before, *test]))

    def scored(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Add the score of each line's product."""
        return lines.join(self.classes, on=PROD_CODE, how="left", maintain_order="left")


def read_lines(folder: Path) -> pl.DataFrame:
    """Read the weekly files of a folder: CSV, compressed with gzip or not, or Parquet.

    Only the columns that Basketwise reads are kept.
    """
    files = _files(folder)
    read = [
        pl.read_parquet(file)
        if file.name.endswith(".parquet")
        else pl.read_csv(file, schema_overrides=TYPES)
        for file in files
    ]
    names = [column.name for column in COLUMNS if column.name in read[0].columns]
    missing = [name for name in (BASKET_ID, PROD_CODE, SHOP_WEEK, LABEL) if name not in names]
    if missing:
        raise UnusableDataError(f"{files[0].name} has no column {missing[0]}.")
    return pl.concat(lines.select(names) for lines in read)


def _files(folder: Path) -> Sequence[Path]:
    endings = (".csv", ".csv.gz", ".parquet")
    files = sorted(path for path in folder.iterdir() if path.name.endswith(endings))
    if not files:
        raise UnusableDataError(f"{folder} contains no .csv, .csv.gz or .parquet files.")
    return files
