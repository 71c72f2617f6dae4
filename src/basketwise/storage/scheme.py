"""What an address starts with; apart from what opens it, since every command asks."""

from __future__ import annotations

OWN = ".basketwise"
"""Prefix of Basketwise's own objects in a workspace at an address, which no address may have."""


def scheme_of(location: str) -> str:
    """Return the scheme of an address; empty for a path.

    Examples
    --------
    >>> scheme_of("s3://bucket/prefix"), scheme_of("data/raw")
    ('s3', '')
    """
    scheme, separator, _ = location.partition("://")
    return scheme if separator else ""
