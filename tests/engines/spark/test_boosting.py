"""XGBoost's final fit on Spark: the rows that its workers read, and the booster that comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast
from unittest import mock

import numpy as np
import polars as pl
import pytest
from py4j.protocol import Py4JJavaError
from xgboost import XGBClassifier

from basketwise.config import AwsConfig, Config, TrainingConfig
from basketwise.engines.spark import boosting, platform
from basketwise.engines.spark.boosting import (
    ESTIMATOR,
    SparkBoost,
    available_workers,
    check_session,
    estimator_of,
)
from basketwise.engines.spark.exchange import Exchange, Folder, exchange_at
from basketwise.engines.spark.platform import SparkPlatform
from basketwise.engines.spark.rows import FEATURES, LABEL
from basketwise.errors import ConfigError, DependencyError
from basketwise.etl.gold.tables import REST_FOLDER, TRAIN_FILE
from basketwise.features.product import SHARE_NEW
from basketwise.report.numbers import count
from basketwise.training.boosters import dump_booster
from basketwise.training.candidates import build, fit_candidate
from basketwise.training.checkpoints import NOWHERE
from basketwise.training.distributed import Boosted, TrainingRows
from basketwise.training.examples import read_examples
from tests.cli.calling import SMALL, call
from tests.engines.spark.conftest import Spark, collected
from tests.engines.spark.made_up_gold import COLUMNS, all_rows, write_rows
from tests.seaweed import S3Server

QUICK = TrainingConfig(xgboost={"n_estimators": 8, "max_depth": 3, "subsample": 0.8})
ON_SPARK = TrainingConfig(**QUICK.model_dump() | {"xgboost_on_spark": True})


@pytest.fixture
def rows(tmp_path: Path) -> TrainingRows:
    return write_rows(tmp_path)


class Here:
    """Stands for XGBoost's estimator, without a JVM: fits what the frame's tasks read."""

    def __init__(self, model: Any, workers: int) -> None:
        self.model, self.workers = model, workers

    def fit(self, frame: Any) -> Any:
        table = collected(frame)
        X = np.asarray(table[FEATURES].to_list(), np.float32)
        order = np.lexsort(X.T)
        return self.model.fit(X[order], table[LABEL].to_numpy()[order])


@pytest.fixture
def without_barriers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosting, "estimator_of", Here)
    monkeypatch.setattr(boosting, "available_workers", lambda _, wanted: wanted or 2)
    monkeypatch.setattr(platform, "check_session", lambda *_: None)


@pytest.fixture(params=["folder", "bucket"])
def exchange(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Exchange]:
    where, config = str(tmp_path / "exchange"), AwsConfig()
    if request.param == "bucket":
        server: S3Server = request.getfixturevalue("s3_server")
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        where, config = f"s3://{server.bucket}/{server.new_prefix()}", server.config
    own = exchange_at(where, config)
    own.open()
    yield own
    own.close()


@pytest.mark.usefixtures("without_barriers")
def test_the_frame_has_every_row_once(
    sail: Spark, rows: TrainingRows, exchange: Exchange, tmp_path: Path
) -> None:
    model = cast(Any, build("xgboost", QUICK, 1))
    booster, fit = SparkBoost(sail.session, exchange, 3)(model, rows)
    used = all_rows(rows).filter(pl.col(SHARE_NEW) == 0)
    assert (fit.estimator, fit.baskets, fit.workers) == (ESTIMATOR, used.height, 3)
    used.write_parquet(tmp_path / "used.parquet")
    examples = read_examples(tmp_path / "used.parquet", COLUMNS)
    order = np.lexsort(examples.X.T)
    again = cast(Any, build("xgboost", QUICK, 1)).fit(examples.X[order], examples.y[order])
    assert booster == dump_booster(again.get_booster())


LARGE = (
    *("--set", "training.models=xgboost"),
    *("--set", "training.xgboost_on_spark=true"),
    *("--set", "training.max_baskets=1000"),
    *("--set", "training.xgboost.n_estimators=8"),
)


def run(sample: Path, folder: Path, *options: str) -> Any:
    given = ("run", sample, "--workspace", folder / "ws", "--engine", "spark", "--no-register")
    return call(*given, *SMALL[2:], *LARGE, *options, "--json")


@pytest.mark.usefixtures("without_barriers")
def test_a_run_learns_from_baskets_that_were_not_drawn(
    sail: Spark, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "spark_session", lambda *_: nullcontext(sail.session))
    done = run(sample, tmp_path)
    assert done.code == 0, done.err
    check_run(done, tmp_path / "ws")
    assert not list((tmp_path / "ws").rglob("exchange-*"))
    settings = (*SMALL[2:], *LARGE, "--workspace", tmp_path / "ws")
    again = call("train", *settings, "--force", "--engine", "spark", "--json")
    assert again.code == 0, again.err
    assert again.json["candidates"][0]["distributed"]["workers"] == 2
    refused = call("train", *settings, "--force")
    assert refused.code == 2
    assert "training.xgboost_on_spark needs a Spark session" in refused.err


def document(path: Path) -> Any:
    return json.loads(path.read_bytes())


def check_run(done: Any, workspace: Path) -> None:
    gold, folder = workspace / "gold", next((workspace / "artifacts").iterdir())
    metadata = document(gold / "metadata.json")
    rest = pl.concat([pl.read_ipc(path) for path in sorted((gold / REST_FOLDER).iterdir())])
    train = pl.read_parquet(gold / TRAIN_FILE)
    assert metadata["rest_samples"] == rest.height > 500
    assert not set(rest["basket_id"]) & set(train["basket_id"])
    assert rest.columns == [name for name in train.columns if name != "fold"]
    distributed = document(folder / "training.json")["candidates"][0]["distributed"]
    assert document(folder / "model_metadata.json")["distributed"] == distributed
    assert distributed["estimator"] == ESTIMATOR
    assert 0.95 * (train.height + rest.height) < distributed["baskets"]
    assert distributed["baskets"] <= train.height + rest.height
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"was fitted on {count(distributed['baskets'])} training baskets by" in page
    assert f"learns from {rest.height:,} others too" in page
    # Without Spark, and without anything that the tasks know.
    raw = document(folder / "report.json")["run"]["data"]
    scored = call("predict", raw, "--model", folder / "model.tar.gz", "--out", folder / "s.parquet")
    assert scored.code == 0, scored.err
    assert pl.read_parquet(folder / "s.parquet").height > train.height + rest.height


@pytest.mark.parametrize("command", ["run", "etl"])
def test_one_machine_is_refused(command: str, sample: Path, tmp_path: Path) -> None:
    done = call(command, sample, "--workspace", tmp_path / "ws", *LARGE)
    assert done.code == 2
    assert "training.xgboost_on_spark needs a Spark session" in done.err
    assert not (tmp_path / "ws/gold").exists()


def test_spark_connect_is_refused(sail: Spark) -> None:
    with pytest.raises(ConfigError, match="needs a classic session: XGBoost's estimator works"):
        SparkPlatform(sail.session).start({}, Config(training=ON_SPARK))
    SparkPlatform(sail.session).start({}, Config(training=QUICK))


def classic_session(**settings: str) -> Any:
    session = mock.Mock()
    session.sparkContext.getConf.return_value = {
        f"spark.{name.replace('_', '.')}": value for name, value in settings.items()
    }
    return session


def test_executors_that_come_and_go_are_refused() -> None:
    elastic = {"dynamicAllocation_enabled": "true"}
    with pytest.raises(ConfigError, match="needs executors that stay"):
        check_session(classic_session(**elastic, master="yarn"), QUICK)


@pytest.fixture
def unvalidated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what asks the session; the parameters' names are still checked."""
    from xgboost.spark import SparkXGBClassifier

    monkeypatch.setattr(SparkXGBClassifier, "_validate_params", lambda _: None)


