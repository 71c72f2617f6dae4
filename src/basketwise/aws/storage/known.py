"""The sha256 of objects, without downloading them.

Objects that Basketwise uploaded carry it. Of those that a job left, one object per folder below
``.basketwise/digests/`` lists what is known, by ETag, which changes with the bytes: whatever it
says stays true, whoever writes it and when.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from basketwise.aws.parallel import for_each
from basketwise.aws.s3 import Bucket, S3Object
from basketwise.storage.scheme import OWN

FOLDER = f"{OWN}/digests"
MAX_BYTES = 64 * 2**20
"""A larger list was not written by Basketwise."""

SHA256 = 64
"""Characters of one, in hexadecimal."""


def known_digests(bucket: Bucket, listed: Mapping[str, S3Object]) -> dict[str, str]:
    """Return the sha256 of the listed objects whose is known, by key."""
    known = remembered(bucket, listed)
    rest = [key for key in listed if key not in known]

    def ask(key: str) -> None:
        if digest := bucket.digest(listed[key].key):
            known[key] = digest

    for_each(ask, rest)
    return known


def remembered(bucket: Bucket, listed: Mapping[str, S3Object]) -> dict[str, str]:
    """Return the sha256 of the listed objects that :func:`remember` was told, by key."""
    digests: dict[str, str] = {}
    for name in sorted({_list_of(key) for key in listed}):
        digests |= _read(bucket, name)
    return {key: digests[item.etag] for key, item in listed.items() if item.etag in digests}


def remember(bucket: Bucket, objects: Iterable[tuple[S3Object, str]]) -> None:
    """Store the sha256 of objects as they were listed; what is listed no more is forgotten."""
    lists: dict[str, dict[str, str]] = {}
    for listed, digest in objects:
        lists.setdefault(_list_of(listed.key), {})[listed.etag] = digest
    for name, digests in lists.items():
        bucket.put(name, json.dumps(digests).encode(), "application/json")


def _list_of(key: str) -> str:
    return f"{FOLDER}/{key.partition('/')[0]}.json"


def _read(bucket: Bucket, name: str) -> dict[str, str]:
    data = bucket.get(name, MAX_BYTES)
    try:
        read = json.loads(data) if data else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(read, dict):
        return {}
    return {etag: sha for etag, sha in read.items() if isinstance(sha, str) and len(sha) == SHA256}
