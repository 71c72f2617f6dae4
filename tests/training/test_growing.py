from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from basketwise.config import TrainingConfig
from basketwise.training import growing
from basketwise.training.candidates import build, fit_candidate
from basketwise.training.checkpoints import NOWHERE
from basketwise.training.growing import STEP, grow
from tests.training.made_up import made_up


def forest(**settings: Any) -> RandomForestClassifier:
    return RandomForestClassifier(
        **{"n_estimators": 60, "max_depth": 4, "random_state": 3} | settings
    )


def test_its_trees_are_the_first_of_the_whole_forest() -> None:
    rows = made_up(900)
    grown, whole = forest(), forest()
    grow(grown, rows.X, rows.y)
    whole.fit(rows.X, rows.y)
    assert 2 * STEP <= len(grown.estimators_) < 60
    assert grown.n_estimators == len(grown.estimators_)
    assert grown.warm_start is False
    for own, other in zip(grown.estimators_, whole.estimators_, strict=False):
        assert own.tree_.predict(rows.X).tobytes() == other.tree_.predict(rows.X).tobytes()


def test_it_grows_on_while_that_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = made_up(300)
    monkeypatch.setattr(growing, "GAIN", 0.0)
    monkeypatch.setattr(growing, "LEAST", -1.0)
    grown = forest(n_estimators=45)
    grow(grown, rows.X, rows.y)
    assert len(grown.estimators_) == 45


@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores")
def test_the_score_is_that_of_baskets_a_tree_has_not_seen() -> None:
    rows = made_up(600)
    grown = forest(n_estimators=30, oob_score=True)
    grow(grown, rows.X, rows.y)
    own = np.arange(rows.y.size)
    total, asked = np.zeros((own.size, 3)), np.zeros(own.size)
    growing._ask(grown, 0, rows.X, own, total, asked)
    some = asked > 0
    expected = grown.oob_decision_function_[some]
    np.testing.assert_allclose(total[some] / asked[some, None], expected, atol=1e-12)


@pytest.mark.parametrize("settings", [{"bootstrap": False}, {"n_estimators": 2 * STEP}])
def test_one_that_cannot_be_judged_is_fitted_whole(settings: dict[str, Any]) -> None:
    rows = made_up(300)
    grown = forest(**settings)
    grow(grown, rows.X, rows.y)
    assert len(grown.estimators_) == grown.n_estimators == forest(**settings).n_estimators


@pytest.mark.parametrize("early", [True, False])
def test_the_setting_decides(early: bool) -> None:
    rows = made_up(900)
    config = TrainingConfig(forest_stops_early=early)
    model: Any = build("random_forest", config, rows.y.size)
    fit_candidate("random_forest", model, rows.X, rows.y, config, NOWHERE, "forest")
    assert (len(model.estimators_) < 100) is early
