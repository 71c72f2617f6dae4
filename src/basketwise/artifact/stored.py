"""A zip file whose members are stored as they are, read strictly and without copying.

``model.skops`` is one. Python's ``zipfile`` takes whatever a directory states: members that share
their bytes, that expand a thousandfold, or a directory of millions of entries. What skops writes
has none of that, so it is refused before ``zipfile`` sees it; of what is accepted here,
``zipfile`` reads the same members.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

END = struct.Struct("<4s4H2LH")
ENTRY = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
LOCATOR = 20
"""Size of what comes before the end if the file has a second directory, for large files."""

MAX_MEMBERS = 20_000
MAX_NAME = 100
UTF8 = 0x800


def read_stored(data: bytes) -> Mapping[str, memoryview]:
    """Return the members of a zip file by name, as views of its bytes.

    Raises
    ------
    ValueError
        If it is damaged, or anything but a plain zip file of uncompressed members.
    """
    end = len(data) - END.size
    if end < 0:
        raise ValueError("it is no zip file")
    signature, disk, first, here, count, size, start, comment = END.unpack_from(data, end)
    plain = (signature, disk, first, here, comment) == (b"PK\5\6", 0, 0, count, 0)
    second = data[end - LOCATOR : end].startswith(b"PK\6\7") if end >= LOCATOR else False
    if not plain or second or start + size != end or count > MAX_MEMBERS:
        raise ValueError("it is no plain zip file")
    if size > count * (ENTRY.size + MAX_NAME):
        raise ValueError("the directory of its zip file is too large")
    members, at, after = {}, start, 0
    for _ in range(count):
        name, at, member, after = _member(data, at, after, start)
        if name in members:
            raise ValueError(f"it contains {name!r} twice")
        members[name] = member
    if at != end:
        raise ValueError("the directory of its zip file is damaged")
    return members


def _member(data: bytes, at: int, after: int, end: int) -> tuple[str, int, memoryview, int]:
    """Read an entry of the directory and its member, which starts no earlier than ``after``.

    Returns its name, where the next entry is, its content, and where that ends.
    """
    try:
        entry = ENTRY.unpack_from(data, at)
        (signature, _, _, flags, method, _, _, crc, packed, size) = entry[:10]
        (length, extra, comment, disk, _, _, offset) = entry[10:]
        local = LOCAL.unpack_from(data, offset)
    except struct.error as error:
        raise ValueError("the directory of its zip file is cut off") from error
    name = data[at + ENTRY.size : at + ENTRY.size + length]
    start = offset + LOCAL.size + length
    plain = (
        (signature, method, packed, extra, comment, disk) == (b"PK\1\2", 0, size, 0, 0, 0)
        and flags & ~UTF8 == 0
        and (local[0], local[2], local[3], local[9], local[10]) == (b"PK\3\4", flags, 0, length, 0)
        and data[start - length : start] == name
        and 0 < length <= MAX_NAME
        and name.isascii()
        and b"\0" not in name
    )
    # Members in the order of the directory cannot share bytes.
    if not plain or offset < after or start + size > end:
        raise ValueError("a member of its zip file is damaged, or not stored as it is")
    member = memoryview(data)[start : start + size]
    if zlib.crc32(member) != crc:
        raise ValueError("a member of its zip file is damaged")
    return name.decode(), at + ENTRY.size + length, member, start + size