@pytest.mark.usefixtures("unvalidated")
def test_the_parameters_are_those_of_the_settings() -> None:
    config = TrainingConfig(
        random_state=7, xgboost={"max_depth": 4, "subsample": 0.5, "seed": 9, "max_bin": 64}
    )
    estimator = estimator_of(cast(Any, build("xgboost", config, 1)), 3)
    given = {param.name: value for param, value in estimator.extractParamMap().items()}
    assert (given["max_depth"], given["subsample"], given["max_bin"]) == (4, 0.5, 64)
    assert (given["random_state"], given["num_workers"], given["tree_method"]) == (9, 3, "hist")
    check_session(classic_session(dynamicAllocation_enabled="true", master="local[2]"), config)


@pytest.mark.usefixtures("unvalidated")
def test_a_parameter_that_the_estimator_does_not_take() -> None:
    with pytest.raises(ConfigError, match=r"does not take training\.xgboost: .*base_margin"):
        estimator_of(XGBClassifier(base_margin=1), 1)


def test_an_estimator_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosting, "estimator_of", mock.Mock(side_effect=ImportError("no pandas")))
    with pytest.raises(DependencyError, match=r"cannot be imported \(no pandas\)"):
        check_session(classic_session(), QUICK)


def test_workers_are_as_many_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    room = iter([0, 2, 4, 4, 4])
    monkeypatch.setattr(boosting, "PAUSE", 0.0)
    monkeypatch.setattr("xgboost.spark.utils._get_max_num_concurrent_tasks", lambda _: next(room))
    session = classic_session()
    assert available_workers(session, 0) == 2
    assert available_workers(session, 3) == 3
    monkeypatch.setattr(boosting, "PATIENCE", 0.0)
    with pytest.raises(ConfigError, match="xgboost_workers is 5, and the cluster runs 4 tasks"):
        available_workers(session, 5)


