"""Passwords and tokens are removed from text: the one function that every exit calls.

Exits are the terminal, log records, tracebacks, error messages, the failure file of a job, HTTP
answers, and whatever records how a run was started. What is removed: user and password of any
address, however malformed; values of parameters and headers that carry credentials; and the
values of environment variables whose names say that they are secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote, unquote

HIDDEN = "***"
"""What stands for a secret; of an address, nothing does."""

SHORTEST = 6
"""Characters that the value of a variable has at least to be a secret: "admin" is a word."""

VARIABLE = re.compile(
    # PWD by itself is a folder.
    r"(?i)(^|_)(pass(word|wd|phrase)?|(?<=_)pwd|(auth_?)?token|secret(_access_?key)?|api_?key|"
    r"access_?key|private_?key|credentials?|pat)$"
)
"""Names of environment variables whose values are secret."""

WEB = ("http", "https", "ftp", "ftps", "ws", "wss")
"""Schemes whose addresses are recognised with one slash too, and have only a port after a colon."""

FOLDERS = ("file", "sqlite")
"""Schemes whose addresses are paths after three slashes."""

NEARBY = 200
"""Characters after a blank in a password within which its end is searched."""

_START = re.compile(r"(?i)(?<![\w+.-])([a-z][a-z0-9+.-]+):([/\\]+)")
_ENCODED = re.compile(r"(?i)(?<![\w+.-])[a-z][a-z0-9+.-]+%3a(?:%2f|%5c|/|\\)+[^\s'\"<>]*")
_WORD = re.compile(r"[^\s'\"<>`]*")
_AUTHORITY = re.compile(r"[^/\\?#]*")
_USER = re.compile(r"[^\s/\\@:]+:[^\n]*@")
_OPENED = re.compile(r"(['\"])[\w.=+-]*$")
_BARE = re.compile(
    r"(?<![\w./\\:@%+-])(?!mailto:)[A-Za-z][\w.%+~-]*:(?![/\\])[^\s/\\@'\"<>]+@"
    r"(?=(?:localhost|\d{1,3}(?:\.\d{1,3}){3}|[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}|\[[\da-f:]+\])"
    r"(?::\d|/)|[\w.-]+:\d)"
)
_SETTING = re.compile(
    r"(?i)((?:registry\.uri|endpoint_url|registry__uri|tracking_uri)['\"]?\s*(?:=|:|is|contains)"
    r"\s*)(?:(['\"])((?:(?!\2)[^\n])*)@|([^\s'\"]*)@)"
)
_TYPED = re.compile(r"(?i)((['\"])[\w.]*(?:registry\.uri|endpoint_url)=)((?:(?!\2)[^\n])*)@")

_NAME = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret|token|signature|credentials?"
    r"|(?:api|access|private|secret)[_-]?key(?:[_-]?id)?)"
)
_ASSIGNED = re.compile(rf"(?i)((?<![^\W_])(?:[\w.-]*?{_NAME})=)[^\s&#;,'\")\]}}>]+")
_QUERY = re.compile(
    r"(?i)([?&#;](?:amp;)?(?:sig|auth|key|code|jwt|sid|session|pass|pw|pat|"
    r"x-(?:amz|goog|ms)-[\w-]+)=)[^&#\s'\"<>]+"
)
_QUOTED = re.compile(rf"(?i)((['\"])[\w.-]*?{_NAME}\2\s*[:=]\s*(['\"]))(?:(?!\3)[^\\\n]|\\.)+")
_HEADER = re.compile(
    r"(?i)(\b(?:(?:proxy-)?authorization|x-api-key|x-amz-security-token|(?:set-)?cookie)"
    r"['\"]?\s*:\s*['\"]?)[^'\"\n\\]+"
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic)(\s+)(?=\S*[\d=])[\w+/=.~-]{8,}")


def redacted(text: str) -> str:
    """Return a text without its secrets; a text that has none is returned as it is.

    Parameters
    ----------
    text : str
        Any text: a message, a command, a traceback, an address.

    Returns
    -------
    str
        The same without user and password of addresses, and with ``***`` for values of parameters
        and headers that carry credentials and of secret environment variables, as they are now.

    Examples
    --------
    >>> redacted("GET https://ann:secret@models.example/x?token=abc failed")
    'GET https://models.example/x?token=*** failed'
    >>> redacted("ann@example.com opened C:/data/a@b.csv at 12:30")
    'ann@example.com opened C:/data/a@b.csv at 12:30'
    """
    return without_credentials(_without_values(text))


def without_credentials(text: str) -> str:
    """Do the same whatever the environment is: for what must be the same on every machine.

    Examples
    --------
    >>> without_credentials("postgresql+psycopg://ann:se/cr@t@db:5432/x?sslmode=require")
    'postgresql+psycopg://db:5432/x?sslmode=require'
    """
    if "%3" in text:
        text = _ENCODED.sub(_decoded, text)
    if "@" in text:
        text = _SETTING.sub(lambda match: match[1] + (match[2] or ""), text)
        text = _TYPED.sub(r"\1", text)
    if ":/" in text or ":\\" in text:
        text = _without_users(text)
    if "@" in text:
        text = _BARE.sub("", text)
    if "=" in text or ":" in text:
        text = _ASSIGNED.sub(rf"\1{HIDDEN}", text)
        text = _QUERY.sub(rf"\1{HIDDEN}", text)
        text = _QUOTED.sub(rf"\1{HIDDEN}", text)
        text = _HEADER.sub(rf"\1{HIDDEN}", text)
    return _SCHEME.sub(rf"\1\2{HIDDEN}", text)


def redacted_values(document: Any, clean: Callable[[str], str] = redacted) -> Any:
    """Return a JSON document whose texts are redacted by a function; keys stay as they are.

    Examples
    --------
    >>> redacted_values({"uri": ["ftp://ann:secret@files.example", 1]})
    {'uri': ['ftp://files.example', 1]}
    """
    if isinstance(document, str):
        return clean(document)
    if isinstance(document, Mapping):
        return {key: redacted_values(value, clean) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [redacted_values(value, clean) for value in document]
    return document


def redacted_address(uri: str) -> str:
    """Return what may be shown of a setting that is an address: nothing before its last ``@``.

    Examples
    --------
    >>> redacted_address("ann:secret@models.example"), redacted_address("http://h:5000/x")
    ('models.example', 'http://h:5000/x')
    """
    scheme = re.match(r"(?i)[a-z][a-z0-9+.-]+:[/\\]+", uri)
    start = scheme[0] if scheme else ""
    return redacted(start + uri[len(start) :].rpartition("@")[2])


def redact_chain(error: BaseException) -> None:
    """Redact the messages of a library's error and of what it was caused by, in place.

    Whoever catches our error and prints its traceback prints theirs too.
    """
    pending: list[object] = [error]
    seen: list[BaseException] = []
    while pending:
        cause = pending.pop()
        if not isinstance(cause, BaseException) or cause in seen:
            continue
        seen.append(cause)
        pending += [cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
        pending += cause.args
        with suppress(AttributeError, TypeError):
            cause.args = tuple(redacted(a) if isinstance(a, str) else a for a in cause.args)
        for name, value in list(vars(cause).items()):
            if isinstance(value, str) and redacted(value) != value:
                with suppress(AttributeError, TypeError):
                    setattr(cause, name, redacted(value))


@contextmanager
def redacting() -> Iterator[None]:
    """Redact the errors that libraries raise within the block, see :func:`redact_chain`."""
    try:
        yield
    except Exception as error:
        redact_chain(error)
        raise


def _without_values(text: str) -> str:
    for value in _secret_values():
        if value in text:
            text = text.replace(value, HIDDEN)
    return text


def _secret_values() -> Iterator[str]:
    """Yield the secret values of the environment, also as they are written in addresses."""
    for name, value in os.environ.items():
        value = value.strip()
        # A short number would be found in every table.
        enough = SHORTEST + 2 if value.isdigit() else SHORTEST
        if len(value) >= enough and VARIABLE.search(name):
            yield value
            yield quote(value, safe="")


def _decoded(match: re.Match[str]) -> str:
    """Redact an address that is percent-encoded as a whole; one without secrets stays encoded."""
    address = unquote(match[0])
    clean = without_credentials(address)
    return match[0] if clean == address else clean


def _without_users(text: str) -> str:
    """Remove user and password of every address with a scheme."""
    position = 0
    while match := _START.search(text, position):
        start = position = match.end()
        scheme, slashes = match[1].lower(), match[2]
        if len(slashes) < 2 and scheme not in WEB and not _USER.match(text, start):
            continue
        if scheme.partition("+")[0] in FOLDERS and len(slashes) > 2:
            continue
        # What follows a user that is an address of mail may be a password still.
        while (end := _end_of_user(text, match, web=scheme in WEB)) is not None:
            text = text[:start] + text[end:]
    return text


def _end_of_user(text: str, match: re.Match[str], *, web: bool) -> int | None:
    """Return where the host of an address begins, if anything before it is to be removed."""
    start = match.end()
    line_end = text.find("\n", start)
    rest = text[start : line_end if line_end >= 0 else len(text)]
    opened = _OPENED.search(text[max(0, match.start() - 80) : match.start()])
    closing = rest.find(opened[1]) if opened else -1
    # Within quotes an address may have blanks.
    address = rest[:closing] if closing >= 0 else _match(_WORD, rest)
    authority = _match(_AUTHORITY, address)
    user, colon, password = authority.partition(":")
    if "@" in user or (not colon and "@" in authority):
        return start + authority.rindex("@") + 1
    if not colon or authority.startswith("["):
        return start + authority.rindex("@") + 1 if "@" in authority else None
    if "@" not in password and _is_port(password, address[len(authority) :]):
        return None
    if "@" in address:
        return start + address.rindex("@") + 1
    # A blank or a quote in the password: the host follows later in the line.
    nearby = rest[len(address) : len(address) + NEARBY].partition("://")[0]
    if not _is_placeholder(password) and "@" in nearby:
        first = len(address) + nearby.index("@")
        word = _match(_WORD, rest[first:])
        return start + first + word.rindex("@") + 1
    if web and not _is_placeholder(password):
        # No host at all: all of it may be a password.
        return start + len(authority)
    return None


def _is_port(text: str, rest: str) -> bool:
    """Whether what follows a colon is a port, and not a password with a slash in it."""
    number = text.rstrip(".,;:)]}")
    if number == "":
        return True
    return (
        number.isascii()
        and number.isdigit()
        and 0 < int(number[:9]) < 65_536
        and (rest[:1] not in ("?", "#") or "@" not in rest)
    )


def _is_placeholder(text: str) -> bool:
    return text.strip(".,;:()[]{}").lower() in ("", "port") or text.strip(".,;:)").isdigit()


def _match(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.match(text)
    return match[0] if match else ""
