"""A profile of raw data: all files, read whole and judged as the ETL judges them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from basketwise.config import Config
from basketwise.doctor.baskets import Baskets, kept_repeats, profile_baskets
from basketwise.doctor.columns import PROFILED, ColumnProfile, ColumnTallies
from basketwise.doctor.names import Names, column_names
from basketwise.doctor.product_file import ProductFileProfile, profile_product_file
from basketwise.errors import InputError, writing
from basketwise.etl.lines.layout import settle_sources
from basketwise.etl.lines.rules import Rules, rules_of
from basketwise.etl.raw.header import basket_id_parts
from basketwise.etl.raw.sources import Delivery, skipped_texts
from basketwise.etl.silver.intake import Intake, read_tables, settle_tables
from basketwise.etl.silver.product_file import read_products
from basketwise.etl.silver.survey import Survey
from basketwise.progress import Tick
from basketwise.schema import (
    BASKET_ID,
    PROD_CODE,
    QUANTITY,
    SHOP_DATE,
    SHOP_HOUR,
    SHOP_WEEK,
    SHOP_WEEKDAY,
    SPEND,
    UNIT_PRICE,
)
from basketwise.scratch import scratch

DUPLICATE = "duplicate_line"
"""The reason of a line that repeats another."""


@dataclass(frozen=True)
class FileProfile:
    """One raw table: its name, bytes on disk, and records."""

    name: str
    bytes: int
    records: int


@dataclass(frozen=True)
class SkippedFile:
    """A file that is not read, with the reason and the fix."""

    name: str
    reason: str
    hint: str


@dataclass(frozen=True)
class Duplicates:
    """Lines that repeat another in every column.

    ``policy`` is ``etl.duplicates`` as the data settles it: ``reject``, ``keep`` or ``pieces``.
    """

    policy: str
    rejected: int
    kept: int


@dataclass(frozen=True)
class Profile:
    """What raw data contains; records = accepted + rejected.

    Attributes
    ----------
    files, skipped
        The raw tables, and what else is there.
    records, accepted
        Records of all tables, and how many of them are lines that can be used.
    rejected
        The others by reason, the most common first.
    columns
        Those that some file has or that follow from others.
    absent
        Optional columns that are not there.
    ignored
        Columns of the files that are never read.
    labelled
        Whether there is a column of labels; without one, training is not possible.
    date_format, decimal
        How dates and numbers are written; empty where their values do not need it.
    currency
        That of SPEND; empty if none is set.
    duplicates, baskets
        What the accepted lines make up; ``baskets`` is None if there are none.
    product_file
        The product file, if there is one.
    warnings
        What is odd about the files, though they can be used.
    sold
        The products of the accepted lines: PROD_CODE, ``lines``; None if there are none.
    """

    files: tuple[FileProfile, ...]
    skipped: tuple[SkippedFile, ...]
    records: int
    accepted: int
    rejected: dict[str, int]
    columns: tuple[ColumnProfile, ...]
    absent: tuple[str, ...]
    ignored: tuple[str, ...]
    labelled: bool
    date_format: str
    decimal: str
    currency: str
    duplicates: Duplicates
    baskets: Baskets | None
    product_file: ProductFileProfile | None
    warnings: tuple[str, ...]
    sold: pl.DataFrame | None = field(default=None, repr=False, compare=False)

    def document(self) -> dict[str, Any]:
        """Return the profile as JSON documents contain it: all of it but each product."""
        document = asdict(replace(self, sold=None))
        del document["sold"]
        return document


def profile(delivery: Delivery, config: Config, tick: Tick) -> Profile | None:
    """Read all files and profile them.

    Clean lines are written to a temporary folder, which is removed; memory contains what the ETL
    needs, and what grows with baskets and products.

    Parameters
    ----------
    delivery : Delivery
        Raw tables and skipped files.
    config : Config
        How lines are read and judged.
    tick : callable
        Called with the progress.

    Returns
    -------
    Profile or None
        None if there is no table but dunnhumby's calendar.

    Raises
    ------
    InputError
        If a table or the product file cannot be read, or there is no line at all.
    WorkspaceError
        If the temporary folder cannot be written.
    """
    names = column_names(delivery.sources, config.data)
    if names.calendars:
        return None
    rules = settle_sources(delivery.sources, rules_of(config, labelled=names.labelled), config.data)
    tallies, file = ColumnTallies(rules), None
    if config.data.products:
        file = read_products(config.data.products, config.data, rules.missing)
    failure, hint = "Clean lines cannot be stored", "Free some space, or set TMPDIR."
    with (
        writing(failure, hint),
        scratch() as folder,
    ):
        silver, landed = folder / "silver", folder / "scratch"
        intake = read_tables(
            delivery.sources, silver, landed, rules, tick, data=config.data, observe=tallies.add
        )
        survey = _survey(intake, silver, tick)
        policy = intake.rules.duplicates
        duplicates = Duplicates(
            policy=policy,
            rejected=intake.rejected[DUPLICATE],
            kept=kept_repeats(silver) if survey and policy != "reject" else 0,
        )
        # Weeks in the files are the retailer's own; which years have 53 is not known.
        week = "" if SHOP_WEEK in names.own else rules.week
        baskets = profile_baskets(survey, silver, week) if survey else None
    warnings = [*skipped_texts(delivery.skipped, documents=False), *intake.warnings()]
    product_file = None
    if file is not None:
        product_file = profile_product_file(file, survey)
        warnings += [*file.warnings, *filter(None, [product_file.sold.text])]
    columns = tuple(tallies.profiles(_sources_of(names, rules), config.data.currency))
    present = {column.name for column in columns}
    return Profile(
        files=tuple(FileProfile(file.name, file.bytes, file.lines) for file in intake.files),
        skipped=tuple(SkippedFile(f.name, f.reason, f.hint) for f in delivery.skipped),
        records=intake.lines,
        accepted=survey.lines if survey else 0,
        rejected=dict(sorted(intake.rejected.items(), key=lambda item: (-item[1], item[0]))),
        columns=columns,
        absent=tuple(column.name for column in PROFILED if column.name not in present),
        ignored=names.ignored,
        labelled=names.labelled,
        date_format=rules.date_format,
        decimal=rules.decimal,
        currency=config.data.currency,
        duplicates=duplicates,
        baskets=baskets,
        product_file=product_file,
        warnings=tuple(warnings),
        sold=survey.products.select(PROD_CODE, "lines") if survey else None,
    )


def _survey(intake: Intake, silver: Path, tick: Tick) -> Survey | None:
    """Settle the lines; None if every one of them was rejected, which is worth a profile too."""
    try:
        return settle_tables(intake, silver, tick)
    except InputError:
        if not 0 < intake.lines == intake.rejected.total():
            raise
        return None


def _sources_of(names: Names, rules: Rules) -> dict[str, tuple[str, ...]]:
    """Return the files' names of each column, and for a derived one those that it follows from."""
    sources = {
        BASKET_ID: basket_id_parts(rules.columns),
        SPEND: [UNIT_PRICE, QUANTITY],
        **{name: [SHOP_DATE] for name in (SHOP_WEEK, SHOP_WEEKDAY, SHOP_HOUR)},
    }
    derived = {
        column: tuple(name for part in parts for name in names.own.get(part, ()))
        for column, parts in sources.items()
    }
    return derived | names.own
