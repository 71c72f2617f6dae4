"""A real MLflow server on a free port of this machine, for as long as a block lasts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

STARTS_WITHIN = 120.0
STOPS_WITHIN = 10.0


@dataclass(frozen=True)
class Server:
    """Where the server answers, and where it keeps its files."""

    uri: str
    artifacts: Path
    pid: int


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running_server(folder: Path, *, database: Path | None = None) -> Iterator[Server]:
    """Run ``mlflow server`` on a database and files below ``folder``; stop it with its children.

    Parameters
    ----------
    folder
        Gets ``server.log``, ``artifacts/`` and, unless ``database`` names another, ``server.db``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, artifacts, log = free_port(), folder / "artifacts", folder / "server.log"
    command = [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{database or folder / 'server.db'}"),
        *("--artifacts-destination", str(artifacts)),
    ]
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONWARNINGS": "ignore",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        uri = f"http://127.0.0.1:{port}"
        _wait(process, uri, log)
        yield Server(uri, artifacts, process.pid)
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], uri: str, log: Path) -> None:
    end = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"mlflow server ended at once:\n{log.read_text()}")
        with suppress(URLError, OSError), urlopen(f"{uri}/health", timeout=2) as answer:  # noqa: S310
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise RuntimeError(f"mlflow server did not come up:\n{log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    # It leads a process group of its own, so its workers go with it.
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOPS_WITHIN)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
