from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest

from basketwise.serving.http import workers
from basketwise.serving.http.workers import inherited_socket, is_announcing, run_workers

WRITES = """
import os, sys, time
name = os.environ["BASKETWISE_SERVE_FIRST"] or "0"
open(os.path.join(sys.argv[1], f"{os.getpid()}-{name}"), "w").close()
seconds = 60
if name == "0":
    try:
        open(sys.argv[2], "x").close()
        seconds = 0.2
    except FileExistsError:
        pass
time.sleep(seconds)
"""


def test_one_that_ends_by_itself_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "SOON_SECONDS", 0.0)
    said: list[str] = []
    started = tmp_path / "started"
    started.mkdir()

    def end() -> None:
        for _ in range(400):
            if len(list(started.iterdir())) >= 3:
                break
            threading.Event().wait(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end, daemon=True).start()
    with socket.socket() as sock:
        command = [sys.executable, "-c", WRITES, str(started), str(tmp_path / "ended")]
        assert run_workers(sock, 2, command, said.append) == 0
    names = [path.name.partition("-") for path in started.iterdir()]
    # Two at first and one for the one that ended; the first alone announces.
    assert len(names) == 3
    assert sorted(first for _, _, first in names) == ["0", "0", "1"]
    assert "another one is started" in said[0]


def test_one_that_cannot_start_ends_all(tmp_path: Path) -> None:
    with socket.socket() as sock:
        command = [sys.executable, "-c", "raise SystemExit(3)"]
        assert run_workers(sock, 2, command, pytest.fail) == 3


def test_any_other_process_has_no_socket_and_announces(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inherited_socket() is None
    assert is_announcing()
    monkeypatch.setenv(workers.SOCKET, "7")
    assert not is_announcing()
