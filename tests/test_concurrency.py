import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from basketwise import concurrency
from basketwise.concurrency import cores, cpu_quota, side_by_side


def group(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu.max": ""}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "0\n"}, math.inf),
        ({}, math.inf),
    ],
)
def test_the_quota_of_either_version_is_read(
    tmp_path: Path, files: dict[str, str], expected: float
) -> None:
    assert cpu_quota(group(tmp_path, files)) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
@pytest.mark.parametrize(
    ("own", "quota", "expected"),
    [(8, "max 100000", 8), (8, "250000 100000", 3), (2, "800000 100000", 2), (8, "10 100000", 1)],
)
def test_affinity_and_quota_both_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: int, quota: str, expected: int
) -> None:
    monkeypatch.setattr(concurrency, "CGROUPS", group(tmp_path, {"cpu.max": quota}))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(own)))
    assert cores() == expected


def test_a_system_without_affinity_has_its_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "CGROUPS", tmp_path)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cores() == 6


@pytest.mark.parametrize("number", [1, 2, 5])
def test_one_piece_more_is_in_memory_than_there_are_cores(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "cores", lambda: number)
    lock, in_memory, most = threading.Lock(), 0, 0

    def pieces() -> Iterator[int]:
        nonlocal in_memory, most
        for piece in range(20):
            with lock:
                in_memory += 1
                most = max(most, in_memory)
            yield piece

    def work(piece: int) -> int:
        nonlocal in_memory
        with lock:
            in_memory -= 1
        return piece

    assert list(side_by_side(work, pieces())) == list(range(20))
    assert most <= number + 1
