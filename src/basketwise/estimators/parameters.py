"""The parameters of ProductIndex, checked as the settings of their names are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError
from sklearn.utils import check_random_state

from basketwise.config import DataConfig, EtlConfig, IndexConfig, Section
from basketwise.errors import ConfigError
from basketwise.etl.lines.rules import Rules
from basketwise.schema import DEFAULT_LABELS, INDEX_LABELS

_LABELS = {**DEFAULT_LABELS, **dict(zip(INDEX_LABELS, INDEX_LABELS, strict=True))}
_FOLDS = (2, 50)

_Section = TypeVar("_Section", bound=Section)


def index_config(estimator: Any) -> IndexConfig:
    """Return how an estimator's index is learned.

    Raises
    ------
    ConfigError
        If a parameter is out of its range.
    """
    low, high = _FOLDS
    folds = estimator.n_folds
    if not isinstance(folds, int | np.integer) or not low <= folds <= high:
        raise _refused("n_folds", folds, f"Give a whole number from {low} to {high}.")
    values = {name: getattr(estimator, name) for name in IndexConfig.model_fields}
    return _checked(IndexConfig, values)


def line_rules(estimator: Any, *, labelled: bool) -> Rules:
    """Return how an estimator judges lines; a ConfigError if a parameter is not allowed."""
    for name in ("columns", "labels"):
        if not isinstance(getattr(estimator, name), Mapping | None):
            raise _refused(name, getattr(estimator, name), "Give a dictionary.")
    if not isinstance(estimator.key, str):
        raise _refused("key", estimator.key, "Give the name of a column.")
    labels = {str(name): meaning for name, meaning in (estimator.labels or _LABELS).items()}
    data = _checked(DataConfig, {"columns": dict(estimator.columns or {}), "labels": labels})
    etl = _checked(EtlConfig, {"duplicates": estimator.duplicates})
    return Rules(
        labels=data.labels, labelled=labelled, duplicates=etl.duplicates, columns=data.columns
    )


def seed_of(random_state: Any) -> int:
    """Return an int as it is; of a generator, or of none, the next number."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))


def _checked(section: type[_Section], values: dict[str, Any]) -> _Section:
    """Check parameters as the settings of their names."""
    try:
        return section.model_validate(values)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise _refused(str(wrong["loc"][0]), wrong["input"], wrong["msg"]) from error


def _refused(name: str, value: object, hint: str) -> ConfigError:
    return ConfigError(f"ProductIndex cannot have {name} = {value!r}.", hint)
