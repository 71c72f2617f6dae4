"""Files that are no text though their names say so, told by their first bytes."""

from __future__ import annotations

import re

from basketwise.errors import InputError

_RENAME = "Rename it to end in {}."
ZSTANDARD = b"\x28\xb5\x2f\xfd"
"""The magic number of its frames of data."""
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (rb"\x1f\x8b", "is compressed with gzip", _RENAME.format(".csv.gz or .jsonl.gz")),
    (rb"BZh.1AY&SY", "is compressed with bzip2", _RENAME.format(".csv.bz2 or .jsonl.bz2")),
    (rb"\xfd7zXZ\x00", "is compressed with xz", _RENAME.format(".csv.xz or .jsonl.xz")),
    (
        re.escape(ZSTANDARD),
        "is compressed with Zstandard",
        _RENAME.format(".csv.zst or .jsonl.zst"),
    ),
    (rb"PAR1", "is a Parquet file", _RENAME.format(".parquet")),
    (
        rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "is a spreadsheet of Excel",
        "Export each sheet as CSV UTF-8; format long ids as text first, or digits are lost.",
    ),
    (
        rb"PK\x03\x04",
        "is a zip, or a spreadsheet",
        "Rename it to end in .zip; export each sheet of a spreadsheet as CSV UTF-8.",
    ),
    (rb"\xff\xfe\x00\x00", "is UTF-32", "Save it as UTF-8."),
    (rb"\x00\x00\xfe\xff", "is UTF-32", "Save it as UTF-8."),
)
"""How each begins, as a regular expression; what it is, and what to do."""


def refuse_binary(first: bytes, name: str) -> None:
    """Refuse a file of which no text can be read.

    Parameters
    ----------
    first : bytes
        Its beginning.
    name : str
        What errors call it.

    Raises
    ------
    InputError
        Naming what it is.
    """
    for signature, what, hint in _SIGNATURES:
        if re.match(signature, first, re.DOTALL):
            raise InputError(f"{name!r} {what}, not text.", hint)
