"""What surrounds every request: who may ask, what is logged, and how a connection goes on."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import MutableMapping
from contextlib import suppress
from functools import cache
from http import HTTPStatus
from typing import Any

import click
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from basketwise.redaction import redacted
from basketwise.serving.http.auth import Auth
from basketwise.serving.http.limits import MAX_HEAD, MEBIBYTE, too_many
from basketwise.serving.http.problems import ProblemError, problem_of, problem_type
from basketwise.serving.http.service import Service
from basketwise.terminal import printable

LINGER = 5.0
MAX_LINGER = 64 * MEBIBYTE
"""Seconds and bytes for which a refused body is still read: a connection that is closed with unread
bytes is reset, and the answer may be lost."""

SCORING = frozenset({"/predict", "/invocations"})
"""Paths of which most of a busy server's requests are."""

SILENT = ("/ping", "/health", "/ready", "/metrics")
"""Paths that are asked every few seconds: no line in the log, unless they fail."""

MAX_PATH = 200
"""Characters of a path that are logged."""

REFUSALS = 20
"""Lines about refused requests in a second."""

SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
]


class Guard:
    """Wraps the application: refuses what nobody may ask, turns errors into problems.

    Parameters
    ----------
    app
        The application.
    service
        Of the same.
    auth
        Who may ask.
    log_requests
        Whether every request gets a line on stderr; of those that fail, some always do.
    """

    def __init__(self, app: ASGIApp, service: Service, auth: Auth, *, log_requests: bool) -> None:
        self._app, self._service, self._auth = app, service, auth
        self._log = _Log(every=log_requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._service)
        started = time.perf_counter()
        try:
            try:
                _refuse_head(scope)
                self._auth.check(scope["path"], scope["headers"])
                if not await self._shed(exchange):
                    await self._app(scope, exchange.receive, exchange.send)
            except Exception as error:
                await self._refuse(error, exchange)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", exchange.route)
            self._service.metrics.requested(route, exchange.status, seconds)
            self._log.request(scope["method"], scope["path"], exchange.status, seconds)

    async def _shed(self, exchange: _Exchange) -> bool:
        """Answer 429 to what would find the queue full: a server with too much to do has no time.

        The application would say the same, after several times the work. What is not read yet, it
        has to.
        """
        path = exchange.scope["path"]
        if path not in SCORING or exchange.scope["method"] != "POST":
            return False
        if not self._service.turns.full:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await exchange.receive()
        exchange.route = path
        if exchange.unread:
            raise too_many()
        start, body = _refusal(path)
        await exchange.send(start)
        await exchange.send(body)
        return True

    async def _refuse(self, error: Exception, exchange: _Exchange) -> None:
        problem = problem_of(error)
        path = exchange.scope["path"]
        if not isinstance(error, ProblemError):
            problem = problem_of(error, path)
        if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            click.echo(redacted("".join(traceback.format_exception(error))), err=True)
        if exchange.status:
            # Half of an answer was sent; only an end without a proper close tells.
            raise error
        for message in _messages(problem, path):
            await exchange.send(message)


@cache
def _refusal(path: str) -> tuple[Message, ...]:
    return _messages(too_many(), path)


def _messages(problem: ProblemError, path: str) -> tuple[Message, ...]:
    """Return a problem as the messages of an answer."""
    body = problem.body(path)
    headers = {
        "content-type": problem_type(path),
        "content-length": str(len(body)),
        **problem.headers,
    }
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    start = {"type": "http.response.start", "status": problem.status.value, "headers": encoded}
    return start, {"type": "http.response.body", "body": body}


class _Log:
    """Lines on stderr about requests, not more than somebody could read."""

    def __init__(self, *, every: bool) -> None:
        self._every = every
        self._second, self._lines = 0, 0

    def request(self, method: str, path: str, status: int, seconds: float) -> None:
        failed = status >= HTTPStatus.BAD_REQUEST
        if (self._every and not failed and path not in SILENT) or (failed and self._has_room()):
            shown = path if len(path) <= MAX_PATH else f"{path[:MAX_PATH]}…"
            self._write(f"{method} {shown} {status} {seconds * 1000:.1f} ms")

    def _has_room(self) -> bool:
        """Whether another refusal is logged: whoever sends many must not fill the disk."""
        second = int(time.monotonic())
        if second != self._second:
            if self._lines > REFUSALS:
                self._write(f"{self._lines - REFUSALS:,} more requests were refused")
            self._second, self._lines = second, 0
        self._lines += 1
        return self._lines <= REFUSALS

    def _write(self, line: str) -> None:
        click.echo(printable(redacted(line)), err=True)


class _Exchange:
    """One request and its answer: notes what was read and sent."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, service: Service) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self._service = service
        self.status, self.route = 0, "other"
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        self.unread = length != b"0" or b"transfer-encoding" in headers
        self._waits = headers.get(b"expect", b"").lower() == b"100-continue"

    async def receive(self) -> Message:
        """Receive a part of the body."""
        self._waits = False
        message = await self._receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            self.unread = False
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            closing = self.unread or self._service.draining
            more = SAFE + ([(b"connection", b"close")] if closing else [])
            names = {name for name, _ in message.get("headers", [])}
            own = [(name, value) for name, value in more if name not in names]
            message = {**message, "headers": [*message.get("headers", []), *own]}
        elif self.unread and not self._waits and not message.get("more_body", False):
            # The client has its answer; the end of it follows when it has sent what it sends.
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _linger(self) -> None:
        remaining = MAX_LINGER
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while self.unread and remaining > 0:
                    remaining -= len((await self.receive()).get("body", b""))


def _refuse_head(scope: Scope) -> None:
    """Refuse a head that is too large, and a body of unknown length.

    Where such a body ends, two servers may see differently.
    """
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_HEAD:
        raise ProblemError(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            f"The request's address has more than {MAX_HEAD:,} bytes.",
            "Send less.",
        )
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD:
        raise ProblemError(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"The request's headers have more than {MAX_HEAD:,} bytes.",
            "Send less.",
        )
    if any(name == b"transfer-encoding" for name, _ in scope["headers"]):
        raise ProblemError(
            HTTPStatus.LENGTH_REQUIRED,
            "The request does not state its length.",
            "Send a Content-Length, and the body in one piece.",
        )
