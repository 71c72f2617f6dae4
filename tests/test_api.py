from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import basketwise as bw
from basketwise.api.raw_data import as_path
from basketwise.etl.silver.chunks import read_chunks
from basketwise.model.archive import load_model_archive
from tests.etl.running import Run
from tests.evaluation.running import Evaluated

pytestmark = pytest.mark.usefixtures("blank_pictures")

QUICK = bw.Config.model_validate({"training": {"models": ["decision_tree"]}})
RAW = bw.sample(baskets=1_500, seed=3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[bw.TrainingRun, Path]:
    folder = tmp_path_factory.mktemp("api")
    (folder / "raw").mkdir()
    for week, lines in RAW.partition_by("SHOP_WEEK", as_dict=True).items():
        lines.write_csv(folder / "raw" / f"{week[0]}.csv")
    run = bw.train(folder / "raw", workspace=folder / "ws", split="customer", config=QUICK)
    return run, folder


def test_the_public_names_are_few_and_all_there() -> None:
    assert len(bw.__all__) <= 14
    assert len(set(bw.__all__)) == len(bw.__all__)
    for name in bw.__all__:
        assert getattr(bw, name).__doc__, name
    assert set(bw.__all__) | {"__version__"} == set(dir(bw))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        bw.nothing  # noqa: B018


def test_importing_the_package_imports_no_library() -> None:
    code = "import basketwise, sys; print({'polars', 'numpy', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_run_returns_what_it_made(trained: tuple[bw.TrainingRun, Path]) -> None:
    run, folder = trained
    board = run.leaderboard
    assert board["winner"].to_list().count(True) == 1
    assert board.filter(pl.col("winner"))["model"].item() == "decision_tree"
    assert board["kind"].to_list()[-1] == "baseline"
    best = board.row(0, named=True)
    assert best["accuracy_low"] <= best["accuracy"] <= best["accuracy_high"]
    assert run.version == "1"
    assert run.report["winner"]["model"] == "decision_tree"
    assert run.folder == folder / "ws" / "artifacts" / run.run_id
    assert run.report["run"]["data"] == str(folder / "raw")
    assert "decision_tree" in repr(run)
    assert run._repr_html_().startswith("<iframe")
    assert "<html" not in run._repr_html_().partition("srcdoc=")[0]


def as_files(folder: Path) -> list[Path]:
    return sorted((folder / "raw").iterdir())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda folder: RAW, id="polars"),
        pytest.param(lambda folder: pd.DataFrame(RAW.to_dict(as_series=False)), id="pandas"),
        pytest.param(as_files, id="files"),
    ],
)
def test_a_table_teaches_what_its_files_do(
    trained: tuple[bw.TrainingRun, Path], tmp_path: Path, data: Any
) -> None:
    run, folder = trained
    again = bw.train(data(folder), workspace=tmp_path / "ws", split="customer", config=QUICK)
    for name in ("train_features", "test_features", "product_index"):
        made, expected = (
            (root / "ws" / "gold" / f"{name}.parquet").read_bytes() for root in (tmp_path, folder)
        )
        assert made == expected, name
    assert again.leaderboard.drop("fit_seconds").equals(run.leaderboard.drop("fit_seconds"))


def test_objects_that_no_file_holds_are_left_out_unless_they_are_needed() -> None:
    lines = RAW.head(2).with_columns(pl.Series("Sku", [object()] * 2, dtype=pl.Object))
    with as_path(lines, {}) as (folder, source):
        assert pl.read_parquet(folder).equals(RAW.head(2))
        assert source == "a table of 2 lines"
    refused = pytest.raises(bw.InputError, match="column Sku as objects of Python")
    with refused, as_path(lines, {"PROD_CODE": "SKU"}):
        pass


def test_columns_and_labels_of_ones_own(tmp_path: Path) -> None:
    own = {"BASKET_ID": "TransactionID", "PROD_CODE": "sku", "SPEND": "Amount"}
    labels = {"LA": "budget", "MM": "standard", "UM": "premium", "XX": "none"}
    frame = RAW.rename(own).with_columns(pl.col("BASKET_PRICE_SENSITIVITY").replace(labels))
    run = bw.train(
        frame,
        workspace=tmp_path / "ws",
        split="customer",
        columns=own,
        labels={
            "budget": "High",
            "standard": "Medium",
            "premium": "Low",
            "none": "Unclassified",
        },
        config=QUICK,
    )
    model = run.model
    assert model.predict(frame.head(200)).equals(model.predict(RAW.head(200)))


