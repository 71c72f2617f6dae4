"""A bucket with a thousand runs and a hundred thousand objects: each command within five seconds.

The time includes that of the servers, on the same processors. Run with ``-s``, it prints times and
requests.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from basketwise.cli import cleaning
from tests.aws.crowd import Crowd, counted
from tests.aws.leftover_scene import Scene, running_scene
from tests.aws.test_scale import CODES, COMMANDS, USES, in_a_week
from tests.cli.calling import call
from tests.hostile.scale import tried
from tests.seaweed import S3Server

RUNS, OBJECTS = tried(10, 1_000), tried(200, 100_000)
SECONDS = 5.0
REQUESTS = 250


@pytest.fixture(scope="module")
def scene(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder: Path = tmp_path_factory.mktemp("crowd")
    with running_scene(s3_server, folder) as made:
        made.cloud.registry.page = 100
        made.cloud.account.quotas |= {f"ml.m5.large for {use} usage": 2.0 for use in USES}
        Crowd(made, RUNS, OBJECTS).fill()
        yield made


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_done_within_seconds(
    scene: Scene, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "current_time", in_a_week)
    with counted() as counts:
        start, cpu = time.perf_counter(), time.process_time()
        outcome = call(*COMMANDS[name], "--workspace", scene.cloud.workspace)
        seconds = time.perf_counter() - start
    cpu = time.process_time() - cpu
    print(f"\n{name}: {seconds:.1f} s, {cpu:.1f} of CPU, {counts.total()} requests: {counts}")  # noqa: T201
    assert outcome.code == CODES.get(name, 0), outcome.out + outcome.err
    assert seconds <= SECONDS
    assert counts.total() <= REQUESTS
