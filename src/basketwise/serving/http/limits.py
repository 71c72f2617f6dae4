"""What a server takes on: sizes, times, and how many requests are worked on or wait."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from basketwise.serving.http.bounds import Bounds
from basketwise.serving.http.problems import ProblemError

MEBIBYTE = 2**20
MAX_HEAD = 32_768
"""Bytes of a request's head."""

LINES_PER_MEBIBYTE = 20_000
"""A line of JSON with the required columns alone takes some 45 bytes."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


@dataclass(frozen=True)
class Limits:
    """Bounds of a server and of each request.

    Attributes
    ----------
    body
        Bytes of a request's body.
    concurrency
        Requests that are parsed and scored at a time.
    waiting
        Requests that may wait for their turn; one more is answered 429.
    wait_seconds
        How long they are to wait, by how fast others are answered; fewer may wait, but not less
        than half, if it would be longer.
    queue_seconds
        How long they wait at most, before they are answered 503.
    seconds
        How long a request may take from its turn on, before it is answered 503.
    head_seconds, body_seconds
        How long a client may take to send a request's head, and its body.
    connections
        Open connections; one more is answered 503 and closed.
    bodies
        Bytes of all bodies that are in memory at a time.
    bounds
        Baskets and lines of a request.
    """

    body: int = 25 * MEBIBYTE
    concurrency: int = field(default_factory=lambda: min(4, max(2, os.cpu_count() or 2)))
    waiting: int = 16
    wait_seconds: float = 0.025
    queue_seconds: float = 30.0
    seconds: float = 60.0
    head_seconds: float = 10.0
    body_seconds: float = 60.0
    connections: int = 512
    bodies: int = 200 * MEBIBYTE
    bounds: Bounds = field(default_factory=Bounds)


def bounds_of(body: int) -> Bounds:
    """Return how many baskets and lines fit into bodies of a number of bytes."""
    lines = max(1, body // MEBIBYTE) * LINES_PER_MEBIBYTE
    return Bounds(baskets=lines // 5, lines=lines)


class Bodies:
    """Reads bodies, as many at a time as memory allows."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    async def read(self, receive: Receive, length: int) -> bytes:
        """Read a body whose length is stated.

        Raises
        ------
        ProblemError
            If it takes too long, ends too early, or there is no room for it now.
        """
        chunks, held = list[bytes](), 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                more = True
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        break
                    chunk = message.get("body", b"")
                    held += len(chunk)
                    self._held += len(chunk)
                    if self._held > self._limits.bodies:
                        raise later(
                            HTTPStatus.SERVICE_UNAVAILABLE,
                            "Too many large requests at a time.",
                            "Send it again later.",
                        )
                    chunks.append(chunk)
                    more = message.get("more_body", False)
        except TimeoutError as error:
            raise ProblemError(
                HTTPStatus.REQUEST_TIMEOUT, "The body takes too long.", "Send it faster."
            ) from error
        finally:
            self._held -= held
        if held < length:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST,
                "The body ends too early.",
                f"It has {held:,} of the {length:,} bytes that the request states.",
            )
        return b"".join(chunks)


def content_length(headers: list[tuple[bytes, bytes]], limit: int) -> int:
    """Return the length of a body that may be sent, else refuse it unread.

    Raises
    ------
    ProblemError
        If it is not stated, or too large.
    """
    lengths = {value for name, value in headers if name == b"content-length"}
    if any(name == b"transfer-encoding" for name, _ in headers) or not lengths:
        raise ProblemError(
            HTTPStatus.LENGTH_REQUIRED,
            "The request does not state its length.",
            "Send a Content-Length, and the body in one piece.",
        )
    text = lengths.pop().decode("latin-1")
    if lengths or not (text.isascii() and text.isdecimal()):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "The Content-Length is not a whole number.")
    if len(text) > 18 or int(text) > limit:
        raise ProblemError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The body has {text[:18]} bytes.",
            f"Send at most {limit:,} bytes at a time.",
        )
    return int(text)


def too_many() -> ProblemError:
    """Return the refusal of a request that nothing is wrong with, but that there are others."""
    return later(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests at a time.",
        "Send it again later, or several baskets in one request.",
    )


def later(status: HTTPStatus, headline: str, hint: str) -> ProblemError:
    """Return the refusal of a request that can be answered later."""
    return ProblemError(status, headline, hint, {"Retry-After": "1"})
