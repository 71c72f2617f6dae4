"""Runs the ETL stage, or its first half, in folders of a test's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from basketwise.config import Config, DataConfig
from basketwise.etl.gold.metadata import Metadata
from basketwise.etl.gold.tables import INDEX_FILE, TEST_FILE, TRAIN_FILE
from basketwise.etl.lines.rules import Duplicates, Rules
from basketwise.etl.raw.discovery import discover
from basketwise.etl.silver.chunks import weeks
from basketwise.etl.silver.intake import Intake, build_silver
from basketwise.etl.silver.partitions import REJECTED
from basketwise.etl.silver.survey import Survey
from basketwise.etl.stage import run_etl


@dataclass(frozen=True)
class Run:
    """One run of the ETL stage."""

    silver: Path
    gold: Path
    metadata: Metadata

    @property
    def train(self) -> pl.DataFrame:
        return pl.read_parquet(self.gold / TRAIN_FILE)

    @property
    def test(self) -> pl.DataFrame:
        return pl.read_parquet(self.gold / TEST_FILE)

    @property
    def index(self) -> pl.DataFrame:
        return pl.read_parquet(self.gold / INDEX_FILE)


@dataclass(frozen=True)
class IntakeResult:
    """One intake: what was read, what was kept and what was refused."""

    intake: Intake
    survey: Survey
    accepted: pl.DataFrame
    rejected: pl.DataFrame

    @property
    def reasons(self) -> dict[str, int]:
        return dict(self.intake.rejected)


def quiet(what: str, done: int, total: int) -> None:
    assert what
    assert 0 < done <= total


def folders(root: Path) -> tuple[Path, Path, Path]:
    made = root / "silver", root / "gold", root / "scratch"
    for folder in made:
        folder.mkdir(parents=True)
    return made


def run(data: Path, root: Path, config: Config | None = None) -> Run:
    silver, gold, scratch = folders(root)
    metadata = run_etl(str(data), silver, gold, scratch, config or Config(), quiet)
    return Run(silver, gold, metadata)


def rules(*, labelled: bool = True, duplicates: Duplicates = "auto") -> Rules:
    return Rules(labelled=labelled, duplicates=duplicates)


def run_intake(
    raw: Path, root: Path, how: Rules | None = None, *, data: DataConfig | None = None
) -> IntakeResult:
    silver, _, scratch = folders(root)
    sources = discover(str(raw))
    intake, survey = build_silver(sources, silver, scratch, how or rules(), quiet, data=data)
    refused = sorted((silver / REJECTED).glob("*.parquet"))
    result = IntakeResult(
        intake,
        survey,
        pl.concat(pl.read_parquet(path) for _, path in weeks(silver)),
        pl.concat(pl.read_parquet(path) for path in refused) if refused else pl.DataFrame(),
    )
    # Whatever a test is about, no line may get lost or be counted twice.
    assert result.accepted.height + result.rejected.height == intake.lines
    assert survey.lines == result.accepted.height
    assert sum(intake.rejected.values()) == result.rejected.height
    return result
