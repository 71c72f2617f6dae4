"""What a server takes on, and how it says that it does not."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Event, Semaphore
from typing import Any

import pytest
from polars.exceptions import PanicException

from basketwise.model.scoring import Model
from basketwise.serving.http import service
from basketwise.serving.http.bounds import Bounds
from basketwise.serving.http.limits import Limits
from basketwise.serving.http.served import Current, Served
from basketwise.serving.http.service import Service
from tests.serving.http.client import EXAMPLE, LIMIT, head, invoke, send, served, serving, talk

PING = b"GET /ping HTTP/1.1\r\nHost: here\r\n"


class Held:
    """A model that scores when it is let."""

    def __init__(self, model: Any) -> None:
        self.model, self.let, self.scoring = model, Event(), Semaphore(0)

    def predict_proba(self, X: object) -> Any:
        self.scoring.release()
        assert self.let.wait(30)
        return self.model.predict_proba(X)


@contextmanager
def holding(scorer: Model, **limits: Any) -> Iterator[tuple[int, Held, Service]]:
    """Serve a model that is then held."""
    held = Held(scorer.estimator)
    held.let.set()
    model = Served(replace(scorer, estimator=held))
    desk = Service(Current(model), replace(Limits(), **limits))
    with serving(desk) as port:
        assert invoke(port, EXAMPLE)[0] == 200
        held.let.clear()
        held.scoring = Semaphore(0)
        try:
            yield port, held, desk
        finally:
            held.let.set()


def test_what_finds_the_queue_full_is_429_at_once(scorer: Model) -> None:
    with (
        holding(scorer, concurrency=1, waiting=1) as (port, held, desk),
        ThreadPoolExecutor(2) as pool,
    ):
        first = pool.submit(invoke, port, EXAMPLE)
        assert held.scoring.acquire(timeout=20)
        second = pool.submit(invoke, port, EXAMPLE)
        deadline = time.monotonic() + 20
        while not desk.turns.waiting:
            assert time.monotonic() < deadline
        kind = {"Content-Type": "application/json"}
        status, headers, _ = send(port, "POST", "/predict", EXAMPLE, **kind)
        assert (status, headers["Retry-After"]) == (429, "1")
        held.let.set()
        assert [first.result()[0], second.result()[0]] == [200, 200]


def test_what_is_shed_is_told_so_by_each_contract_and_keeps_its_connection(scorer: Model) -> None:
    with (
        ThreadPoolExecutor(1) as pool,
        holding(scorer, concurrency=1, waiting=0) as (port, held, desk),
    ):
        first = pool.submit(invoke, port, EXAMPLE)
        assert held.scoring.acquire(timeout=20)
        kind = {"Content-Type": "application/json"}
        own = send(port, "POST", "/predict", EXAMPLE, **kind)
        theirs = send(port, "POST", "/invocations", EXAMPLE, **kind)
        for status, headers, _ in (own, theirs):
            assert (status, headers["Retry-After"]) == (429, "1")
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "Connection" not in headers
        assert own[1]["Content-Type"] == "application/problem+json"
        assert json.loads(own[2])["detail"] == "Too many requests at a time."
        assert json.loads(theirs[2])["error"] == "Too many requests at a time."
        # Two requests on one connection, of which the second does not send its whole body.
        start = head(f"Content-Length: {len(EXAMPLE)}")
        said = talk(port, start + EXAMPLE, start + EXAMPLE[:5], pause=0.3, end=True)
        assert said.count(b"HTTP/1.1 429 ") == 2
        assert b"connection: close" in said.lower()
        counted = desk.metrics.text().decode()
        assert 'basketwise_requests_total{code="429",route="/invocations"} 3.0' in counted
        held.let.set()
        assert first.result()[0] == 200


def test_a_request_that_takes_too_long_is_503_and_keeps_its_turn(scorer: Model) -> None:
    with holding(scorer, concurrency=1, waiting=0, seconds=0.3) as (port, held, _):
        status, answer = invoke(port, EXAMPLE)
        assert status == 503
        assert "longer than 0.3 seconds" in answer["error"]
        assert invoke(port, EXAMPLE)[0] == 429, "its thread is still at work"
        held.let.set()
        deadline = time.monotonic() + 20
        while invoke(port, EXAMPLE)[0] != 200:
            assert time.monotonic() < deadline


@pytest.mark.parametrize(
    "route",
    ["/predict", "/invocations", "/v2/models/retail-price-sensitivity-models/infer"],
)
def test_too_many_baskets_are_413(scorer: Model, route: str) -> None:
    body = json.dumps({"baskets": [{"basket_id": n, "lines": [{}]} for n in range(5)]}).encode()
    bounds: Any = Bounds(baskets=2, lines=2)
    with served(scorer, bounds=bounds) as port:
        answer = send(port, "POST", route, body, **{"Content-Type": "application/json"})
    assert answer[0] == 413
    assert b"more than 4 lines and baskets" in answer[2]


def test_a_head_that_trickles_is_408(scorer: Model) -> None:
    with served(scorer, head_seconds=0.3) as port:
        result = talk(port, *[bytes([byte]) for byte in PING], pause=0.02)
        assert result.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in result
        # Of a connection that sends nothing too, and of the second request on one.
        assert talk(port).startswith(b"HTTP/1.1 408 ")
        result = talk(port, PING + b"\r\n", PING, pause=0.1)
        assert result.startswith(b"HTTP/1.1 200 ")
        assert b"HTTP/1.1 408 " in result


def test_connections_are_bounded(scorer: Model) -> None:
    with served(scorer, connections=3) as port, ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        deadline = time.monotonic() + 20
        while not (result := talk(port, PING + b"Connection: close\r\n\r\n")).startswith(
            b"HTTP/1.1 503 "
        ):
            assert time.monotonic() < deadline
        assert b"Retry-After: 1\r\n" in result
        stack.close()
        while not talk(port, PING + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 "):
            assert time.monotonic() < deadline


def test_bodies_that_are_sent_at_a_time_are_bounded_together(scorer: Model) -> None:
    with served(scorer, bodies=LIMIT + 5_000) as port, ExitStack() as stack:
        first = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        first.sendall(head(f"Content-Length: {LIMIT}") + b" " * (LIMIT - 1))
        deadline = time.monotonic() + 20
        body = b" " * 10_000
        while (status := invoke(port, body)[0]) != 503:
            assert status == 400
            assert time.monotonic() < deadline
        first.sendall(b"}")
        assert first.recv(100).startswith(b"HTTP/1.1 400 ")
        assert invoke(port, EXAMPLE)[0] == 200


def test_a_panic_of_a_library_costs_one_request(
    port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def panics(*_: object) -> Any:
        raise PanicException("index out of bounds")

    with monkeypatch.context() as patched:
        patched.setattr(service, "read_request", panics)
        status, answer = invoke(port, EXAMPLE)
    assert status == 500
    assert "index" not in json.dumps(answer)
    assert "index out of bounds" in capsys.readouterr().err
    assert invoke(port, EXAMPLE)[0] == 200


def test_refusals_do_not_fill_the_log(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(60):
        assert invoke(port, b"{")[0] == 400
    time.sleep(1.1)
    assert invoke(port, b"{")[0] == 400
    log, deadline = "", time.monotonic() + 20
    # It is written after the answer is sent.
    while "more requests were refused" not in (log := log + capsys.readouterr().err):
        assert time.monotonic() < deadline
    assert log.count("POST /invocations 400") < 60


def test_a_long_path_is_logged_by_its_beginning(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(port, "GET", "/" + "x" * 10_000, b"")[0] == 404
    log, deadline = "", time.monotonic() + 20
    while " 404 " not in (log := log + capsys.readouterr().err):
        assert time.monotonic() < deadline
    assert f"GET /{'x' * 199}… 404 " in log


SMUGGLED = b"GET /health HTTP/1.1\r\nHost: here\r\n\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 0\r\nContent-Length: %d\r\n",
        b"Content-Length : %d\r\n",
        b" folded\r\nContent-Length: %d\r\n",
        b"bad header\r\nContent-Length: %d\r\n",
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nX: %d\r\n",
        b"Transfer-Encoding: x\r\nX: %d\r\n",
        b"X: \x00%d\r\n",
        b"Content-Length: %d\nX: y\r\n",
    ],
)
@pytest.mark.parametrize("start", [b"GET /ping", b"POST /invocations"])
def test_what_two_servers_may_read_differently_is_answered_once(
    port: int, start: bytes, lines: bytes
) -> None:
    sent = start + b" HTTP/1.1\r\nHost: here\r\n" + lines % len(SMUGGLED) + b"\r\n" + SMUGGLED
    result = talk(port, sent, end=True)
    assert result.count(b"HTTP/1.1 ") == 1
    assert b'"ok"' not in result


def test_the_head_of_a_request_is_bounded(port: int) -> None:
    result = talk(port, PING + b"X: " + b"x" * 40_000 + b"\r\n\r\n", end=True)
    assert result.startswith(b"HTTP/1.1 431 ")
    result = talk(port, b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: here\r\n\r\n", end=True)
    assert result.startswith(b"HTTP/1.1 414 ")
    # As long as it is not complete, h11 bounds it.
    result = talk(port, PING + b"X: " + b"x" * 40_000, pause=0.1, end=True)
    assert result.startswith(b"HTTP/1.1 400 ")
