"""Tasks give the probabilities that this process gives, whatever rows they get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from basketwise.config import ModelName, TrainingConfig
from basketwise.engines.spark import asking
from basketwise.engines.spark.exchange import Folder
from basketwise.engines.spark.pieces import SparkMap
from basketwise.pieces import here
from basketwise.training.answering import Model
from basketwise.training.fitting import PREDICT_ROWS, fit
from tests.engines.spark.conftest import Spark
from tests.training.made_up import made_up

CONFIG = TrainingConfig.model_validate(
    {"random_forest": {"n_estimators": 4}, "xgboost": {"n_estimators": 4}}
)
TREES: tuple[ModelName, ...] = ("decision_tree", "random_forest", "xgboost")
ROWS = made_up(100)


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    return {name: Model(fit(name, ROWS, CONFIG), ROWS.columns) for name in CONFIG.models}


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows with another order of columns than the models have, and one that they do not see."""
    path = tmp_path_factory.mktemp("gold") / "test_features.parquet"
    table = pl.DataFrame(ROWS.X, schema=list(ROWS.columns)).with_columns(label=pl.lit("Low"))
    table.select(sorted(table.columns, reverse=True)).write_parquet(path)
    return path


def expected(model: Model) -> Any:
    return model.fitted.predict(ROWS.X).astype(np.float32)


def test_every_candidate_answers_in_spark(
    sail: Spark, models: dict[str, Model], gold: Path, tmp_path: Path
) -> None:
    exchange = Folder(tmp_path / "exchange")
    exchange.open()
    answers = asking.asked(SparkMap(sail.session, exchange), models, path=gold)
    assert list(answers) == list(models)
    for name, model in models.items():
        assert np.array_equal(answers[name], expected(model))


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_the_cuts_change_nothing(
    rows: int, models: dict[str, Model], gold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ROWS", rows)
    own = {name: models[name] for name in TREES}
    for name, answers in asking.asked(here, own, path=gold).items():
        assert np.array_equal(answers, expected(models[name]))


def test_rows_are_cut_where_one_machine_cuts_them() -> None:
    assert asking.ROWS % PREDICT_ROWS == 0
