"""What every platform must do; an implementation joins by a line in ``IMPLEMENTATIONS``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from basketwise.aws.clients import client
from basketwise.aws.platform import SageMakerPlatform
from basketwise.config import AwsConfig, Config
from basketwise.digests import sha256
from basketwise.errors import BasketwiseError, ConfigError, DependencyError, InputError
from basketwise.etl.gold.cohorts import COHORTS_FILE
from basketwise.etl.gold.metadata import read_metadata
from basketwise.etl.gold.tables import (
    HIDDEN_FILE,
    INDEX_FILE,
    METADATA_FILE,
    TEST_FILE,
    TRAIN_FILE,
)
from basketwise.files import RECORD_FILE
from basketwise.platforms.local import LocalPlatform
from basketwise.platforms.protocol import EtlJob, Platform, TrainingJob
from basketwise.storage.opening import open_storage
from basketwise.training.record import TrainingRecord
from tests.aws.double.cloud import running_cloud
from tests.cli.till import delivered, delivery, without
from tests.fakes.model_registry import REGION


@dataclass(frozen=True)
class Subject:
    """A platform, and what its tests need to know besides."""

    platform: Platform
    pieces: Callable[[Path], int]
    """How many pieces of a training it has kept; the job's folder for them is given."""
    refuses: type[BasketwiseError] = InputError
    """What a stage's complaint about the data arrives as."""
    starts: list[Mapping[str, str]] | None = None
    """Runs that were started, by their inputs; None where a start needs no record."""
    written: Callable[[], list[str]] = list
    """Files that are stored outside of the jobs' folders."""
    made: Callable[[EtlJob], tuple[Path, Path]] = lambda job: (job.silver, job.gold)
    """Folders with the files of silver and gold that ETL has left, wherever that is."""


def local(_: pytest.FixtureRequest, __: Path) -> Iterator[Subject]:
    yield Subject(LocalPlatform(), lambda folder: len(list(folder.iterdir())))


def sagemaker(request: pytest.FixtureRequest, folder: Path) -> Iterator[Subject]:
    with running_cloud(request.getfixturevalue("s3_server"), folder / "cloud") as cloud:
        config, starts = AwsConfig(region=REGION), list[Mapping[str, str]]()
        platform = SageMakerPlatform(
            sagemaker=client("sagemaker", config),
            logs=client("logs", config),
            s3=client("s3", config),
            names=cloud.names,
            storage=open_storage(cloud.workspace, config),
            run_id="run-contract",
            report=lambda _: None,
            poll=0.3,
            on_start=starts.append,
        )
        storage = platform.storage
        yield Subject(
            platform,
            lambda _: len(cloud.keys("checkpoints", "run-contract")),
            DependencyError,
            starts,
            lambda: [*cloud.keys(""), *cloud.jobs.jobs],
            lambda _: (storage.local("silver"), storage.local("gold")),
        )


IMPLEMENTATIONS = {"local": local, "sagemaker": sagemaker}
CONFIG = Config.model_validate(
    {
        "features": {"tried": []},
        "index": {"refine_rounds": 1},
        "training": {"models": ["decision_tree"], "folds": 2},
    }
)


@dataclass
class Progress:
    """Everything that a stage told of its progress."""

    ticks: list[tuple[str, int, int]] = field(default_factory=list)

    def __call__(self, what: str, done: int, total: int) -> None:
        self.ticks.append((what, done, total))


@pytest.fixture(params=list(IMPLEMENTATIONS))
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    yield from IMPLEMENTATIONS[request.param](request, tmp_path)


@pytest.fixture
def platform(subject: Subject) -> Platform:
    return subject.platform


