"""XGBoost's final fit by something else than this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from basketwise.config import TrainingConfig
from basketwise.errors import ConfigError
from basketwise.etl.gold.tables import REST_FOLDER, TRAIN_FILE
from basketwise.features.product import SHARE_NEW
from basketwise.files import MODEL
from basketwise.training.boosters import dump_booster
from basketwise.training.checkpoints import NOWHERE, Checkpoints
from basketwise.training.distributed import (
    XGBOOST,
    Boosted,
    TrainingRows,
    fit_distributed,
    rows_of,
    stored_facts,
)
from basketwise.training.elimination import Judge
from basketwise.training.examples import Examples
from basketwise.training.persistence import load_model, stored_model
from basketwise.training.race import train_all
from basketwise.training.record import DistributedFit
from basketwise.training.stage import run_training
from tests.etl.running import Run, quiet
from tests.training.made_up import made_up

CONFIG = TrainingConfig(
    models=("xgboost", "decision_tree"),
    xgboost={"n_estimators": 6, "max_depth": 3},
    decision_tree={"max_depth": 1},
    folds=3,
    xgboost_on_spark=True,
)
ROWS = TrainingRows((), ("a", "b", "c", "d"), without_new=False)
FIT = DistributedFit(estimator="an.engine's", baskets=900, workers=4)


def boost_on(examples: Examples) -> Any:
    def boost(model: Any, rows: TrainingRows) -> Boosted:
        assert not hasattr(model, "_Booster")
        fitted = type(model)(**model.get_params()).fit(examples.X, examples.y)
        return Boosted(dump_booster(fitted.get_booster()), FIT)

    return boost


def test_the_classifier_is_that_of_a_fit_here(tmp_path: Path) -> None:
    sample, more = made_up(90), made_up(900, seed=1)
    pieces = Checkpoints(tmp_path, "key")
    pieces.prepare()
    fitted = fit_distributed(boost_on(more), ROWS, sample, CONFIG, pieces)
    whole = fit_distributed(boost_on(more), ROWS, more, CONFIG, NOWHERE)
    expected = whole.model.predict_proba(more.X)
    assert np.array_equal(fitted.model.predict_proba(more.X), expected)
    assert type(fitted.model).__name__ == "XGBClassifier"
    assert fitted.distributed == FIT
    stored = stored_model(pieces, XGBOOST)
    assert stored is not None
    assert np.array_equal(stored[0].predict_proba(more.X), expected)
    assert stored_facts(pieces, XGBOOST) == FIT
    assert stored_facts(NOWHERE, XGBOOST) is None


def test_facts_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    pieces = Checkpoints(tmp_path, "key")
    pieces.store("xgboost-distributed", b"{}")
    assert stored_facts(pieces, XGBOOST) is None


@pytest.mark.parametrize(("trees", "winner"), [(6, "xgboost"), (0, "decision_tree")])
def test_only_a_winner_is_fitted_elsewhere(trees: int, winner: str) -> None:
    sample = made_up(600)
    config = CONFIG.model_copy(update={"xgboost": {"n_estimators": trees, "max_depth": 3}})
    calls = []

    def elsewhere() -> Any:
        calls.append(1)
        return fit_distributed(boost_on(sample), ROWS, sample, config, NOWHERE)

    judge = Judge(sample, np.ones(sample.y.size), forward=False)
    given = {XGBOOST: elsewhere}
    race, _ = train_all(sample, config, quiet, judge, NOWHERE, lambda *_: None, given)
    fitted = race.fitted
    assert race.winner == winner
    assert len(calls) == (winner == "xgboost")
    assert (fitted["xgboost"].distributed == FIT) == (winner == "xgboost")
    assert fitted["decision_tree"].distributed is None


def test_what_is_learned_from(tmp_path: Path) -> None:
    sample = made_up(90)
    (tmp_path / REST_FOLDER).mkdir()
    for name in ("000002.arrow", "000000.arrow"):
        (tmp_path / REST_FOLDER / name).touch()
    rows = rows_of(tmp_path, sample)
    assert [path.relative_to(tmp_path).as_posix() for path in rows.files] == [
        TRAIN_FILE,
        "rest/000000.arrow",
        "rest/000002.arrow",
    ]
    assert rows.columns == sample.columns
    # No row of the sample has new products: others that do are passed over, as they are in it.
    assert rows.without_new
    often = np.full((90, 1), 0.5, dtype=np.float32)
    assert not rows_of(
        tmp_path, Examples(sample.ids, often, sample.y, sample.fold, (SHARE_NEW,))
    ).without_new


def test_a_training_without_spark_refuses_the_setting(sample_run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="xgboost_on_spark needs a Spark session"):
        run_training(sample_run.gold, tmp_path, CONFIG, quiet)
    assert not list(tmp_path.iterdir())


def test_the_record_says_who_fitted_also_after_an_interruption(
    sample_run: Run, tmp_path: Path
) -> None:
    config = TrainingConfig(**CONFIG.model_dump() | {"folds": 5, "models": ("xgboost",)})
    gold = sample_run.gold

    def boost(model: Any, rows: TrainingRows) -> Boosted:
        assert rows.files == (gold / TRAIN_FILE,)
        examples = pl.read_parquet(rows.files[0])
        y = examples["price_sensitivity"].replace_strict({"Low": 0, "Medium": 1, "High": 2})
        X = examples.select(rows.columns).to_numpy().astype(np.float32)
        fitted = type(model)(**model.get_params()).fit(X, y.to_numpy())
        return Boosted(dump_booster(fitted.get_booster()), FIT)

    def never(model: Any, rows: TrainingRows) -> Boosted:
        raise AssertionError

    records = []
    for name, made_by in (("first", boost), ("again", never)):
        out = tmp_path / name
        out.mkdir()
        record = run_training(gold, out, config, quiet, tmp_path / "pieces", made_by)
        records.append(record.model_dump())
        assert record.candidates[0].distributed == FIT
        assert all(reference.distributed is None for reference in record.references)
    assert records[0] == records[1]
    models = [load_model(tmp_path / name / MODEL) for name in ("first", "again")]
    X = made_up(50).X[:, [0] * len(sample_run.metadata.feature_columns)]
    assert np.array_equal(models[0].predict_proba(X), models[1].predict_proba(X))