@pytest.mark.usefixtures("without_barriers")
def test_what_a_task_says_when_it_fails(
    sail: Spark, rows: TrainingRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = mock.Mock(_target_id="o1")
    said.getMessage.return_value = "Job aborted: no slots\n\tat org.apache.spark"
    failing = mock.Mock()
    failing.return_value.fit.side_effect = Py4JJavaError("while calling o1", said)
    monkeypatch.setattr(boosting, "estimator_of", failing)
    model = cast(Any, build("xgboost", QUICK, 1))
    with pytest.raises(DependencyError, match=r"^XGBoost failed on Spark: Job aborted: no slots\n"):
        SparkBoost(sail.session, Folder(tmp_path))(model, rows)


class TestClassic:
    """With a JVM."""

    def test_one_worker_is_the_local_fit_and_more_repeat_themselves(
        self, classic: Spark, rows: TrainingRows, tmp_path: Path
    ) -> None:
        def boosted(workers: int) -> Boosted:
            model = cast(Any, build("xgboost", QUICK, 1))
            return SparkBoost(classic.session, Folder(tmp_path), workers)(model, rows)

        used = all_rows(rows).filter(pl.col(SHARE_NEW) == 0)
        used.write_parquet(tmp_path / "used.parquet")
        examples = read_examples(tmp_path / "used.parquet", COLUMNS)
        here = cast(Any, build("xgboost", QUICK, 1))
        fit_candidate("xgboost", here, examples.X, examples.y, QUICK, NOWHERE, "xgboost")
        alone, two = boosted(1), boosted(2)
        assert alone.fit.baskets == used.height
        assert alone.booster == dump_booster(here.get_booster())
        assert boosted(0) == two
        assert two.fit.workers == 2

    def test_a_run(
        self, classic: Spark, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(platform, "spark_session", lambda *_: nullcontext(classic.session))
        done = run(sample, tmp_path)
        assert done.code == 0, done.err
        check_run(done, tmp_path / "ws")

    def test_a_setting_that_only_fails_with_a_session(self, classic: Spark) -> None:
        config = TrainingConfig(xgboost={"tree_method": "exact"})
        with pytest.raises(ConfigError, match="`exact` tree method is not supported"):
            check_session(classic.session, config)

    def test_a_worker_that_fails(self, classic: Spark, rows: TrainingRows, tmp_path: Path) -> None:
        config = TrainingConfig(xgboost={"n_estimators": 2, "max_depth": -3})
        model = cast(Any, build("xgboost", config, 1))
        with pytest.raises(DependencyError, match="XGBoost failed on Spark: "):
            SparkBoost(classic.session, Folder(tmp_path), 1)(model, rows)
