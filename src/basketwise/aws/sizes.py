"""How amounts of bytes are told."""

from __future__ import annotations

MEGABYTE = 10**6


def megabytes(size: int) -> str:
    """Return bytes as megabytes, for people.

    Examples
    --------
    >>> megabytes(2_345_678_901)
    '2,345.7 MB'
    """
    return f"{size / MEGABYTE:,.1f} MB"
