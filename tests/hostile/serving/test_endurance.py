"""A server that is asked for long, told to end, or killed."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from pathlib import Path

import click

from tests.artifact.test_frozen import FROZEN
from tests.hostile.scale import tried
from tests.hostile.serving.load import predict, running, under_load

REQUESTS = tried(500, 50_000)
SETTLED = tried(200, 5_000)
"""Requests after which caches and pools have their size."""
EVERY = tried(50, 250)
"""Requests between two looks at the memory."""
DRIFT = tried(10, 5)
"""MiB."""
ENDINGS = tried(1, 20)
ARCHIVE = str(sorted(FROZEN.glob("*.tar.gz"))[0])


def test_memory_stays_what_it_is(tmp_path: Path) -> None:
    with running("--model", ARCHIVE, log=tmp_path / "log") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        sizes = []
        for number in range(REQUESTS):
            assert predict(connection)[0] == 200
            if number >= SETTLED and number % EVERY == 0:
                sizes.append(server.memory)
        connection.close()
    click.echo(f"{REQUESTS:,} requests: {min(sizes):.1f} to {max(sizes):.1f} MiB")
    assert max(sizes) - min(sizes) <= DRIFT


def test_told_to_end_it_loses_no_request_that_it_took(tmp_path: Path) -> None:
    for _ in range(ENDINGS):
        with running("--model", ARCHIVE, log=tmp_path / "log") as server:
            lost: list[str] = []
            answered: list[int] = []

            def ask(
                port: int = server.port,
                lost: list[str] = lost,
                answered: list[int] = answered,
            ) -> None:
                # A client that is told to close its connection opens no other.
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                try:
                    while True:
                        status, _ = predict(connection)
                        answered.append(status)
                        if connection.sock is None:
                            return
                except (OSError, http.client.HTTPException) as error:
                    lost.append(f"{type(error).__name__}: {error}")

            threads = [threading.Thread(target=ask) for _ in range(8)]
            for thread in threads:
                thread.start()
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(25) == 0
            for thread in threads:
                thread.join(30)
            assert lost == []
            assert set(answered) == {200}


def test_killed_it_is_back_at_once_on_the_same_port(tmp_path: Path) -> None:
    port = 0
    for _ in range(ENDINGS):
        with running("--model", ARCHIVE, log=tmp_path / "log", port=port) as server:
            port = server.port
            with under_load(port, clients=3) as load:
                while len(load.asked) < 30:
                    time.sleep(0.01)
                server.process.kill()
                server.process.wait()
            assert {one.status for one in load.asked} == {200}