def test_models_are_loaded_from_a_workspace_or_an_archive(
    trained: tuple[bw.TrainingRun, Path], tmp_path: Path
) -> None:
    run, folder = trained
    expected = run.model.predict(RAW)
    archive = run.folder / "model.tar.gz"
    for model in (bw.load(folder / "ws"), bw.load(folder / "ws", version=1), bw.load(archive)):
        assert model.predict(RAW).equals(expected)
    with pytest.raises(bw.InputError, match="no workspace and no model at"):
        bw.load(tmp_path / "absent")
    with pytest.raises(bw.InputError, match="9"):
        bw.load(folder / "ws", version=9)
    with pytest.raises(bw.ConfigError, match="is one model"):
        bw.load(archive, version=1)


@pytest.mark.parametrize("data", [3, None, [1, 2], "absent"])
def test_data_that_are_none_are_refused(tmp_path: Path, data: Any) -> None:
    with pytest.raises(bw.InputError):
        bw.train(data, workspace=tmp_path / "ws")
    with pytest.raises(bw.ConfigError, match=r"split\.strategy"):
        bw.train(RAW, workspace=tmp_path / "ws", split="temporal")  # type: ignore[arg-type]
    with pytest.raises(bw.ConfigError, match="config is of type dict") as caught:
        bw.train(RAW, workspace=tmp_path / "ws", config={})  # type: ignore[arg-type]
    assert "Config.model_validate" in caught.value.hint
    wrong: Any = ["LA"]
    for name in ("columns", "labels"):
        with pytest.raises(bw.ConfigError, match=rf"{name} is \['LA'\]"):
            bw.train(RAW, workspace=tmp_path / "ws", **{name: wrong})


KINDS: dict[str, Any] = {
    "polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "pandas": lambda frame: pd.DataFrame(frame.to_dict(as_series=False)),
    "pyarrow": lambda frame: frame.to_arrow(),
    "duckdb": lambda frame: duckdb.sql("SELECT * FROM frame"),
    "rows": lambda frame: frame.to_dicts(),
    "columns": lambda frame: frame.to_dict(as_series=False),
    "text": lambda frame: frame.select(pl.all().cast(pl.String).name.to_lowercase()),
}


@pytest.fixture(scope="module")
def model(evaluated: Evaluated) -> bw.Model:
    return load_model_archive(evaluated.archive)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_is_scored_alike(model: bw.Model, kind: str) -> None:
    table = KINDS[kind](RAW)
    scores = model.predict(table)
    expected: Any = {"pandas": pd.DataFrame, "pyarrow": pa.Table}.get(kind, pl.DataFrame)
    assert isinstance(scores, expected)
    frame = pl.DataFrame(scores.to_dict("list")) if kind == "pandas" else pl.DataFrame(scores)
    plain = model.predict(RAW)
    assert frame.select(plain.columns).rows() == plain.rows()
    proba = model.predict_proba(table)
    assert list(
        proba.columns
        if kind == "pandas"
        else proba.schema.names
        if kind == "pyarrow"
        else proba.columns
    ) == [
        "basket_id",
        "p_low",
        "p_medium",
        "p_high",
        "known_share",
    ]
    explained = model.explain(table, baskets=plain["basket_id"].head(2).to_list())
    assert len(explained) == 2


def test_rejected_lines_are_not_lost_in_silence(model: bw.Model) -> None:
    bad = RAW.head(20).with_columns(
        pl.when(pl.int_range(pl.len()) < 3)
        .then(pl.lit("free"))
        .otherwise(pl.col("SPEND").cast(pl.String))
        .alias("SPEND")
    )
    with pytest.warns(UserWarning, match=r"3 of 20 lines rejected: 3 spend_not_a_number"):
        model.predict(bad)
    cleaned = bw.clean(bad)
    assert cleaned.rejected["row"].to_list() == [1, 2, 3]
    with pytest.raises(bw.InputError, match="None of the 3 lines"):
        model.predict(bad.head(3))


@pytest.mark.filterwarnings("ignore:.*never seen")
@settings(max_examples=25)
@given(drawn=st.data())
def test_a_basket_in_process_has_the_bits_of_the_batch(
    model: bw.Model, sample_run: Run, drawn: st.DataObject
) -> None:
    lines = next(iter(read_chunks(sample_run.silver))).lines
    batch = model.score(lines)
    chosen = drawn.draw(st.sampled_from(batch["basket_id"].to_list()))
    rows = lines.filter(pl.col("BASKET_ID") == chosen).drop("source", "row").to_dicts()
    unseen = drawn.draw(st.booleans())
    if unseen:
        rows[0]["PROD_CODE"] = "never seen"
    expected = model.predict(pl.DataFrame(rows, infer_schema_length=None)) if unseen else batch
    alone = model.predict(drawn.draw(st.permutations(rows)))
    assert alone.equals(expected.filter(pl.col("basket_id") == chosen))
    if unseen:
        assert alone["known_share"].item() == (len(rows) - 1) / len(rows)
