"""The rows that XGBoost's workers read are those that training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from basketwise.engines.spark import rows as rows_module
from basketwise.engines.spark.exchange import Folder
from basketwise.engines.spark.rows import FEATURES, LABEL, RowReader, divided
from basketwise.features.product import SHARE_NEW
from basketwise.training.distributed import TrainingRows
from basketwise.training.examples import read_examples
from tests.engines.spark.made_up_gold import COLUMNS, all_rows, write_rows


@pytest.fixture
def rows(tmp_path: Path) -> TrainingRows:
    return write_rows(tmp_path)


def numbered(*numbers: int) -> Any:
    return iter([pa.RecordBatch.from_pydict({"id": list(numbers)})])


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 20])
def test_every_row_is_in_one_range(workers: int) -> None:
    counts = [5, 0, 11, 1]
    ranges = divided(counts, workers)
    assert len(ranges) == workers
    sizes = [sum(part.stop - part.start for part in own) for own in ranges]
    assert max(sizes) - min(sizes) <= 1
    in_order = [(part.file, row) for own in ranges for part in own for row in range(*part[1:])]
    assert in_order == [(file, row) for file, count in enumerate(counts) for row in range(count)]


@pytest.mark.parametrize("without_new", [True, False])
def test_workers_read_the_features_that_training_reads(
    rows: TrainingRows, tmp_path: Path, without_new: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "ROW_GROUP", 64)
    reader = RowReader(Folder(tmp_path), tuple(map(str, rows.files)), COLUMNS, without_new)
    told = list(reader.count(numbered(0, 1, 2)))
    ranges = divided([document["rows"] for document in told], 3)
    frame = pl.concat(reader.frames(ranges, numbered(0, 1, 2)))
    whole = all_rows(rows)
    whole.write_parquet(tmp_path / "whole.parquet")
    expected = read_examples(tmp_path / "whole.parquet", COLUMNS)
    used = np.ones(whole.height, dtype=bool)
    if without_new:
        used = (whole[SHARE_NEW] == 0).to_numpy()
        assert 1_000 < used.sum() < 1_100
    assert frame[FEATURES].dtype == pl.List(pl.Float32)
    assert np.array_equal(np.asarray(frame[FEATURES].to_list(), np.float32), expected.X[used])
    assert frame[LABEL].to_list() == expected.y[used].tolist()
    assert sum(document["used"] for document in told) == used.sum() == frame.height
