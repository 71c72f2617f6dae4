"""A run on a table is made again from the same lines, or not at all."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import polars as pl
import pytest

import basketwise as bw
from basketwise.engines.spark import platform
from basketwise.settings import load_config
from tests.cli.calling import SMALL, Outcome, call
from tests.engines.spark.conftest import Spark
from tests.engines.spark.running import Table, made_table

EPOCH = {"SOURCE_DATE_EPOCH": "1767225600"}
SPARK = ("--engine", "spark")


@pytest.fixture(autouse=True)
def session(sail: Spark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "spark_session", lambda *_: nullcontext(sail.session))


def run(table: Table, workspace: Path, *options: str) -> Outcome:
    given = ("run", table.name, "--workspace", workspace, "--no-register", *SMALL, *SPARK)
    done = call(*given, *options, environment=EPOCH)
    assert done.code == 0, done.err
    return done


def reproduced(workspace: Path, *options: str) -> Outcome:
    (folder,) = workspace.glob("artifacts/run-*")
    return call("reproduce", folder.name, "--workspace", workspace, *options, environment=EPOCH)


def test_a_run_on_a_snapshot_is_reproduced_from_it(
    sail: Spark, plain_lines: pl.DataFrame, tmp_path: Path
) -> None:
    table, workspace = made_table(sail, plain_lines, "delta", tmp_path), tmp_path / "ws"
    name, snapshot = table.name, table.now.snapshot
    assert f"table     {name}, snapshot {snapshot}" in run(table, workspace).out
    (page,) = workspace.glob("artifacts/*/report.html")
    assert f"{name}@v{snapshot}</th>" in page.read_text()
    table.append(plain_lines.head(200))
    again = reproduced(workspace, *SPARK, "--json")
    assert again.code == 0, again.err
    assert again.json["same"]
    assert all(origin["same"] for origin in again.json["origins"])
    # The table as it is now is another one.
    now = reproduced(workspace, *SPARK, "--data", name)
    assert now.code == 2
    assert f"{name} has other lines than those that run-" in now.err
    here = reproduced(workspace)
    assert here.code == 2
    assert f"If {name} is a table of a catalogue, add --engine spark." in here.err


def test_a_run_on_a_table_without_snapshots_is_reproduced_from_the_same_lines(
    sail: Spark, plain_lines: pl.DataFrame, tmp_path: Path
) -> None:
    table, workspace = made_table(sail, plain_lines, "parquet", tmp_path), tmp_path / "ws"
    assert run(table, workspace, "--json").json["snapshots"] == {}
    again = reproduced(workspace, *SPARK, "--json")
    assert again.code == 0, again.err
    assert again.json["same"]
    table.append(plain_lines.head(1))
    changed = reproduced(workspace, *SPARK)
    assert changed.code == 2
    assert f"{table.name} has other lines than those that run-" in changed.err
    assert "name a table or a snapshot that has them with --data" in changed.err


@pytest.mark.parametrize("kind", ["Spark", "Polars"])
def test_a_run_on_a_frame_is_reproduced_from_the_lines_that_are_named(
    sail: Spark, plain_lines: pl.DataFrame, tmp_path: Path, kind: str
) -> None:
    workspace, config = tmp_path / "ws", load_config(None, {}, SMALL[1::2])
    lines = sail.frame(plain_lines) if kind == "Spark" else plain_lines
    with mock.patch.dict(os.environ, EPOCH):
        bw.train(lines, workspace=workspace, config=config)
    refused = reproduced(workspace)
    assert refused.code == 2
    assert "which cannot be read again" in refused.err
    plain_lines.write_parquet(tmp_path / "lines.parquet")
    again = reproduced(workspace, "--data", str(tmp_path / "lines.parquet"), "--json")
    same = {output["name"]: output["same"] for output in again.json["outputs"]}
    assert same["model.skops"]
    assert same["train_features.parquet"]
