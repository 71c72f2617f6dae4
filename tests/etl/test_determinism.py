"""The same input gives the same files, byte for byte, whatever the machine does beside."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from basketwise import concurrency, processes
from basketwise.etl.gold import stage as gold
from basketwise.etl.gold.tables import INDEX_FILE, METADATA_FILE, TEST_FILE, TRAIN_FILE, ChunkWriter
from basketwise.etl.silver import chunks, intake
from basketwise.etl.silver.table_reader import TableReader
from basketwise.processes import in_processes
from tests.etl.running import Run, run

SCRIPT = """
import sys
from pathlib import Path
import polars as pl
from tests.etl.running import run

assert pl.thread_pool_size() == int(sys.argv[3])
run(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def contents(gold: Path) -> dict[str, bytes]:
    files = {name: (gold / name).read_bytes() for name in (TRAIN_FILE, TEST_FILE, INDEX_FILE)}
    facts = json.loads((gold / METADATA_FILE).read_bytes())
    del facts["etl_timestamp"]
    return files | {METADATA_FILE: json.dumps(facts).encode()}


def same(actual: Path, other: Path) -> None:
    expected = contents(other)
    assert [name for name, content in contents(actual).items() if content != expected[name]] == []


def test_again(sample: Path, sample_run: Run, tmp_path: Path) -> None:
    same(run(sample, tmp_path).gold, sample_run.gold)


def test_rows_in_any_order(sample: Path, sample_run: Run, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for number, file in enumerate(sorted(sample.iterdir())):
        lines = pl.read_csv(file, infer_schema=False)
        lines.sample(fraction=1, shuffle=True, seed=number).write_csv(raw / f"{number}.csv")
    shuffled = run(raw, tmp_path / "out")
    for name in (TRAIN_FILE, TEST_FILE, INDEX_FILE):
        assert (shuffled.gold / name).read_bytes() == (sample_run.gold / name).read_bytes(), name


@pytest.mark.parametrize("threads", [1, 3])
def test_in_another_number_of_threads(
    sample: Path, sample_run: Run, tmp_path: Path, threads: int
) -> None:
    count = str(threads)
    environment = os.environ | {
        "POLARS_MAX_THREADS": count,
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
    }
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(sample), str(tmp_path), count],
        cwd=Path(__file__).parents[2],
        env=environment,
        check=True,
        timeout=120,
    )
    same(tmp_path / "gold", sample_run.gold)


def test_in_processes(
    sample: Path, sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "many", lambda sizes: True)
    monkeypatch.setattr(gold, "MANY_LINES", 0)
    for module in (gold, processes):
        monkeypatch.setattr(module, "cores", lambda: 2)
    started = spied(monkeypatch)
    same(run(sample, tmp_path).gold, sample_run.gold)
    assert started == [TableReader, ChunkWriter]


def spied(monkeypatch: pytest.MonkeyPatch) -> list[type]:
    """List what works in processes from now on."""
    started: list[type] = []

    def spy(work: Any, pieces: Iterable[Any]) -> Iterator[Any]:
        started.append(type(work))
        yield from in_processes(work, pieces)

    monkeypatch.setattr(intake, "in_processes", spy)
    monkeypatch.setattr(gold, "in_processes", spy)
    return started


@pytest.mark.parametrize("number", [1, 2, 5])
def test_on_another_number_of_cores(
    sample: Path,
    sample_run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    monkeypatch.setattr(concurrency, "cores", lambda: number)
    # Chunks of a week, and products of many pieces: else there is nothing to do side by side.
    monkeypatch.setattr(chunks.read_chunks, "__kwdefaults__", {"lines": 1})
    made = run(sample, tmp_path)
    same(made.gold, sample_run.gold)
    weeks = sorted(path.relative_to(made.silver) for path in made.silver.rglob("*.parquet"))
    assert weeks
    for path in weeks:
        assert (made.silver / path).read_bytes() == (sample_run.silver / path).read_bytes()
