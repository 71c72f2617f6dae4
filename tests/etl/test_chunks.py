from __future__ import annotations

import threading
from collections.abc import Iterator

import polars as pl
import pytest

from basketwise import concurrency
from basketwise.etl.chunks import Chunk, side_by_side


@pytest.mark.parametrize("number", [1, 2, 5])
def test_memory_holds_one_chunk_more_than_there_are_cores(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "cores", lambda: number)
    lock, held, most = threading.Lock(), 0, 0

    def chunks() -> Iterator[Chunk]:
        nonlocal held, most
        for week in range(20):
            with lock:
                held += 1
                most = max(most, held)
            yield Chunk((week,), pl.DataFrame())

    def work(chunk: Chunk) -> int:
        nonlocal held
        with lock:
            held -= 1
        return chunk.weeks[0]

    assert list(side_by_side(work, chunks())) == list(range(20))
    assert most <= number + 1
