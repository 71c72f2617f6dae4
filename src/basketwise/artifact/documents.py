"""JSON that may come from anywhere: bounded in bytes, values and depth before it is parsed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

MAX_JSON = 16 * 2**20
MAX_VALUES = 500_000
"""Commas and brackets: one byte of JSON can become a hundred of Python's."""

LONGEST = 300
"""Characters of a complaint."""


def check_json(data: bytes, most: int = MAX_JSON, values: int = MAX_VALUES) -> bytes:
    """Return JSON that is small enough to be parsed; a ValueError says if it is not."""
    if len(data) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    if sum(map(data.count, (b",", b"[", b"{"))) > values:
        raise ValueError(f"it has more than {values:,} values")
    return data


def read_bounded(path: Path, most: int = MAX_JSON, values: int = MAX_VALUES) -> bytes:
    """Read a file of JSON within bounds; an OSError or a ValueError says what is wrong."""
    with path.open("rb") as stream:
        return check_json(stream.read(most + 1), most, values)


def complaint(error: BaseException) -> str:
    r"""Return what an error says, in one line; of pydantic's, the first complaint only.

    A document of a hundred thousand values can have as many complaints.

    Examples
    --------
    >>> complaint(ValueError("It is too large.\nIt has 5 bytes."))
    'It is too large'
    """
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where}: {first['msg']}" if where else first["msg"].removeprefix("Value error, ")
    text = str(error).strip().partition("\n")[0].rstrip(".")
    return text[:LONGEST] or type(error).__name__


def parse_json(data: bytes, most: int = MAX_JSON, values: int = MAX_VALUES) -> Any:
    """Parse JSON within bounds; a ValueError says what is wrong with it.

    Examples
    --------
    >>> parse_json(b'{"a": 1}')
    {'a': 1}
    """
    try:
        return json.loads(check_json(data, most, values))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
