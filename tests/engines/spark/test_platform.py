"""A run whose ETL is on Spark ends with the local engine's model, to the last byte."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl
import pytest

import basketwise as bw
from basketwise.files import ARCHIVE, EVALUATION_RESULTS, MANIFEST, MODEL
from basketwise.settings import load_config
from tests.cli.calling import SMALL, Outcome, call
from tests.engines.spark.conftest import Spark

EPOCH = {"SOURCE_DATE_EPOCH": "1767225600"}


def archived(workspace: Path) -> dict[str, Any]:
    """Read a run's archive, but for what two runs on one machine differ in: names and times."""
    (path,) = workspace.glob(f"artifacts/*/{ARCHIVE}")
    with tarfile.open(path) as archive:
        files: dict[str, Any] = {
            member.name: archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
            if member.isfile()
        }
    manifest = json.loads(files[MANIFEST])
    for name in ("run_id", "command"):
        del manifest[name]
    del manifest["files"][EVALUATION_RESULTS]
    results = json.loads(files[EVALUATION_RESULTS])
    for row in (*results["model_comparison"], *results["references"]):
        del row["fit_seconds"]
    return files | {MANIFEST: manifest, EVALUATION_RESULTS: results}


def run(data: str | Path, workspace: Path, *options: str) -> Outcome:
    given = ("run", data, "--workspace", workspace, "--json", *SMALL, *options)
    done = call(*given, environment=EPOCH)
    assert done.code == 0, done.err
    return done


@pytest.fixture(scope="module")
def here(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    workspace = tmp_path_factory.mktemp("here") / "ws"
    return workspace, run(sample, workspace)


def test_a_run_on_files_ends_with_the_same_archive(
    spark: Spark, sample: Path, here: tuple[Path, Outcome], tmp_path: Path
) -> None:
    workspace, expected = here
    url = () if spark.name == "classic" else ("--spark", spark.url)
    there = run(sample, tmp_path / "ws", "--engine", "spark", *url)
    own, others = archived(tmp_path / "ws"), archived(workspace)
    assert own.keys() == others.keys() > {MODEL, MANIFEST}
    assert [name for name in own if own[name] != others[name]] == []
    for key in ("best_model", "accuracy", "approved", "lines"):
        assert there.json[key] == expected.json[key]
    # What was made there is as good as what is made here.
    again = run(sample, tmp_path / "ws")
    assert {stage["status"] for stage in again.json["stages"].values()} == {"cached"}


def test_etl_of_a_table(classic: Spark, sample: Path, tmp_path: Path) -> None:
    lines = pl.concat(pl.read_csv(path, infer_schema=False) for path in sorted(sample.iterdir()))
    classic.frame(lines).write.saveAsTable("default.till")
    done = call(
        *("etl", "spark_catalog.default.till", "--engine", "spark", "--json", *SMALL),
        *("--workspace", tmp_path / "ws"),
    )
    assert done.code == 0, done.err
    (file,) = done.json["files"]
    assert (file["name"], file["lines"]) == ("spark_catalog.default.till", lines.height)
    again = call(
        *("etl", "spark_catalog.default.till", "--engine", "spark", "--json", *SMALL),
        *("--workspace", tmp_path / "ws"),
    )
    assert "cached" in again.err


def test_a_frame_is_trained_on(
    sail: Spark, sample: Path, here: tuple[Path, Outcome], tmp_path: Path
) -> None:
    lines = pl.concat(pl.read_csv(path, infer_schema=False) for path in sorted(sample.iterdir()))
    config = load_config(None, {}, SMALL[1::2])
    with mock.patch.dict(os.environ, EPOCH):
        trained = bw.train(sail.frame(lines), workspace=tmp_path / "ws", config=config)
    (expected,) = here[0].glob("artifacts/*/model.skops")
    assert (trained.folder / "model.skops").read_bytes() == expected.read_bytes()
    (file,) = trained.report["data"]["files"]
    assert (file["name"], file["lines"]) == ("table", lines.height)


@pytest.mark.parametrize("command", ["run", "etl"])
def test_a_session_goes_with_its_engine(command: str) -> None:
    done = call(command, "raw", "--spark", "local")
    assert done.code == 2
    assert "--spark goes with --engine spark" in done.err
