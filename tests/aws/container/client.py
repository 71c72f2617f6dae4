"""An endpoint of the small sample's model, and ways of asking it."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from basketwise.aws.container.serving import Endpoint
from basketwise.model.scoring import Model

LIMIT = 20_000
Answer = tuple[int, dict[str, Any]]


@contextmanager
def served(scorer: Model | None, queue: float = 30.0) -> Iterator[int]:
    with Endpoint(("127.0.0.1", 0), scorer, LIMIT, queue) as endpoint:
        thread = Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield endpoint.server_address[1]
        finally:
            endpoint.shutdown()
            thread.join()


def send_request(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, names)
        response = connection.getresponse()
        assert response.headers["Content-Type"] == "application/json"
        return response.status, json.loads(response.read())
    finally:
        connection.close()


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
    start = ("POST /invocations HTTP/1.1", "Content-Type: application/json", *lines)
    return "".join(f"{line}\r\n" for line in (*start, "")).encode()
