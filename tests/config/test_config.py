"""The settings' ranges, and that they are fixed once loaded."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from basketwise.config import Config, RegistryConfig
from basketwise.schema import CLASSES, DEFAULT_LABELS


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("data", "encoding", "utf-16"),
        ("data", "labels", {"LA": "Very high"}),
        ("etl", "outliers", "clamp"),
        ("etl", "outlier_quantile", 0),
        ("etl", "outlier_quantile", 1.01),
        ("features", "groups", []),
        ("features", "groups", ["basket", "basket"]),
        ("index", "ridge", 0),
        ("index", "refine_baskets", 0),
        ("index", "refine_rounds", -1),
        ("split", "strategy", "random"),
        ("split", "test_size", 0),
        ("split", "test_size", 1),
        ("split", "random_state", -1),
        ("split", "random_state", 2**32),
        ("training", "models", []),
        ("training", "models", ["logistic", "logistic"]),
        ("training", "folds", 1),
        ("training", "folds", 2.5),
        ("evaluation", "resamples", 99),
        ("evaluation", "confidence", 0.5),
        ("gate", "min_accuracy", 1.1),
        ("gate", "min_macro_f1", -0.1),
        ("registry", "group", "with space"),
        ("registry", "group", ""),
        ("business", "predictions_per_day", 0),
        ("business", "cost_matrix", [[1, 2], [3, 4]]),
        ("deployment", "target_cpu_utilization", 101),
        ("deployment", "initial_instance_count", 0),
    ],
)
def test_values_out_of_range_are_refused(section: str, key: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({section: {key: value}})

    assert {error["loc"][:2] for error in caught.value.errors()} == {(section, key)}


def test_capacities_must_be_in_order() -> None:
    with pytest.raises(ValidationError, match="min_capacity must not be above max_capacity"):
        Config.model_validate({"deployment": {"min_capacity": 11}})


def test_unknown_keys_and_sections_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"etl\.outlier"):
        Config.model_validate({"etl": {"outlier": "clip"}})
    with pytest.raises(ValidationError, match="elt"):
        Config.model_validate({"elt": {}})


def test_a_loaded_configuration_is_fixed() -> None:
    config = Config()

    with pytest.raises(ValidationError, match="frozen"):
        config.split = Config().split  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        config.split.test_size = 0.5  # type: ignore[misc]


def test_defaults_that_other_parts_and_people_rely_on() -> None:
    config = Config()

    assert (config.split.strategy, config.split.test_size, config.split.random_state) == (
        "time",
        0.2,
        42,
    )
    assert (config.gate.min_accuracy, config.gate.min_macro_f1) == (0.8, 0.7)
    assert config.training.models == ("logistic", "decision_tree", "random_forest", "xgboost")
    assert config.training.folds == 5
    assert (config.etl.outliers, config.etl.outlier_quantile) == ("clip", 0.99)
    assert config.data.labels == dict(DEFAULT_LABELS)
    assert config.registry.group == "retail-price-sensitivity-models"


def test_a_cost_matrix_has_a_row_a_class() -> None:
    matrix = [[1.0] * len(CLASSES)] * len(CLASSES)

    assert Config.model_validate({"business": {"cost_matrix": matrix}}).business.cost_matrix


def test_no_password_is_recorded() -> None:
    config = Config(registry=RegistryConfig(uri="https://ann:secret@models.example:5000/x"))
    recorded = config.recorded()
    assert recorded["registry"]["uri"] == "https://models.example:5000/x"
    assert recorded["index"] == config.model_dump(mode="json")["index"]
