"""A server as a process of its own, and clients that never stop asking it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LINES = [
    {"PROD_CODE": f"PRD{number:07d}", "SPEND": 1.25, "QUANTITY": 1}
    for number in range(900_001, 900_011)
]
BODY = json.dumps({"baskets": [{"basket_id": 7, "lines": LINES}]}).encode()


@dataclass
class Running:
    """A server: its process, where it answers, and where it writes its log."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    @property
    def memory(self) -> float:
        """Resident memory, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextmanager
def running(*arguments: str, log: Path, port: int = 0) -> Iterator[Running]:
    """Start ``basketwise serve``, and kill it in the end."""
    command = [
        sys.executable,
        "-m",
        "basketwise",
        "serve",
        "--port",
        str(port),
        "--json",
        *arguments,
    ]
    with log.open("a") as stderr:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=dict(os.environ)
        )
    assert process.stdout is not None
    try:
        about = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
        yield Running(process, int(about["url"].rpartition(":")[2]), log)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@dataclass(frozen=True)
class Asked:
    """One request: when it was sent and answered (monotonic seconds), and how."""

    sent: float
    answered: float
    status: int
    version: str | None


@dataclass
class Load:
    """What clients asked, and what went wrong."""

    asked: list[Asked] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@contextmanager
def under_load(port: int, clients: int = 4) -> Iterator[Load]:
    """Ask again and again from several threads, each on a connection of its own."""
    load, ended = Load(), threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while not ended.is_set():
            sent = time.monotonic()
            try:
                answer = predict(connection)
            except (OSError, http.client.HTTPException) as error:
                load.lost.append(f"{type(error).__name__}: {error}")
                connection.close()
                time.sleep(0.01)
                continue
            load.asked.append(Asked(sent, time.monotonic(), *answer))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def predict(connection: http.client.HTTPConnection, body: bytes = BODY) -> tuple[int, str | None]:
    """Ask once; returns the status, and the version that answered."""
    connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    document: Any = json.loads(response.read())
    return response.status, document.get("model", {}).get("version")


def seconds_until(condition: Any, *, most: float = 20.0) -> float:
    """Wait for something; returns how long it took, at most so many seconds."""
    started = time.monotonic()
    while not condition() and time.monotonic() - started < most:
        time.sleep(0.005)
    return time.monotonic() - started


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile of some values."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
