"""Shared fixtures: a small made-up sample, and what the stages make of it."""

import gc
import os
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from _pytest.doctest import DoctestModule
from hypothesis import settings

from basketwise.sampling import generate
from tests.cli import calling
from tests.etl.running import Run, run
from tests.evaluation.running import Evaluated, evaluated_once
from tests.seaweed import S3Server, running_s3
from tests.tracing import UNTRACED, leave_out_libraries, untraced

# The same examples on every machine, and no time limit that a busy one could break.
settings.register_profile(
    "basketwise", derandomize=True, deadline=None, database=None, max_examples=50
)
settings.load_profile("basketwise")

HERE = Path(__file__).parent

PREPARED = ("evaluated", "s3_server", "sample", "sample_run", "trained_workspace")
"""Fixtures of a whole session that run no line that tests leave out."""

WAITING = ("aws", "cli", "contracts", "registry", "run")
"""Folders whose tests mostly wait for servers, jobs and commands."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep libraries out of the measurement of coverage."""
    if getattr(config.option, "cov_source", None):
        leave_out_libraries()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order files for several workers."""
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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure no coverage where that would only take time, fixtures included."""
    file = item.path.relative_to(HERE.parent).as_posix()
    test = f"{file}::{getattr(item, 'originalname', item.name)}"
    with nullcontext() if UNTRACED.isdisjoint((file, test)) else untraced(item.config):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Measure no coverage of what a worker prepares once, whichever test asks for it first."""
    with untraced(request.config) if fixturedef.argname in PREPARED else nullcontext():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Search no tests for doctests: there are none, and it takes as long as to import them."""
    return [item for item in (yield) if not isinstance(item, DoctestModule)]


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Trace imports in the first worker alone: the others import the same.

    Spare the collector of garbage the tests and libraries, which stay until the end.
    """
    gc.disable()
    try:
        is_first = os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0"
        with nullcontext() if is_first else untraced(session.config):
            return (yield)
    finally:
        gc.freeze()
        gc.enable()
        # Tests make millions of short-lived objects: searching them less often takes a tenth less.
        gc.set_threshold(20_000, 20, 50)


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
