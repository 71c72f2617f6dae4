"""Large bodies go past h11, which copies each piece of a body several times.

h11 reads the head, and is then told that the request has no body: what follows is counted by the
stated length, as h11 would, and is handed to the application in fewer pieces.
"""

from __future__ import annotations

from collections.abc import Iterable

import h11

from basketwise.serving.http.limits import MAX_HEAD

LARGE = 2**17
"""Bytes of a body from which on it goes past h11."""

PART = 2**18
"""Bytes that are handed over together, so that the application is not woken for each piece."""

_TE, _LENGTH, _EXPECT = b"transfer-encoding", b"content-length", b"expect"

Headers = Iterable[tuple[bytes, bytes]]


def large_length(headers: Headers) -> int:
    """Return the stated length of a large body, as h11 has checked it; 0 for all others."""
    named = dict(headers)
    length = 0 if _TE in named else int(named.get(_LENGTH, b"0"))
    return length if length >= LARGE else 0


def without_body(method: str, version: str, headers: Headers) -> h11.Connection:
    """Return a connection on which the request was received, but for its body."""
    connection = h11.Connection(h11.SERVER, MAX_HEAD)
    others = [header for header in headers if header[0] not in (_LENGTH, _EXPECT)]
    lines = [f"{method} / HTTP/{version}".encode(), *(b": ".join(header) for header in others)]
    connection.receive_data(b"\r\n".join([*lines, b"", b""]))
    # The head, and that no body follows.
    for _ in range(2):
        connection.next_event()
    return connection


class Rest:
    """What is still to come of a large body, and what was not handed over yet."""

    def __init__(self) -> None:
        self.missing = 0
        self._pieces: list[bytes] = []

    def take(self, data: bytes) -> bytes:
        """Take a piece; return what does not belong to the body any more."""
        own, after = data[: self.missing], data[self.missing :]
        self.missing -= len(own)
        self._pieces.append(own)
        return after

    @property
    def is_part(self) -> bool:
        """Whether there is enough to be handed over."""
        return not self.missing or sum(map(len, self._pieces)) >= PART

    def joined(self, before: bytes | bytearray) -> bytes:
        """Return what was taken since the last time, after what waits; a lone piece as it is."""
        pieces = [piece for piece in (before, *self._pieces) if piece]
        self._pieces.clear()
        return b"".join(pieces)
