"""Who may ask: with a token, whoever sends it; without one, whoever reaches the server."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path

from basketwise.errors import ConfigError
from basketwise.serving.http.problems import ProblemError

VARIABLE = "BASKETWISE_SERVE_TOKEN"
SHORTEST = 16
"""Characters that a token has at least."""

WATCHED = {"/ping", "/health", "/ready", "/v2/health/live", "/v2/health/ready"}
PAGES = {"/", "/docs", "/openapi.json"}
OPEN = frozenset(WATCHED | PAGES)
"""Paths that need no token: who watches a server has none, and the page asks for it."""


@dataclass(frozen=True)
class Auth:
    """The token that requests must bring; None: none. ``open`` paths never need it."""

    token: str | None = None
    open: frozenset[str] = OPEN

    def __repr__(self) -> str:
        return f"Auth({'with' if self.token else 'without'} a token)"

    def check(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Refuse a request without the token.

        Raises
        ------
        ProblemError
            401, whatever is wrong.
        """
        if self.token is None or path in self.open:
            return
        given = next((value for name, value in headers if name == b"authorization"), b"")
        scheme, _, sent = given.partition(b" ")
        # Digests have one length, whatever is sent: how long it takes tells nothing.
        same = hmac.compare_digest(
            sha256(sent.strip()).digest(), sha256(self.token.encode()).digest()
        )
        if scheme.lower() != b"bearer" or not same:
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED,
                "The request brings no valid token.",
                # Written as the header itself is, it would be taken for a token and removed.
                "Send the token in the header Authorization, after the word Bearer and a blank.",
                {"WWW-Authenticate": "Bearer"},
            )


def auth_for(host: str, token_file: Path | None, *, no_auth: bool) -> Auth:
    """Return who may ask a server that listens on an address.

    The token is that of the file or of the variable ``BASKETWISE_SERVE_TOKEN``.

    Raises
    ------
    ConfigError
        If there is no token, and others than this machine can reach the server; if the token is
        too short to be secret.
    """
    if no_auth:
        if token_file:
            raise ConfigError("--no-auth and --token-file contradict each other.", "Give one.")
        return Auth()
    token = _read(token_file) if token_file else os.environ.get(VARIABLE, "").strip()
    if not token and not is_loopback(host):
        raise ConfigError(
            f"Anybody who reaches {host} could ask the server.",
            f"Set {VARIABLE} or give --token-file, so that requests need a token; or listen on "
            "127.0.0.1; or add --no-auth if something else decides who may ask.",
        )
    if token and (len(token) < SHORTEST or not (token.isascii() and token.isprintable())):
        raise ConfigError(
            f"The token has fewer than {SHORTEST} characters, or other than printable ASCII.",
            "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe())'",
        )
    return Auth(token or None)


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone.

    Examples
    --------
    >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _read(path: Path) -> str:
    try:
        token = path.expanduser().read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(
            f"The token file {str(path)!r} cannot be read: {reason}.", "Name a file with one line."
        ) from error
    if not token:
        raise ConfigError(f"The token file {str(path)!r} is empty.", "Write the token into it.")
    return token
