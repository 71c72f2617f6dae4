"""Shared fixtures: a small made-up sample, and what the stages make of it."""

import gc
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from _pytest.doctest import DoctestModule
from hypothesis import settings

from basketwise.sampling import generate
from tests.cli import calling
from tests.etl.running import Run, run
from tests.evaluation.running import Evaluated, evaluated_once
from tests.seaweed import S3Server, running_s3

# The same examples on every machine, and no time limit that a busy one could break.
settings.register_profile("basketwise", derandomize=True, deadline=None, database=None)
settings.load_profile("basketwise")

HERE = Path(__file__).parent
UNTRACED = frozenset(
    {
        "aws/account/test_policies.py",
        "aws/account/test_provisioning.py",
        "aws/account/test_recorded_run.py",
        "aws/cli/test_run_interrupted.py",
        "aws/cli/test_run_resumed.py",
        "aws/storage/test_workspace.py",
        "aws/test_images.py",
        "cli/test_deliveries.py",
        "cli/test_doctor.py",
        "cli/test_failures.py",
        "cli/test_names.py",
        "contracts/test_registry.py",
        "estimators/test_conventions.py",
        "estimators/test_howto.py",
        "etl/test_against_oracle.py",
        "etl/test_determinism.py",
        "etl/test_fuzz.py",
        "etl/test_gold.py",
        "etl/test_preview.py",
        "etl/test_product_names.py",
        "evaluation/test_coverage.py",
        "evaluation/test_differences.py",
        "evaluation/test_intervals.py",
        "features/product_index/test_learning.py",
        "report/test_browser.py",
        "report/test_sections.py",
        "serving/test_batch.py",
        "test_docs.py",
        "training/test_interrupted.py",
        "training/test_leakage.py",
    }
)
"""Files that run long, and no line that other tests leave out: tracing them would tell nothing."""


WAITING = ("aws", "cli", "contracts", "registry", "run")
"""Folders whose tests mostly wait for servers, jobs and commands."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure no coverage where that would only take time; order files for several workers."""
    for item in items:
        if _relative(item).as_posix() in UNTRACED:
            item.add_marker(pytest.mark.no_cover)
    files = list(dict.fromkeys(item.path for item in items))
    position = dict(zip(_alternating(files), range(len(files)), strict=True))
    items.sort(key=lambda item: position[item.path])


def _alternating(files: list[Path]) -> list[Path]:
    """Spread the files that wait evenly among those that compute: together they fill the cores."""
    kinds: dict[bool, list[Path]] = {True: [], False: []}
    for file in files:
        parts = file.relative_to(HERE).parts if file.is_relative_to(HERE) else ()
        kinds[bool(parts) and parts[0] in WAITING].append(file)
    shares = {
        file: (number + 0.5) / len(own) for own in kinds.values() for number, file in enumerate(own)
    }
    return sorted(files, key=lambda file: shares[file])


def _relative(item: pytest.Item) -> Path:
    return item.path.relative_to(HERE) if item.path.is_relative_to(HERE) else item.path


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Search no tests for doctests: there are none, and it takes as long as to import them."""
    return [item for item in (yield) if not isinstance(item, DoctestModule)]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the collector of garbage the tests and libraries, which stay until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="module")
def blank_pictures() -> Iterator[None]:
    """Leave every picture blank that a module's runs would draw in this process."""
    with calling.blank_pictures():
        yield


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six weeks of 3,000 baskets, some 19,000 lines, 90 products; not to be changed."""
    folder = tmp_path_factory.mktemp("sample")
    generate(folder, baskets=3_000, seed=3, weeks=6)
    return folder


@pytest.fixture(scope="session")
def sample_run(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What the ETL stage makes of the sample by default; not to be changed."""
    return run(sample, tmp_path_factory.mktemp("sample_run"))


@pytest.fixture(scope="session")
def evaluated(sample_run: Run) -> Evaluated:
    """The sample's models, trained and evaluated once; not to be changed."""
    return evaluated_once(sample_run.gold)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server, started by the first test that asks for it."""
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server
