"""One HTTP connection to an endpoint: reading its requests, refusing invalid ones."""

from __future__ import annotations

import socket
import time
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

import click
from polars.exceptions import PanicException

from basketwise.aws.container.answering import (
    CONTENT_TYPES,
    JSON,
    media_type,
    refusal,
    write_answer,
)
from basketwise.errors import DependencyError, InputError
from basketwise.redaction import redacted
from basketwise.terminal import printable

TIMEOUT_SECONDS = 60.0
"""Seconds that a connection may be silent, and that a body may take."""

CHUNK = 65_536
LINGER = 5.0
MAX_LINGER = 64 * 2**20
"""Seconds and bytes for which a refused body is still read, see :meth:`Connection._linger`."""

NO_SUCH_PATH = "The only paths are /ping and /invocations."


class RefusedError(Exception):
    """Why a body is not read: HTTP status, headline, hint."""


class Served(Protocol):
    """The server of a connection."""

    limit: int

    def is_healthy(self) -> bool:
        """Whether a model is loaded, and scores."""

    def answer(self, body: bytes, content_type: str) -> dict[str, Any]:
        """Score a request's baskets."""


class Connection(BaseHTTPRequestHandler):
    """Answers ``/ping`` and ``/invocations``, always with JSON."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Basketwise", ""
    timeout = TIMEOUT_SECONDS
    server: Served  # type: ignore[assignment]

    def do_GET(self) -> None:
        """Answer ``/ping``."""
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            # An unread body would be parsed as the next request.
            self.close_connection = True
        if self.path.partition("?")[0] != "/ping":
            self._refuse(HTTPStatus.NOT_FOUND, NO_SUCH_PATH)
        elif self.server.is_healthy():
            self._send(HTTPStatus.OK, b"{}\n")
        else:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "No working model is loaded.")

    def do_POST(self) -> None:
        """Answer ``/invocations``."""
        content_type = self.headers.get("Content-Type", "")
        try:
            body = self._body(self._length(content_type))
        except RefusedError as error:
            self._refuse(*error.args)
            return
        try:
            text = write_answer(self.server.answer(body, content_type))
        except InputError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, error.headline, error.hint)
        except DependencyError as error:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, error.headline, error.hint)
        except (Exception, PanicException):
            click.echo(traceback.format_exc(), err=True)
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "The baskets could not be scored.")
        else:
            self._send(HTTPStatus.OK, text.encode())

    def _length(self, content_type: str) -> int:
        """Return the length of a body that may be sent; else refuse it unread."""
        if self.path.partition("?")[0] != "/invocations":
            raise RefusedError(HTTPStatus.NOT_FOUND, NO_SUCH_PATH)
        hint = f"Send {' or '.join(CONTENT_TYPES)}, in UTF-8, not compressed."
        if media_type(content_type) is None:
            headline = f"The content type {content_type!r} is not supported."
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, headline, hint)
        coding = self.headers.get("Content-Encoding", "identity")
        if coding.lower() != "identity":
            headline = f"The content encoding {coding!r} is not supported."
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, headline, hint)
        lengths = set(self.headers.get_all("Content-Length", []))
        if "Transfer-Encoding" in self.headers or not lengths:
            raise RefusedError(
                HTTPStatus.LENGTH_REQUIRED,
                "The request does not state its length.",
                "Send a Content-Length, and the body in one piece.",
            )
        text = lengths.pop()
        if lengths or not text.isdecimal():
            raise RefusedError(HTTPStatus.BAD_REQUEST, "The Content-Length is not a whole number.")
        if len(text) > 18 or int(text) > self.server.limit:
            raise RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The body has {text[:18]} bytes.",
                f"Send at most {self.server.limit:,} bytes at a time.",
            )
        return int(text)

    def _body(self, length: int) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            super().handle_expect_100()
        body, deadline = bytearray(), time.monotonic() + self.timeout
        while len(body) < length:
            chunk = self.rfile.read1(min(length - len(body), CHUNK))
            if not chunk:
                raise RefusedError(HTTPStatus.BAD_REQUEST, "The body ends too early.")
            body += chunk
            if time.monotonic() > deadline:
                raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, "The body takes too long.")
        return bytes(body)

    def handle_expect_100(self) -> bool:
        """Let the client wait until its headers are checked."""
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a malformed or unknown request."""
        self._refuse(HTTPStatus(code), message or HTTPStatus(code).phrase)

    def _refuse(self, status: HTTPStatus, headline: str, hint: str = "") -> None:
        # The rest of an unread body would be parsed as the next request.
        self.close_connection = True
        self._send(status, refusal(headline, hint))

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", JSON)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        if self.close_connection:
            self._linger()

    def _linger(self) -> None:
        """Read what still arrives, for a moment.

        A connection that is closed with unread bytes is reset, and the response may be lost.
        """
        remaining, deadline = MAX_LINGER, time.monotonic() + LINGER
        try:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(1.0)
            while remaining > 0 and time.monotonic() < deadline:
                received = len(self.connection.recv(CHUNK))
                if not received:
                    return
                remaining -= received
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Log requests to stderr, except for the pings that come every few seconds."""
        if not getattr(self, "path", "").startswith("/ping"):
            click.echo(printable(redacted(format % args)), err=True)
