from __future__ import annotations

import hmac
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from basketwise.errors import ConfigError
from basketwise.model.scoring import Model
from basketwise.serving.http import prediction_log
from basketwise.serving.http.answers import Answer, answer
from basketwise.serving.http.baskets import read_request
from basketwise.serving.http.prediction_log import (
    COUNTS,
    SCHEMA,
    PredictionLog,
    Rotation,
    open_log,
)
from basketwise.serving.http.served import Served

LINES = (
    b"BASKET_ID,PROD_CODE,SPEND,QUANTITY,CUST_CODE\n"
    b"1,PRD0900001,1.5,1,SECRET\n1,NEW,1.5,1,SECRET\n2,PRD0900002,?,1,SECRET\n3,PRD0900002,2,1,SECRET\n"
)


@pytest.fixture(scope="module")
def logged(scorer: Model) -> Answer:
    served = Served(scorer, "4", "cd" * 32)
    return answer(read_request(LINES, "text/csv"), served)


def stored(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(sorted(folder.glob("predictions-*.parquet")))


def test_one_row_for_each_scored_basket(logged: Answer, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "log", pytest.fail)
    log.put(logged, logged.served)
    log.close()
    table = stored(tmp_path / "log")
    assert dict(table.schema) == SCHEMA
    assert table["basket_id"].to_list() == ["1", "3"]
    assert set(table["version"]) == {"4"}
    assert set(table["sha256"]) == {"cd" * 32}
    rows = {str(row["basket_id"]): row for row in logged.predictions}
    for row in table.iter_rows(named=True):
        assert row["p_high"] == rows[row["basket_id"]]["p_high"]
        assert row["certainty"] == rows[row["basket_id"]]["certainty"]
    assert table.select(pl.sum_horizontal(COUNTS)).to_series().to_list() == [2, 1]
    assert log.written == 2
    everything = b"".join(path.read_bytes() for path in (tmp_path / "log").iterdir())
    assert b"SECRET" not in everything


def test_a_key_hides_the_ids(logged: Answer, tmp_path: Path) -> None:
    key = b"0123456789abcdef"
    (tmp_path / "key").write_bytes(key + b"\n")
    log = open_log(str(tmp_path / "log"), str(tmp_path / "key"), pytest.fail)
    log.put(logged, logged.served)
    log.close()
    ids = stored(tmp_path / "log")["basket_id"].to_list()
    assert ids == [hmac.new(key, name, sha256).hexdigest() for name in (b"1", b"3")]


def test_files_are_closed_by_size_and_the_oldest_go(logged: Answer, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, pytest.fail, rotation=Rotation(rows=2, files=3))
    for _ in range(5):
        log.put(logged, logged.served)
    log.close()
    names = [path.name for path in sorted(tmp_path.iterdir())]
    assert [name.rpartition("-")[2] for name in names] == [
        f"00000{number}.parquet" for number in (3, 4, 5)
    ]
    assert stored(tmp_path).height == 6


def test_what_waits_too_long_is_written(logged: Answer, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, pytest.fail, rotation=Rotation(seconds=0.05))
    log.put(logged, logged.served)
    for _ in range(200):
        if log.written:
            break
        threading.Event().wait(0.02)
    assert log.written == 2
    log.close()


def test_what_does_not_fit_is_dropped_and_no_answer_waits(
    logged: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    whole = PredictionLog._rows

    def slow(self: PredictionLog, *item: Any) -> Any:
        goes_on.wait(20)
        return whole(self, *item)

    monkeypatch.setattr(PredictionLog, "_rows", slow)
    monkeypatch.setattr(prediction_log, "ROWS_WAITING", 7)
    said: list[str] = []
    log = PredictionLog(tmp_path, said.append)
    for _ in range(4):
        log.put(logged, logged.served)
    # Three outcomes each: two of the answers fit.
    assert log.dropped == 6
    assert said == ["3 predictions so far were not logged: too many at a time."]
    goes_on.set()
    log.close()
    assert log.written == 4


def test_a_full_disk_is_told_and_nothing_else_happens(
    logged: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    said: list[str] = []
    monkeypatch.setattr(prediction_log, "write_parquet", full)
    log = PredictionLog(tmp_path, said.append)
    log.put(logged, logged.served)
    log.close()
    assert "No space left" in said[0]
    assert (log.dropped, log.written) == (2, 0)


def test_a_folder_or_key_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"short")
    with pytest.raises(ConfigError, match="cannot be written to"):
        open_log(str(tmp_path / "file" / "log"), None, pytest.fail)
    with pytest.raises(ConfigError, match="fewer than 16"):
        open_log(str(tmp_path / "log"), str(tmp_path / "file"), pytest.fail)
    with pytest.raises(ConfigError, match="cannot be read"):
        open_log(str(tmp_path / "log"), str(tmp_path / "nothing"), pytest.fail)
