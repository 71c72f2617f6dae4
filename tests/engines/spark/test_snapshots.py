"""A table of Delta or Iceberg is read at one snapshot, whatever is written to it meanwhile."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from pyspark.errors import AnalysisException, ParseException

from basketwise.config import Config
from basketwise.engines.spark import batch, counting, platform, scoring, silver
from basketwise.engines.spark.batch import predict
from basketwise.engines.spark.snapshots import open_table, pinned
from basketwise.errors import InputError, WorkspaceError
from basketwise.etl.raw.table_name import TableName
from basketwise.model.scoring import Model
from tests.cli.calling import SMALL, call
from tests.engines.spark.conftest import Spark
from tests.engines.spark.running import Table, etl_of_frame, etl_there, lines_of, made_table
from tests.etl.running import quiet
from tests.evaluation.running import Evaluated

FEW = Config.model_validate({"training": {"folds": 2}, "features": {"tried": []}})
KEEPING = ["delta", "iceberg"]


@pytest.fixture(params=KEEPING)
def table(
    request: pytest.FixtureRequest, sail: Spark, plain_lines: pl.DataFrame, tmp_path: Path
) -> Table:
    return made_table(sail, plain_lines, request.param, tmp_path)


def test_the_latest_snapshot_is_found_and_read(table: Table, plain_lines: pl.DataFrame) -> None:
    first = table.now
    for rows in (10, 20):
        table.append(plain_lines.head(rows))
    last = table.now
    assert first.snapshot
    assert last.snapshot
    assert first != last
    session = table.spark.session
    table.append(plain_lines.head(5))
    heights = [open_table(session, which).count() for which in (first, last, TableName(table.name))]
    assert heights == [plain_lines.height + rows for rows in (0, 30, 35)]
    # One that is named stays.
    assert pinned(session, first) == first


def test_a_delta_table_with_a_checkpoint(
    sail: Spark, plain_lines: pl.DataFrame, tmp_path: Path
) -> None:
    table = made_table(sail, plain_lines.head(3), "delta", tmp_path)
    for _ in range(12):
        table.append(plain_lines.head(1))
    assert list(tmp_path.glob("*/_delta_log/*.checkpoint.parquet"))
    assert table.now.snapshot == "12"


def test_tables_without_snapshots(sail: Spark, plain_lines: pl.DataFrame, tmp_path: Path) -> None:
    table = made_table(sail, plain_lines, "parquet", tmp_path)
    assert table.now == TableName(table.name)
    sail.session.sql(f"CREATE VIEW shop.v AS TABLE {table.name}").collect()
    for name in ("shop.v", "shop.none"):
        assert pinned(sail.session, TableName(name)) == TableName(name)


def test_a_snapshot_that_is_not_there(table: Table) -> None:
    gone = TableName(table.name, "77")
    with pytest.raises(InputError, match=f"Spark cannot read '{table.name}@v77'"):
        open_table(table.spark.session, gone).collect()


def test_etl_sees_one_snapshot_though_lines_are_added_between_its_passes(
    table: Table, plain_lines: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, count = table.now, counting.count

    def written_meanwhile(*arguments: Any) -> counting.Counted:
        table.append(plain_lines.head(100).with_columns(pl.lit("NEW").alias("PROD_CODE")))
        return count(*arguments)

    monkeypatch.setattr(silver, "count", written_meanwhile)
    there = etl_there(table.spark.session, table.name, tmp_path / "there", FEW)
    assert open_table(table.spark.session, TableName(table.name)).count() > plain_lines.height
    monkeypatch.setattr(silver, "count", count)
    same = etl_of_frame(table.spark.frame(plain_lines), tmp_path / "same", FEW)
    assert lines_of(there.silver).drop("source").equals(lines_of(same.silver).drop("source"))
    (file,) = there.metadata.files
    assert (file.name, file.lines) == (table.name, plain_lines.height)
    assert there.metadata.snapshots == {table.name: before.snapshot}
    assert same.metadata.snapshots == {}


def test_predict_reads_the_snapshot_that_is_named_or_that_was_there_first(
    table: Table, model: Model, plain_lines: pl.DataFrame, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(batch, "spark_session", lambda *_: nullcontext(table.spark.session))
    before, scored = table.now, scoring.scored
    expected = model.predict(plain_lines)

    def written_meanwhile(*arguments: Any, **options: Any) -> Any:
        table.append(plain_lines.head(100))
        return scored(*arguments, **options)

    monkeypatch.setattr(batch, "scored", written_meanwhile)
    for number, name in enumerate((table.name, str(before))):
        out = tmp_path / f"out{number}"
        result = predict(name, str(out), model, Config(), quiet)
        assert (result.snapshot, result.lines) == (before.snapshot, plain_lines.height)
        assert pl.read_parquet(out / "*.parquet").sort("basket_id").equals(expected)
    with pytest.raises(WorkspaceError, match="names a snapshot"):
        predict(table.name, "shop.scores@v3", model, Config(), quiet)


def test_commands_say_which_snapshot_they_read(
    table: Table, evaluated: Evaluated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (batch, platform):
        monkeypatch.setattr(module, "spark_session", lambda *_: nullcontext(table.spark.session))
    snapshot, spark = table.now.snapshot, ("--engine", "spark")
    done = call("etl", table.name, "--workspace", tmp_path / "ws", *SMALL, *spark)
    assert done.code == 0, done.err
    assert f"table     {table.name}, snapshot {snapshot}\n" in done.out
    model, out = ("--model", evaluated.archive), ("--out", tmp_path / "out")
    done = call("predict", table.name, *model, *out, *spark)
    assert done.code == 0, done.err
    assert f"table     {table.name}, snapshot {snapshot}\n" in done.err
    done = call(
        "predict", f"{table.name}@v{snapshot}", *model, "--out", tmp_path / "j", *spark, "--json"
    )
    assert done.json["snapshot"] == snapshot


class Statements:
    """A session that answers statements as another implementation does."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def sql(self, statement: str) -> Any:
        self.asked.append(statement)
        answer = next(rows for start, rows in self.answers.items() if start in statement)
        if isinstance(answer, Exception):
            raise answer
        return self.Rows(answer)

    class Rows(NamedTuple):
        """The result of a statement."""

        rows: list[Any]

        def collect(self) -> list[Any]:
            return self.rows


