"""A server of the small sample's model, and ways of asking it."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread
from typing import Any

from basketwise.model.scoring import Model
from basketwise.serving.http.app import create_app
from basketwise.serving.http.auth import Auth
from basketwise.serving.http.limits import Limits
from basketwise.serving.http.served import Current, Served
from basketwise.serving.http.server import Server, listen
from basketwise.serving.http.service import Service

LIMIT = 20_000
_LINE = {"PROD_CODE": "EXAMPLE", "SPEND": 0.5, "QUANTITY": 1}
EXAMPLE = json.dumps({"baskets": [{"basket_id": "example", "lines": [_LINE]}]}).encode()
Answer = tuple[int, dict[str, Any]]


@contextmanager
def serving(service: Service, auth: Auth | None = None) -> Iterator[int]:
    """Serve in a thread; gives the port."""
    limits = service.limits
    server, sock, started = (
        Server(create_app(service, auth), service, limits),
        listen("127.0.0.1", 0),
        Event(),
    )
    thread = Thread(target=server.serve_on, args=(sock, started.set))
    thread.start()
    try:
        assert started.wait(30)
        yield int(sock.getsockname()[1])
    finally:
        server.end()
        thread.join()


@contextmanager
def served(scorer: Model | None, queue: float = 30.0, **limits: Any) -> Iterator[int]:
    """Serve a model, with small bodies."""
    bounds = replace(
        Limits(body=LIMIT, concurrency=4, waiting=100, queue_seconds=queue),
        **limits,
    )
    current = Current(Served(scorer) if scorer else None)
    with serving(Service(current, bounds)) as port:
        yield port


def send_request(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, names)
        response = connection.getresponse()
        own = path.partition("?")[0] not in ("/ping", "/invocations")
        kind = "application/problem+json" if own else "application/json"
        assert response.headers["Content-Type"] == kind
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def send(
    port: int, method: str, path: str, body: bytes | None, **headers: str
) -> tuple[int, Mapping[str, str], bytes]:
    """Send a request; returns the answer as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        named = {name.title(): value for name, value in response.headers.items()}
        return response.status, named, response.read()
    finally:
        connection.close()


def ask(port: int, path: str) -> Any:
    """Return the JSON at a path."""
    status, _, body = send(port, "GET", path, None)
    assert status == 200
    return json.loads(body)


def invoke(port: int, body: bytes, kind: str = "application/json") -> Answer:
    return send_request(port, "POST", "/invocations", body, Content_Type=kind)


def talk(port: int, *parts: bytes, pause: float = 0.0, end: bool = False) -> bytes:
    """Send parts as they are; returns all that comes back until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        if end:
            connection.shutdown(socket.SHUT_WR)
        result = b""
        while got := connection.recv(65_536):
            result += got
    return result


def head(*lines: str) -> bytes:
    start = ("POST /invocations HTTP/1.1", "Host: here", "Content-Type: application/json", *lines)
    return "".join(f"{line}\r\n" for line in (*start, "")).encode()
