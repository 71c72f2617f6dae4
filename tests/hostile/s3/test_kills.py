"""A publisher on a real server that is killed at any moment, and a server that stands still."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest

from basketwise.aws import clients
from tests.cli.calling import clean_environment
from tests.hostile.s3.publishing import read_folder
from tests.hostile.s3.test_server import sleep_at
from tests.hostile.s3.versions import (
    is_held,
    number_of,
    opened,
    publish,
    publish_after,
    reading,
)
from tests.hostile.scale import tried
from tests.seaweed import S3Server
from tests.warm import WarmProcess

pytestmark = pytest.mark.skipif(tried(0, 1) == 0, reason="make hostile")

ROUNDS = 30
ROOT = Path(__file__).parents[3]
FROZEN = 30.0
"""Seconds."""


class Publisher:
    """A process of its own that publishes one version."""

    def __init__(self, server: S3Server, prefix: str, number: int, folder: Path) -> None:
        folder.mkdir()
        self.begun, log = folder / "begun", folder / "log"
        self.process = WarmProcess(
            "tests.hostile.s3.publisher",
            [
                json.dumps(asdict(server)),
                prefix,
                str(folder / "cache"),
                str(number),
                str(folder / "new"),
                str(self.begun),
            ],
            environment=clean_environment() | {"PYTHONPATH": str(ROOT)},
            cwd=folder,
            stdout=log,
            stderr=log,
        )

    def wait_until_begun(self) -> None:
        while not self.begun.exists():
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.002)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)


def test_a_publisher_that_is_killed(s3_server: S3Server, tmp_path: Path) -> None:
    prefix, client = s3_server.new_prefix(), s3_server.client()
    reader, last = (
        opened(client, s3_server, prefix, tmp_path / name) for name in ("reader", "last")
    )
    publish(last, 0, tmp_path)
    seconds = undisturbed(s3_server, tmp_path)
    in_time = 0
    for turn in range(ROUNDS):
        doomed, after = 2 * turn + 1 + turn % 2, 2 * turn + 1 + (turn + 1) % 2
        with reading(reader) as seen:
            publisher = Publisher(s3_server, prefix, doomed, tmp_path / f"{turn}")
            publisher.wait_until_begun()
            with suppress(subprocess.TimeoutExpired):
                publisher.process.wait(random.Random(turn).uniform(0, 1.1) * seconds)
            publisher.kill()
            in_time += is_held(last)
            publish_after(last, after, tmp_path)
        assert number_of(read_folder(reader.local("gold"))) == after
        assert seen
    # Else nothing would have been tested.
    assert in_time >= ROUNDS // 3, in_time
    print(f"{ROUNDS} rounds, {in_time} killed in time")  # noqa: T201


def undisturbed(server: S3Server, folder: Path) -> float:
    """Return how many seconds a process takes for a publication."""
    publisher = Publisher(server, server.new_prefix(), 4, folder / "undisturbed")
    publisher.wait_until_begun()
    began = time.monotonic()
    assert publisher.process.wait(60) == 0, publisher.process.communicate()
    return time.monotonic() - began


def test_a_server_that_stands_still(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in s3_server.environment.items():
        monkeypatch.setenv(name, text)
    # Its patience is that of the commands.
    client = clients.client("s3", s3_server.config)
    prefix = s3_server.new_prefix()
    storage, reader = (
        opened(client, s3_server, prefix, tmp_path / name) for name in ("writer", "reader")
    )
    publish(storage, 1, tmp_path)
    frozen: list[float] = []

    def freeze() -> None:
        os.killpg(s3_server.pid, signal.SIGSTOP)
        frozen.append(time.monotonic())
        threading.Timer(FROZEN, os.killpg, (s3_server.pid, signal.SIGCONT)).start()

    sleep_at(8, storage, freeze)
    publish(storage, 2, tmp_path)
    assert time.monotonic() - frozen[0] >= FROZEN
    assert number_of(read_folder(reader.local("gold"))) == 2
    publish_after(storage, 3, tmp_path)
