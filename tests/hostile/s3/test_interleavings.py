"""Publishing under every disturbance: machines that sleep, die or lose responses at any request.

Each interleaving has a seed. A failure prints the seed and the requests that led to it; the same
seed plays the same requests again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.s3 import Bucket, S3Object
from basketwise.aws.storage import replacement
from basketwise.aws.storage.lock import Lease
from tests.hostile.s3.publishing import play
from tests.hostile.scale import tried

CHUNKS = tried(1, 20)
PER_CHUNK = tried(40, 500)
"""Interleavings; 40 or 10,000 in all."""


def play_all(seeds: range, folder: Path) -> tuple[int, int]:
    """Play interleavings; returns how many publications succeeded, and how many did not."""
    played = [play(seed, folder / str(seed)) for seed in seeds]
    return sum(item.published for item in played), sum(item.refused for item in played)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_readers_see_one_version_and_sleepers_change_nothing(tmp_path: Path, chunk: int) -> None:
    published, refused = play_all(range(chunk * PER_CHUNK, (chunk + 1) * PER_CHUNK), tmp_path)

    # Neither do they all succeed, nor are they all refused or disturbed.
    assert published > PER_CHUNK
    assert refused > PER_CHUNK


def sweep_without_asking(bucket: Bucket, _: Lease, keys: Any, uploads: Any = None) -> None:
    bucket.remove(keys)
    bucket.abort(uploads or {})


def delete_by_etag(
    bucket: Bucket,
    _: Lease,
    __: object,
    staged: Mapping[str, S3Object],
    removed: Mapping[str, S3Object],
) -> None:
    listed = bucket.below("gold")
    for key in staged:
        bucket.copy(staged[key], key)
    bucket.remove(removed, {key: listed[key].etag if key in listed else "gone" for key in removed})


def renew_without_condition(self: Lease) -> None:
    """Believe in the lock; what fences the copy of a single file is gone."""


UNSAFE: dict[str, tuple[object, str, Callable[..., Any]]] = {
    "a late sweep removes what the next holder has staged": (
        replacement,
        "_sweep",
        sweep_without_asking,
    ),
    "a late deletion hits equal bytes that came back": (replacement, "_place", delete_by_etag),
    "a late copy comes after the next holder's": (Lease, "renew", renew_without_condition),
}


@pytest.mark.skipif(tried(0, 1) == 0, reason="make hostile")
@pytest.mark.parametrize("defect", list(UNSAFE))
def test_defects_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defect: str) -> None:
    target, name, unsafe = UNSAFE[defect]
    monkeypatch.setattr(target, name, unsafe)

    with pytest.raises(AssertionError, match=r"without the lock|published nothing"):
        play_all(range(5_000), tmp_path)
