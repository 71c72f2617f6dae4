"""The silver stage: raw files in, clean lines and what is known of them out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from basketwise.config import Config
from basketwise.errors import InputError
from basketwise.etl.lines.layout import settle_sources
from basketwise.etl.lines.rules import Rules, rules_of
from basketwise.etl.raw.sources import Delivery, FileRecord, Skipped, skipped_texts
from basketwise.etl.silver.intake import Intake, build_silver
from basketwise.etl.silver.product_coverage import coverage, refuse_other_codes
from basketwise.etl.silver.product_file import ProductFile, completed, read_products, with_products
from basketwise.etl.silver.survey import Survey, write_survey
from basketwise.files import read_document
from basketwise.progress import Tick

INTAKE_FILE = "intake.json"
SURVEY = "_survey"


class IntakeRecord(BaseModel):
    """``silver/intake.json``: where the lines went; those in the survey + rejected = read."""

    model_config = ConfigDict(frozen=True)

    files: list[FileRecord]
    lines: int
    """Lines read."""
    rejected: dict[str, int]
    """Refused lines by reason."""
    skipped: list[Skipped] = []
    """Skipped files and folders."""
    product_file: FileRecord | None = None
    """The product file, if there is one."""
    rules: Rules
    """How the lines were read and judged, nothing left open."""
    warnings: list[str]
    """What is odd about the files, though they could be used."""


def run_silver(delivery: Delivery, silver: Path, scratch: Path, config: Config, tick: Tick) -> None:
    """Clean the raw files.

    ``silver`` (empty, as is ``scratch``) gets a partition a week, the refused lines,
    ``intake.json`` and the survey that the next stage starts from.

    Raises
    ------
    InputError
        If a table cannot be read, or no line can be used.
    """
    rules = settle_sources(delivery.sources, rules_of(config, labelled=True), config.data)
    file = product_file(config, rules)
    intake, survey = build_silver(delivery.sources, silver, scratch, rules, tick, data=config.data)
    write_intake(silver, intake, survey, delivery.skipped, file)


def product_file(config: Config, rules: Rules) -> ProductFile | None:
    """Read the product file, if there is one.

    Raises
    ------
    InputError
        If it cannot be used.
    """
    path = config.data.products
    return read_products(path, config.data, rules.missing) if path else None


def write_intake(
    silver: Path,
    intake: Intake,
    survey: Survey,
    skipped: list[Skipped],
    file: ProductFile | None,
) -> None:
    """Write the survey and ``intake.json`` of lines that are in ``silver`` already.

    Raises
    ------
    InputError
        If the product file lists none of their products.
    """
    products = with_products(survey.products, intake.names)
    warnings = skipped_texts(skipped, documents=False) + intake.warnings()
    if file is not None:
        covered = coverage(products, file)
        refuse_other_codes(covered)
        warnings += [*file.warnings, *filter(None, [covered.text])]
        products = completed(products, file.products)
    survey = replace(survey, products=products)
    write_survey(survey, silver / SURVEY)
    record = IntakeRecord(
        files=intake.files,
        lines=intake.lines,
        rejected=dict(sorted(intake.rejected.items())),
        skipped=skipped,
        product_file=file.record if file else None,
        rules=intake.rules,
        warnings=warnings,
    )
    (silver / INTAKE_FILE).write_text(record.model_dump_json(indent=2), encoding="utf-8")


def read_intake(silver: Path) -> IntakeRecord:
    """Read what the silver stage noted; an InputError if there is nothing to read."""
    path = silver / INTAKE_FILE
    if not path.is_file():
        raise InputError(
            f"There are no clean lines in {str(silver)!r}.", "Run 'basketwise etl' first."
        )
    return read_document(IntakeRecord, path, "basketwise etl PATH --force")