def details(provider: str, *rows: tuple[str, str | None]) -> list[tuple[str, str | None]]:
    # A column may have any name.
    columns: list[tuple[str, str | None]] = [("BASKET_ID", "string"), ("Provider", "delta")]
    header: list[tuple[str, str | None]] = [("", ""), ("# Detailed Table Information", "")]
    return [*columns, *header, ("Provider", provider), *rows]


@pytest.mark.parametrize(
    ("answers", "snapshot"),
    [
        ({"TABLE": details("delta"), "HISTORY": [{"version": 7}]}, "7"),
        ({"TABLE": details("DELTA"), "HISTORY": [{"version": 0}]}, "0"),
        ({"TABLE": details("delta"), "HISTORY": []}, None),
        ({"TABLE": details("delta"), "HISTORY": AnalysisException("kept elsewhere")}, None),
        ({"TABLE": details("iceberg"), ".refs": [(8940556835085920119,)]}, "8940556835085920119"),
        ({"TABLE": details("iceberg"), ".refs": []}, None),
        ({"TABLE": details("iceberg"), ".refs": AnalysisException("no such table")}, None),
        ({"TABLE": details("parquet")}, None),
        ({"TABLE": [("Provider", "delta")]}, None),
        ({"TABLE": ParseException("no such statement")}, None),
    ],
)
def test_what_catalogues_answer(answers: dict[str, Any], snapshot: str | None) -> None:
    session: Any = Statements(**answers)
    table = TableName("shop.raw.tills-2024")
    assert pinned(session, table) == TableName(table.name, snapshot)
    assert all("`shop`.`raw`.`tills-2024`" in statement for statement in session.asked)


@pytest.mark.parametrize("text", ["", "no JSON", '{"current-snapshot-id": -1}', "{}"])
def test_metadata_of_iceberg_that_name_no_snapshot(sail: Spark, tmp_path: Path, text: str) -> None:
    (tmp_path / "v1.metadata.json").write_text(text)
    location = f"file://{tmp_path}/v1.metadata.json"
    properties = f"[previous_metadata_location=nowhere, metadata_location={location}]"
    answers = {
        "TABLE": details("iceberg", ("Table Properties", properties)),
        ".refs": AnalysisException("no such table"),
    }
    session: Any = Statements(**answers)
    session.read = sail.session.read
    assert pinned(session, TableName("shop.lines")).snapshot is None
