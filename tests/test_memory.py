"""The pages of what is freed are there for what comes next."""

from __future__ import annotations

import gc
import os
import platform
import subprocess
import sys

import pytest

from basketwise.memory import (
    ARENAS,
    DECAY,
    HUGE,
    MAPPED,
    MMAP,
    POLARS,
    RARELY,
    TRIM,
    USUALLY,
    collect_rarely,
    collect_usually,
    keep_memory,
)

SCRIPT = """
import resource, sys
from basketwise.memory import KEPT, keep_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

kept = keep_memory()
bytearray(KEPT // 2)
before = faults()
for _ in range(20):
    bytearray(KEPT // 2)
print(kept, (faults() - before) * resource.getpagesize() // KEPT)
"""

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")


def told(**variables: str) -> tuple[str, int]:
    """Return whether memory is kept, and how much is mapped anew then, in units of KEPT."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    kept, mapped = done.stdout.split()
    return kept, int(mapped)


@glibc
def test_memory_is_mapped_once() -> None:
    assert told() == ("True", 0)


@glibc
def test_the_environment_has_the_last_word() -> None:
    kept, mapped = told(**{TRIM: "131072", MMAP: "131072"})
    assert kept == "False"
    assert mapped >= 9


def test_another_c_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (TRIM, MMAP, ARENAS, MAPPED):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert not keep_memory()


POOLED = """
import os
from basketwise.memory import LARGE, {function}
import resource

kept = {function}()
import numpy as np
import polars as pl

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

bytearray({blocks} * LARGE - 4096)
before = faults()
for _ in range(20):
    bytearray({blocks} * LARGE - 4096)
print(kept, (faults() - before) * resource.getpagesize() // LARGE)
print(os.environ["_RJEM_MALLOC_CONF"])
print(np._core.multiarray._get_madvise_hugepage())
"""


def pooled(variables: dict[str, str], function: str = "pool_memory", blocks: int = 1) -> list[str]:
    """Return whether memory is pooled, what is mapped anew then, and what libraries are told.

    ``blocks`` of the size LARGE are what is asked for, in one.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    for name in (POLARS, HUGE):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", POOLED.format(function=function, blocks=blocks)],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@glibc
@pytest.mark.parametrize(("function", "blocks"), [("pool_memory", 1), ("reader_memory", 3)])
def test_a_process_reuses_large_blocks_and_tells_libraries_to(function: str, blocks: int) -> None:
    kept, mapped, told_polars, huge = pooled({}, function, blocks)
    assert (kept, mapped, huge) == ("True", "0", "False")
    assert told_polars.endswith(f",{DECAY}")


@glibc
def test_the_environment_decides_about_either_allocator() -> None:
    kept, _, told_polars, huge = pooled({ARENAS: "4", POLARS: "dirty_decay_ms:0", HUGE: "1"})
    assert (kept, huge) == ("False", "True")
    assert told_polars.endswith(",dirty_decay_ms:0")


def test_a_command_looks_for_garbage_rarely_and_a_server_as_usual() -> None:
    before = gc.get_threshold()
    try:
        collect_rarely()
        assert gc.get_threshold() == RARELY
        collect_usually()
        assert gc.get_threshold() == USUALLY
    finally:
        gc.set_threshold(*before)
    assert USUALLY[0] < RARELY[0]
