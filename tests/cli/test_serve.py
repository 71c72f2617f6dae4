"""``basketwise serve``, as a process."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from basketwise.serving.http.auth import VARIABLE
from basketwise.serving.http.server import listen
from tests.cli.calling import call
from tests.evaluation.running import Evaluated
from tests.serving.http.client import EXAMPLE

TOKEN = "an example of a token"


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """Start a server on a free port; gives the process, and what it prints about itself."""
    process = subprocess.Popen(
        [sys.executable, "-m", "basketwise", "serve", "--port", "0", "--json", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = "".join(iter(process.stdout.readline, "}\n")) + "}"
        yield process, json.loads(lines)
    finally:
        process.kill()
        process.communicate()


def ask(url: str, path: str, body: bytes | None = None, token: str = "") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Content-Type": "application/json"} if body else {}
        connection.request("POST" if body else "GET", path, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_an_archive_is_served_until_sigterm(evaluated: Evaluated) -> None:
    with running("--model", str(evaluated.archive), **{VARIABLE: TOKEN}) as (process, about):
        url = about["url"]
        assert about["version"] is None
        assert ask(url, "/ready")[0] == 200
        status, problem = ask(url, "/predict", EXAMPLE)
        assert (status, problem["title"]) == (401, "Unauthorized")
        status, answer = ask(url, "/predict", EXAMPLE, TOKEN)
        assert status == 200
        assert answer["model"] == {"version": None, "sha256": about["sha256"]}
        assert ask(url, "/model/info", token=TOKEN)[1]["sha256"] == about["sha256"]
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=25)
        assert process.returncode == 0, log
        assert time.monotonic() - told < 10
    assert "POST /predict 401" in log
    assert TOKEN not in log


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--host", "192.0.2.1"), "Anybody who reaches 192.0.2.1 could ask"),
        (("--token-file", "gone"), "'gone' cannot be read"),
        (("--model", "gone.tar.gz"), "There is no model at 'gone.tar.gz'"),
    ],
)
def test_what_cannot_be_served_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = call("serve", *arguments)
    assert (outcome.code, expected in outcome.err) == (2, True), outcome.err


def test_in_this_process_it_serves_logs_and_ends(
    evaluated: Evaluated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listen("127.0.0.1", 0) as free:
        port = int(free.getsockname()[1])
    # A thread that is still at its end would end this process.
    monkeypatch.setattr("basketwise.cli.serve.os._exit", lambda code: None)
    answers: list[int] = []

    def use() -> None:
        url = f"http://127.0.0.1:{port}"
        for _ in range(400):
            with suppress(OSError):
                if ask(url, "/ready")[0] == 200:
                    break
            time.sleep(0.05)
        else:
            return
        answers.append(ask(url, "/predict", EXAMPLE)[0])
        os.kill(os.getpid(), signal.SIGTERM)

    thread = Thread(target=use)
    thread.start()
    log = tmp_path / "log"
    outcome = call(
        *("serve", "--model", str(evaluated.archive), "--port", str(port), "--json"),
        *("--prediction-log", str(log), "--concurrency", "2", "--log-requests"),
    )
    thread.join()
    assert outcome.code == 0, outcome.err
    assert answers == [200]
    assert outcome.json["url"] == f"http://127.0.0.1:{port}"
    assert "POST /predict 200" in outcome.err
    assert len(list(log.glob("predictions-*.parquet"))) == 1


def test_workers_answer_on_one_port_and_end_together(
    evaluated: Evaluated,
) -> None:
    with running("--model", str(evaluated.archive), "--workers", "2") as (process, about):
        url = about["url"]
        workers = children_of(process.pid)
        assert len(workers) == 2
        assert ask(url, "/predict", EXAMPLE)[0] == 200
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        assert process.returncode == 0, log
    assert not any(is_alive(pid) for pid in workers)


def test_workers_end_with_their_parent(evaluated: Evaluated) -> None:
    with running("--model", str(evaluated.archive), "--workers", "2") as (process, _):
        workers = children_of(process.pid)
        process.kill()
        for _ in range(300):
            if not any(is_alive(pid) for pid in workers):
                break
            time.sleep(0.05)
    assert len(workers) == 2
    assert not any(is_alive(pid) for pid in workers)


def children_of(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True
    )
    return [int(text) for text in listed.stdout.split()]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
