"""The script that tries a new deployment, against servers that answer rightly and otherwise."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from basketwise.deploy.approved import ApprovedModel
from basketwise.deploy.smoke_test import smoke_test

TOKEN = "0123456789abcdef"
Answer = Callable[[str, dict[str, Any]], tuple[int, Any]]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """Serve answers to a token and a request, each with its status."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/predict"
            status, document = answer(self.headers.get("Authorization", ""), json.loads(body))
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        Thread(target=listening.serve_forever, args=(0.01,)).start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()


@pytest.fixture
def script(model: ApprovedModel, tmp_path: Path) -> Path:
    for name, text in smoke_test(model).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "smoke_test.py"


def run(script: Path, address: str, seconds: float = 0.2) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-I", str(script), address],
        env={"BASKETWISE_SERVE_TOKEN": TOKEN, "SMOKE_TEST_SECONDS": str(seconds)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def right(model: ApprovedModel) -> dict[str, Any]:
    identity = {"version": model.version, "sha256": model.sha256}
    return {"model": identity, "predictions": json.loads(json.dumps(model.example.answer))}


def test_the_right_answer_is_taken(model: ApprovedModel, script: Path) -> None:
    asked = []

    def answer(token: str, request: dict[str, Any]) -> tuple[int, Any]:
        asked.append((token, request))
        # It is still starting when it is first asked.
        return (200, right(model)) if len(asked) > 1 else (503, {})

    with server(answer) as address:
        assert run(script, f"{address}/", seconds=5) == (
            0,
            f"{address}/ serves version 1, and answers as it did when approved.\n",
        )
    assert asked == [(f"Bearer {TOKEN}", model.example.request)] * 2


@pytest.mark.parametrize("name", ["p_low", "predicted_sensitivity", "basket_id"])
def test_another_answer_is_found(model: ApprovedModel, script: Path, name: str) -> None:
    wrong = right(model)
    value = wrong["predictions"][0][name]
    wrong["predictions"][0][name] = value + 1e-6 if isinstance(value, float) else f"{value}?"
    with server(lambda *_: (200, wrong)) as address:
        code, message = run(script, address)
    assert code == 1
    assert message.startswith("It answers ")


def test_another_model_is_found(model: ApprovedModel, script: Path) -> None:
    other = right(model) | {"model": {"version": "1", "sha256": "0" * 64}}
    with server(lambda *_: (200, other)) as address:
        code, message = run(script, address)
    assert (code, message) == (1, f"It serves sha256 {'0' * 64}, not {model.sha256}.\n")


@pytest.mark.parametrize("status", [401, 500, 503])
def test_no_answer_says_nothing_about_the_model(script: Path, status: int) -> None:
    with server(lambda *_: (status, {})) as address:
        code, message = run(script, address)
    assert code == 2
    assert f"does not answer: HTTP Error {status}" in message


def test_nobody_there_says_nothing_about_the_model(script: Path) -> None:
    with server(lambda *_: (200, {})) as address:
        pass
    assert run(script, address)[0] == 2
