"""One connection: as uvicorn has it, with bounds on its number and on how long a head takes."""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from basketwise.serving.http.bodies import Rest, large_length, without_body
from basketwise.serving.http.limits import Limits
from basketwise.serving.http.problems import PROBLEM, problem

LINGER = 2.0
"""Seconds for which a connection that is refused is still read, see :mod:`.guard`."""

LAST_HEAD = 1.0
"""Seconds for which the first request of a connection is still awaited when the server ends."""


class Connection(H11Protocol):
    """A connection that ends by itself, whatever its client does."""

    limits = Limits()
    _head_timer: asyncio.TimerHandle | None = None
    _refused = False
    _is_last = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        self._rest = Rest()
        super().connection_made(cast("asyncio.Transport", Joining(transport, self.loop)))
        if len(self.connections) > self.limits.connections:
            self._refuse(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "There are too many connections.",
                "Connect again later.",
                "Retry-After: 1\r\n",
            )
        else:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Take what was sent."""
        if self._refused:
            return
        if self._rest.missing:
            data = self._rest.take(data)
            if self._rest.is_part:
                self._hand_over()
            if not data:
                return
        if not self._is_busy() and self._head_timer is None:
            self._expect_head()
        before = self.cycle
        super().data_received(data)
        if self._is_busy():
            self._stop_timer()
            if self._is_last:
                self.cycle.keep_alive = False
            if self.cycle is not before and self.cycle.more_body:
                self._pass_by()

    def _pass_by(self) -> None:
        """Let the rest of a large body pass h11 by; the application has not started yet."""
        scope = self.cycle.scope
        length = large_length(scope["headers"])
        if length:
            head = (scope["method"], scope["http_version"], scope["headers"])
            self.conn = self.cycle.conn = without_body(*head)
            self._rest.missing = length - len(self.cycle.body)

    def _hand_over(self) -> None:
        """Let the application have what was taken of a large body."""
        cycle = self.cycle
        if cycle.body:
            # It has not even taken what came before.
            self.flow.pause_reading()
        # uvicorn makes bytes of it, and an empty bytearray afterwards: bytes are not copied again.
        cycle.body = self._rest.joined(cycle.body)  # type: ignore[assignment]
        cycle.more_body = self._rest.missing > 0
        cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Go on with the next request, if the body was read to its end."""
        if self._rest.missing:
            # What is still to come would be taken for a request.
            self.transport.close()
        super().on_response_complete()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Let a client that sends no more still have its answer."""
        if not self._is_busy():
            # The loop closes its own transport, which knows nothing of what waits to be sent.
            cast("Joining", self.transport).flush()
            return self._refused
        self.cycle.keep_alive = False
        if self.cycle.more_body:
            self._hand_over()
            # The application sees by the length that the body is cut off.
            self.cycle.more_body = False
            self.cycle.message_event.set()
        return True

    def shutdown(self) -> None:
        """End, as the server does; a connection that is new has its request under way."""
        if self.cycle is None and not self._refused:
            self._is_last = True
            self.loop.call_later(LAST_HEAD, self._close_unless_busy)
        else:
            super().shutdown()

    def _close_unless_busy(self) -> None:
        if not self._is_busy():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection that is closed."""
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, as the application refuses."""
        # uvicorn calls this while it handles what h11 has found.
        found = sys.exception()
        detail = f"The request is not valid HTTP: {found}." if found else msg
        if self._is_busy():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        self._refuse(HTTPStatus.BAD_REQUEST, detail, "Send HTTP/1.1.")

    def _is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.head_seconds, self._head_is_late)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self._is_busy() and not self.transport.is_closing():
            self._refuse(
                HTTPStatus.REQUEST_TIMEOUT, "The request's head takes too long.", "Send it faster."
            )

    def _refuse(self, status: HTTPStatus, headline: str, hint: str, more: str = "") -> None:
        """Answer without the application, and close the connection."""
        self._stop_timer()
        self._refused = True
        body = problem(status, headline, hint)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {PROBLEM}\r\n"
            f"Content-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)


class Joining:
    """A transport that sends at once what is written at once: a head, and its body.

    Each sending is a call of the system, which takes a part of the time of a short answer.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._written: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        """Do all else as the transport does."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send with the next turn of the loop."""
        if not self._written:
            self._loop.call_soon(self.flush)
        self._written.append(data)

    def write_eof(self) -> None:
        """Send what is written, and that it was all."""
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Send what is written, and close."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Send what is written."""
        if self._written:
            self._transport.write(b"".join(self._written))
            self._written.clear()


def connection_type(bounds: Limits) -> type[Connection]:
    """Return the connections of a server with these limits."""
    return type("BoundedConnection", (Connection,), {"limits": bounds})
