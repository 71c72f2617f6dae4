"""JSON that may come from anywhere: bounded in bytes, values and depth before it is parsed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MAX_JSON = 16 * 2**20
MAX_VALUES = 500_000
"""Commas and brackets: one byte of JSON can become a hundred of Python's."""


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
