"""A bucket with a thousand runs and a hundred thousand objects: each command within five seconds.

The time includes that of the servers, on the same processors. Only what removes objects takes as
long as S3 needs for each. Run with ``-s``, it prints times and requests.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from basketwise.cli import cleaning
from basketwise.errors import DependencyError
from basketwise.run import pipeline
from basketwise.run.evaluation import evaluate
from basketwise.sampling import generate
from tests.aws.cli.running import QUICK, command
from tests.aws.crowd import Crowd, counted
from tests.aws.leftover_scene import Scene, running_scene
from tests.aws.test_scale import CODES, COMMANDS, USES, in_a_week
from tests.cli.calling import call
from tests.hostile.scale import tried
from tests.seaweed import S3Server

RUNS, OBJECTS = tried(10, 1_000), tried(200, 100_000)
SECONDS = 5.0
REQUESTS = 250
REQUESTS_TO_THE_END = 600
"""Of a run that goes on: records and manifests of the latest hundred runs, and its own files."""

PER_LEFTOVER, PER_OBJECT = 1.2, 1.02
"""Requests of a removal: a list for each leftover, a copy for each object; the rest is shared."""

PER_SECOND = 100
"""Objects that are removed at least."""


@pytest.fixture(scope="module")
def scene(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder: Path = tmp_path_factory.mktemp("crowd")
    with running_scene(s3_server, folder) as made:
        made.cloud.registry.page = 100
        made.cloud.account.quotas |= {f"ml.m5.large for {use} usage": 2.0 for use in USES}
        Crowd(made, RUNS, OBJECTS).fill()
        yield made


@dataclass
class Cost:
    """What a command took."""

    requests: Counter[str]
    seconds: float = 0.0


@dataclass
class Timed:
    """A function, and the seconds that its calls took."""

    function: Callable[..., Any]
    seconds: float = 0.0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return self.function(*arguments, **options)
        finally:
            self.seconds += time.perf_counter() - start


@contextmanager
def measured(name: str) -> Iterator[Cost]:
    """Measure and print what the block takes."""
    with counted() as counts:
        cost, start, cpu = Cost(counts), time.perf_counter(), time.process_time()
        yield cost
        cost.seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(f"\n{name}: {cost.seconds:.1f} s, {cpu:.1f} of CPU, {counts.total()} requests: {counts}")  # noqa: T201


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_done_within_seconds(
    scene: Scene, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "current_time", in_a_week)
    with measured(name) as cost:
        outcome = call(*COMMANDS[name], "--workspace", scene.cloud.workspace)
    assert outcome.code == CODES.get(name, 0), outcome.out + outcome.err
    assert cost.seconds <= SECONDS
    assert cost.requests.total() <= REQUESTS


@pytest.mark.skipif(tried(0, 1) == 0, reason="make hostile")
def test_a_run_is_resumed_to_its_end_within_seconds(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path / "raw", baskets=600, seed=7, weeks=4)
    lost = mock.Mock(side_effect=DependencyError("The network is gone.", "Wait."))
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "evaluate", lost)
        started = call(*command(scene.cloud, tmp_path / "raw", "late"))
    assert started.code == 3, started.out + started.err
    work = Timed(evaluate)
    monkeypatch.setattr(pipeline, "evaluate", work)
    with measured("resume to the end") as cost:
        outcome = call("aws", "run", "--resume", "--workspace", scene.cloud.workspace, *QUICK)
    print(f"{work.seconds:.1f} s of them for the evaluation")  # noqa: T201
    # From both jobs, which have ended, to a version.
    assert outcome.code == 0, outcome.out + outcome.err
    assert f"version {RUNS + 1} is PendingManualApproval" in outcome.err
    assert cost.seconds - work.seconds <= SECONDS
    assert cost.requests.total() <= REQUESTS_TO_THE_END


def test_leftovers_are_removed_a_thousand_objects_a_request(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "current_time", in_a_week)
    clean = ("aws", "clean", "--older-than", "1", "--yes", "--workspace", scene.cloud.workspace)
    before = len(scene.cloud.keys())
    with measured("clean, removing") as cost:
        outcome = call(*clean)
    assert outcome.code == 0, outcome.out + outcome.err
    removed, leftovers = before - len(scene.cloud.keys()), outcome.out.count("\nremoved ")
    print(f"{removed} objects of {leftovers} leftovers were removed")  # noqa: T201
    # Half of the versions are rejected, and no checkpoints are needed.
    assert removed >= OBJECTS * 0.4
    assert leftovers >= RUNS
    assert cost.requests["CopyObject"] == removed
    assert cost.requests["DeleteObjects"] <= 10 + removed / 1_000 + leftovers / 50
    assert cost.requests.total() <= REQUESTS + PER_LEFTOVER * leftovers + PER_OBJECT * removed
    assert cost.seconds <= SECONDS + removed / PER_SECOND
