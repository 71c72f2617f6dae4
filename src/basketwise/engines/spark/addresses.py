"""Which files below an address are meant, as on one machine.

Spark lists more than a folder's own files, or fewer: with ``column=value`` folders it leaves out
what lies beside these, some servers descend into all subfolders, and none takes ``**`` as Python
does. So it is asked for all that there is below, and what was meant is chosen here.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from basketwise.etl.raw.formats import partition_of

ANY_DEPTH = "**"
_SCHEME = re.compile(r"[A-Za-z][\w+.-]*:(?://[^/]*)?")
_MAGIC = re.compile(r"[*?\[{]")
_OWN_NOTATION = re.compile(r"[{\\]")
"""What is a pattern to Hadoop, and none, or another, to Python."""


def has_magic(data: str) -> bool:
    """Whether an address is a pattern."""
    return bool(_MAGIC.search(data))


def listed(data: str) -> str:
    """Return the address that Spark is to list.

    Examples
    --------
    >>> listed("s3a://raw/2025/**/*.csv"), listed("s3a://raw/*.csv")
    ('s3a://raw/2025/', 's3a://raw/*.csv')
    """
    return data.partition(ANY_DEPTH)[0] or data


def is_meant(path: str, data: str) -> bool:
    """Whether an address means a file that is at or below it.

    Examples
    --------
    >>> is_meant("file:/raw/a.csv", "/raw"), is_meant("file:/raw/old/a.csv", "/raw")
    (True, False)
    >>> is_meant("file:/raw/week=7/a.csv", "/raw"), is_meant("file:/raw/old/a.csv", "/raw/**/*.csv")
    (True, True)
    """
    given, own = _segments(data), _segments(path)
    if ANY_DEPTH in given:
        depth = given.index(ANY_DEPTH)
        last = given[depth + 1 :]
        return len(own) >= depth + len(last) and _matches(own[len(own) - len(last) :], last)
    depth = len(given)
    if not has_magic(data):
        # A link may be listed by its target's name.
        return own[:depth] != given or all(map(partition_of, own[depth:-1]))
    if not _matches(own[:depth], given):
        return False
    # A folder that matches is read if it is one of a column's values.
    return all(map(partition_of, own[depth - 1 : -1]))


def _segments(address: str) -> list[str]:
    return [part for part in _SCHEME.sub("", address, count=1).split("/") if part]


def _matches(names: list[str], patterns: list[str]) -> bool:
    return len(names) == len(patterns) and all(
        _OWN_NOTATION.search(pattern) or fnmatchcase(name, pattern.replace("[^", "[!"))
        for name, pattern in zip(names, patterns, strict=True)
    )
