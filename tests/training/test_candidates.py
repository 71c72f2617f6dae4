from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from basketwise.candidates import CANDIDATES
from basketwise.config import ModelName, TrainingConfig
from basketwise.errors import ConfigError
from basketwise.training.candidates import build, fit_candidate
from basketwise.training.checkpoints import NOWHERE

ROWS = 300
NAMES: tuple[ModelName, ...] = get_args(ModelName)


def settings_of(name: ModelName, config: TrainingConfig | None = None) -> dict[str, Any]:
    model: Any = build(name, config or TrainingConfig(), ROWS)
    result: dict[str, Any] = (model[-1] if isinstance(model, Pipeline) else model).get_params()
    return result


@pytest.fixture(scope="module")
def rows() -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300).astype(np.int8)
    X = np.column_stack([y + rng.normal(0, 0.3, 300), rng.normal(0, 1000, 300)])
    return X.astype(np.float32), y


def test_each_name_of_the_settings_has_its_entry() -> None:
    assert tuple(CANDIDATES) == NAMES == TrainingConfig().models
    assert {candidate.name for candidate in CANDIDATES.values()} == set(CANDIDATES)
    assert all(candidate.title for candidate in CANDIDATES.values())


def test_the_four_are_what_they_are_called() -> None:
    logistic = build("logistic", TrainingConfig(), ROWS)
    assert isinstance(logistic, Pipeline)
    assert [type(step) for _, step in logistic.steps] == [StandardScaler, LogisticRegression]
    assert isinstance(build("decision_tree", TrainingConfig(), ROWS), DecisionTreeClassifier)
    assert isinstance(build("random_forest", TrainingConfig(), ROWS), RandomForestClassifier)
    assert isinstance(build("xgboost", TrainingConfig(), ROWS), XGBClassifier)


@pytest.mark.parametrize(
    ("name", "defaults"),
    [
        ("logistic", {"max_iter": 1000}),
        ("decision_tree", {"max_depth": 10, "min_samples_split": 20, "min_samples_leaf": 10}),
        (
            "random_forest",
            {
                "n_estimators": 100,
                "max_depth": 15,
                "min_samples_split": 20,
                "min_samples_leaf": 5,
                "max_samples": None,
            },
        ),
        (
            "xgboost",
            {
                "n_estimators": 100,
                "max_depth": 6,
                "learning_rate": 0.1,
                "subsample": 0.8,
                "colsample_bytree": 0.8,
            },
        ),
    ],
)
def test_the_designs_defaults(name: ModelName, defaults: dict[str, Any]) -> None:
    result = settings_of(name)
    assert {key: result[key] for key in defaults} == defaults
    assert result["random_state"] == 42


@pytest.mark.parametrize("name", NAMES)
def test_settings_reach_the_estimator(name: ModelName) -> None:
    config = TrainingConfig.model_validate({name: {"random_state": 7}, "random_state": 8})
    assert settings_of(name, config)["random_state"] == 7
    others = [other for other in NAMES if other != name]
    assert {settings_of(other, config)["random_state"] for other in others} == {8}


@pytest.mark.parametrize("name", ["logistic", "decision_tree", "random_forest"])
def test_an_unknown_setting_is_named(name: ModelName) -> None:
    config = TrainingConfig.model_validate({name: {"depth": 3}})
    with pytest.raises(ConfigError, match=rf"training\.{name} contains .*'depth'"):
        build(name, config, ROWS)


def test_an_unknown_setting_of_xgboost_is_named_which_only_warns_of_it() -> None:
    config = TrainingConfig.model_validate({"xgboost": {"max_dept": 3, "eta": 0.3, "verbosity": 0}})
    with pytest.raises(ConfigError, match=r"training\.xgboost contains .* not use max_dept\."):
        build("xgboost", config, ROWS)
    # Candidates are built in threads, to which XGBoost's own log is another.
    with (
        ThreadPoolExecutor(1) as threads,
        pytest.raises(ConfigError, match=r"training\.xgboost contains .* not use max_dept\."),
    ):
        threads.submit(build, "xgboost", config, ROWS).result()


@pytest.mark.parametrize("name", ["eta", "lambda", "min_split_loss", "seed"])
def test_xgboosts_own_names_of_parameters_are_taken(name: str) -> None:
    build("xgboost", TrainingConfig.model_validate({"xgboost": {name: 1}}), ROWS)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("logistic", {"max_iter": -1}),
        ("decision_tree", {"max_depth": "deep"}),
        ("random_forest", {"n_estimators": 0}),
        ("xgboost", {"max_depth": "deep"}),
        ("xgboost", {"subsample": 7}),
    ],
)
def test_a_value_that_an_estimator_refuses_is_an_error_of_the_settings(
    rows: tuple[NDArray[np.float32], NDArray[np.int8]],
    name: ModelName,
    parameters: dict[str, object],
) -> None:
    config = TrainingConfig.model_validate({name: parameters})
    model = build(name, config, ROWS)
    expected = rf"training\.{name} contains a value that .*{next(iter(parameters))}"
    with pytest.raises(ConfigError, match=expected):
        fit_candidate(name, model, *rows, config, NOWHERE, "piece")


@pytest.mark.parametrize("name", ["random_forest", "xgboost"])
def test_one_thread_each(name: ModelName) -> None:
    assert settings_of(name)["n_jobs"] == 1


@pytest.mark.parametrize(("most", "expected"), [(0, None), (ROWS, None), (ROWS - 1, ROWS - 1)])
def test_a_forests_trees_see_at_most_so_many(most: int, expected: int | None) -> None:
    config = TrainingConfig(forest_max_baskets=most)
    assert settings_of("random_forest", config)["max_samples"] == expected


@pytest.mark.parametrize("name", NAMES)
def test_each_learns_and_repeats_itself(
    name: ModelName, rows: tuple[NDArray[np.float32], NDArray[np.int8]]
) -> None:
    X, y = rows
    first, again = (
        build(name, TrainingConfig(), ROWS).fit(X, y).predict_proba(X) for _ in range(2)
    )
    assert first.shape == (300, 3)
    np.testing.assert_allclose(first.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(first, again)
    assert (first.argmax(axis=1) == y).mean() > 0.85