def test_the_raw_tables_are_named_by_their_content(platform: Platform, tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", delivery())

    assert platform.inputs(str(raw), CONFIG) == {"till.csv": sha256(raw / "till.csv")}


def test_only_start_starts_a_run(subject: Subject, tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    inputs = subject.platform.inputs(str(raw), CONFIG)

    assert subject.platform.inputs(str(raw), CONFIG) == inputs
    assert not subject.starts

    subject.platform.start(inputs, CONFIG)

    assert subject.starts in (None, [inputs])
    assert subject.written() == []


def test_data_that_do_not_allow_the_split_are_refused(platform: Platform, tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", without(delivery(), "SHOP_WEEK"))

    with pytest.raises(ConfigError, match="needs two weeks"):
        platform.inputs(str(raw), CONFIG)


def etl_job(data: Path, root: Path) -> EtlJob:
    silver, gold, scratch = (root / name for name in ("silver", "gold", "scratch"))
    for folder in (silver, gold, scratch):
        folder.mkdir(parents=True)
    return EtlJob(str(data), silver, gold, scratch)


def test_etl_fills_silver_and_gold(subject: Subject, tmp_path: Path) -> None:
    job, progress = etl_job(delivered(tmp_path / "raw", delivery()), tmp_path), Progress()

    subject.platform.etl(job, CONFIG, progress)

    silver, gold = subject.made(job)
    assert {path.name for path in gold.iterdir()} - {"step-gold.json"} == {
        TRAIN_FILE,
        HIDDEN_FILE,
        TEST_FILE,
        INDEX_FILE,
        COHORTS_FILE,
        METADATA_FILE,
    }
    lines = pl.read_parquet(silver / "shop_week=*" / "*.parquet", hive_partitioning=False)
    assert lines.height == read_metadata(job.gold).lines.accepted == 360
    assert progress.ticks
    assert all(what and 0 < done <= total for what, done, total in progress.ticks)


def test_silver_that_is_ready_is_not_made_again(subject: Subject, tmp_path: Path) -> None:
    job = etl_job(delivered(tmp_path / "raw", delivery()), tmp_path)
    subject.platform.etl(job, CONFIG, Progress())
    _, gold = subject.made(job)
    made = {path.name: path.read_bytes() for path in gold.iterdir()}
    again = etl_job(tmp_path / "nothing", tmp_path / "again")
    ready = EtlJob(again.data, job.silver, again.gold, again.scratch, clean=False)

    subject.platform.etl(ready, CONFIG, Progress())

    _, gold = subject.made(ready)
    for name in (TRAIN_FILE, TEST_FILE, INDEX_FILE, COHORTS_FILE):
        assert (gold / name).read_bytes() == made[name]


def test_a_training_keeps_its_pieces(subject: Subject, tmp_path: Path) -> None:
    platform = subject.platform
    job = etl_job(delivered(tmp_path / "raw", delivery()), tmp_path)
    platform.etl(job, CONFIG, Progress())
    for name in ("out", "kept"):
        (tmp_path / name).mkdir()

    platform.train(TrainingJob(job.gold, tmp_path / "out", tmp_path / "kept"), CONFIG, Progress())

    # A fold each, the model itself, and the references.
    assert subject.pieces(tmp_path / "kept") >= CONFIG.training.folds + 1


def test_training_fills_out_and_leaves_gold_alone(platform: Platform, tmp_path: Path) -> None:
    job, progress = etl_job(delivered(tmp_path / "raw", delivery()), tmp_path), Progress()
    platform.etl(job, CONFIG, Progress())
    before = {path.name: path.read_bytes() for path in job.gold.iterdir()}
    out = tmp_path / "out"
    out.mkdir()

    platform.train(TrainingJob(job.gold, out), CONFIG, progress)

    record = TrainingRecord.model_validate_json((out / RECORD_FILE).read_bytes())
    assert record.winner == "decision_tree"
    assert (out / "model.skops").is_file()
    assert {path.name: path.read_bytes() for path in job.gold.iterdir()} == before
    assert progress.ticks


def test_what_is_wrong_with_the_data_is_stated(subject: Subject, tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", without(delivery(), "SPEND"))

    with pytest.raises(subject.refuses) as caught:
        subject.platform.etl(etl_job(raw, tmp_path), CONFIG, Progress())

    message = str(caught.value)
    assert "'till.csv' lacks the required column SPEND." in message
    assert "Required: " in message


def test_a_training_without_gold_arrives_unchanged(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    with pytest.raises(InputError, match="There is no gold data") as caught:
        platform.train(TrainingJob(tmp_path / "none", tmp_path / "out"), CONFIG, Progress())

    assert caught.value.hint == "Run 'basketwise etl' first."
