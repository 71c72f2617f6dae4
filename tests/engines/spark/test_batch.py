"""Files and tables on Spark: the rows and the summary of the local engine."""

from __future__ import annotations

import gzip
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest

from basketwise.config import Config
from basketwise.engines.spark import batch, reading
from basketwise.engines.spark.batch import predict, refuse_existing
from basketwise.engines.spark.snapshots import open_table
from basketwise.engines.spark.warehouse import Warehouse
from basketwise.errors import ConfigError, DependencyError, InputError, WorkspaceError
from basketwise.etl.raw.table_name import table_name
from basketwise.model.scoring import Model
from basketwise.serving.batch import BatchResult
from basketwise.serving.batch import predict as predict_here
from tests.cli.calling import call
from tests.engines.spark.conftest import Spark, collected
from tests.etl.running import quiet
from tests.evaluation.running import Evaluated


@pytest.fixture(scope="module")
def delivery(damaged_lines: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Baskets over several files of three formats, some lines in two, some no records."""
    folder = tmp_path_factory.mktemp("delivery")
    cuts = [damaged_lines[n::4] for n in range(4)]
    again = pl.concat([cuts[0], cuts[1].head(30)])
    for name in ("part=1", "part=2"):
        (folder / name).mkdir()
    again.write_csv(folder / "part=1/a.csv", separator=";")
    with (folder / "part=1/a.csv").open("a") as stream:
        stream.write('one;two\n"never closed;1\n')
    text = cuts[1].select(sorted(cuts[1].columns)).write_csv()
    (folder / "part=1/b.csv.gz").write_bytes(gzip.compress(text.encode()))
    cuts[2].write_parquet(folder / "part=2/c.parquet")
    (folder / "part=2/d.jsonl").write_text(
        "\n".join(json.dumps(row) for row in cuts[3].to_dicts()), "utf-8"
    )
    (folder / "part=2/readme.md").write_text("Not data.")
    return folder


def comparable(result: BatchResult) -> BatchResult:
    # Money is added up in another order.
    result.unseen.amount = round(result.unseen.amount, 6)
    result.unseen.unseen_amount = round(result.unseen.unseen_amount, 6)
    stores = {name: sorted(values) for name, values in result.unseen.stores.items()}
    result.unseen.stores = stores
    return replace(result, out=None, skipped=[])


def test_files_give_the_rows_and_the_summary_of_one_machine(
    spark: Spark, model: Model, delivery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "spark_session", lambda *_: nullcontext(spark.session))
    here = tmp_path / "here.parquet"
    expected = predict_here(str(delivery), here, model, Config(), quiet)
    result = predict(str(delivery), str(tmp_path / "out"), model, Config(), quiet)
    rows = pl.read_parquet(tmp_path / "out/*.parquet").sort("basket_id")
    assert rows.equals(pl.read_parquet(here).sort("basket_id"))
    assert rows.height == expected.baskets > 250
    assert expected.rejected.keys() > {"duplicate_line", "basket_in_two_weeks"}
    assert comparable(result) == comparable(expected)


def test_a_table_is_scored_into_a_table(
    classic: Spark, model: Model, plain_lines: pl.DataFrame
) -> None:
    classic.frame(plain_lines).write.saveAsTable("default.lines")
    scores = "spark_catalog.default.scores"
    result = predict("default.lines", scores, model, Config(), quiet)
    table = collected(classic.session.table(scores))
    assert table.sort("basket_id").equals(model.predict(plain_lines))
    assert (result.lines, result.baskets) == (plain_lines.height, table.height)
    with pytest.raises(WorkspaceError, match="exists already"):
        predict("default.lines", scores, model, Config(), quiet)
    with pytest.raises(InputError, match=r"Spark cannot read 'default\.none'"):
        predict("default.none", "default.other", model, Config(), quiet)


def test_a_table_that_is_not_there(
    sail: Spark, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "spark_session", lambda *_: nullcontext(sail.session))
    with pytest.raises(InputError, match=r"Spark cannot read 'default\.none'"):
        predict("default.none", "default.other", model, Config(), quiet)


def test_names_of_tables_have_hyphens(sail: Spark, tmp_path: Path) -> None:
    """As catalogues of Databricks have: unquoted, they are minus."""
    session, schema = sail.session, f"my-{uuid4().hex}"
    session.sql(f"CREATE SCHEMA `{schema}` LOCATION '{tmp_path}/{schema}'").collect()
    batch._write(session.range(3), f"{schema}.raw-lines")
    table = table_name(f"{schema}.raw-lines")
    assert table is not None
    assert open_table(session, table).count() == 3
    with pytest.raises(WorkspaceError, match="exists already"):
        refuse_existing(session, str(table))
    warehouse = Warehouse(session, schema)
    warehouse.check()
    batch._write(session.range(3), warehouse.names[0])
    with pytest.raises(WorkspaceError, match="exists already"):
        warehouse.check()


def test_a_failure_of_spark_is_no_bug_of_ours(
    sail: Spark, model: Model, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.errors import PySparkException

    def fail(*_: Any) -> None:
        raise PySparkException("no executor is left")

    monkeypatch.setattr(batch, "spark_session", lambda *_: nullcontext(sail.session))
    monkeypatch.setattr(batch, "survey_files", fail)
    with pytest.raises(DependencyError, match="Spark failed: no executor is left"):
        predict(str(sample), str(tmp_path / "out"), model, Config(), quiet)


def test_files_that_are_not_there_or_too_large(
    sail: Spark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"Spark cannot read|No raw files found"):
        reading.open_files(sail.session, str(tmp_path / "none/*.csv"))
    (tmp_path / "large.csv").write_text("PROD_CODE\nA\n")
    monkeypatch.setattr(reading, "LARGEST_FILE", 11)
    with pytest.raises(InputError, match="has 12 bytes: Spark hands over files of at most 11"):
        reading.open_files(sail.session, str(tmp_path))


def test_the_command_prints_what_it_prints_without_spark(
    sail: Spark, evaluated: Evaluated, delivery: Path, tmp_path: Path
) -> None:
    given = ("predict", str(delivery), "--model", evaluated.archive, "--json", "--out")
    here = call(*given, tmp_path / "here.parquet")
    there = call(*given, tmp_path / "out", "--engine", "spark", "--spark", sail.url)
    assert (here.code, there.code) == (0, 0), there.err
    for key in ("baskets", "predicted", "unclassified", "lines", "rejected", "incomplete_baskets"):
        assert there.json[key] == here.json[key]
    assert there.json["out"] == str(tmp_path / "out")
    again = call(*given, tmp_path / "out", "--engine", "spark", "--spark", sail.url)
    assert again.code == 2
    assert "exists already" in again.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--spark", "local"), "--spark goes with --engine spark"),
        (("--engine", "spark", "--basket", "1"), "needs --out with a folder or a table"),
        (("--engine", "spark", "--out", "x", "--explain"), "has no --explain"),
        (("--engine", "spark", "--out", "-"), "needs --out with a folder"),
    ],
)
def test_options_that_do_not_go_together(arguments: tuple[str, ...], message: str) -> None:
    done = call("predict", "raw", *arguments, *(() if "--engine" in arguments else ("--out", "x")))
    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "No raw files found|Spark cannot read"),
        ({"a.csv": "BASKET_ID,SPEND\n1,2\n"}, "'a.csv' lacks the required columns PROD_CODE"),
        ({"a.csv.gz": "no gzip"}, "'a.csv.gz' is a broken gzip"),
    ],
)
def test_files_that_cannot_be_used(
    sail: Spark,
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    message: str,
) -> None:
    monkeypatch.setattr(batch, "spark_session", lambda *_: nullcontext(sail.session))
    folder = tmp_path / "raw"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(InputError, match=message):
        predict(str(folder), str(tmp_path / "out"), model, Config(), quiet)


def test_data_without_a_known_product_is_not_scored(
    sail: Spark, model: Model, plain_lines: pl.DataFrame, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(batch, "spark_session", lambda *_: nullcontext(sail.session))
    lines = plain_lines.with_columns(pl.lit("NEW").alias("PROD_CODE"))
    lines.write_csv(tmp_path / "a.csv")
    with pytest.raises(InputError, match="The model knows no product of the data"):
        predict(str(tmp_path / "a.csv"), str(tmp_path / "out"), model, Config(), quiet)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(
    sail: Spark, model: Model, delivery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "spark_session", lambda *_: nullcontext(sail.session))
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="Spark cannot write"):
        predict(str(delivery), str(tmp_path / "file/out"), model, Config(), quiet)


def test_a_product_file_is_refused(model: Model) -> None:
    config = Config.model_validate({"data": {"products": "p.csv"}})
    with pytest.raises(ConfigError, match="Spark reads no product file"):
        predict("raw", "out", model, config, quiet)
