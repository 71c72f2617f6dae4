"""scikit-learn's own checks.

They fill matrices of numbers at will, which the estimator does not take: its X is a table of lines
or of basket ids. So the checks that need no data see the estimator itself, the others see it
through :class:`OnMatrices`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.validation import check_is_fitted, validate_data

from basketwise.estimators.product_index import ProductIndex
from basketwise.schema import CLASSES

NOT_APPLICABLE = {
    "check_transformer_general": "fit_transform is out of fold",
    "check_transformer_data_not_an_array": "fit_transform is out of fold",
    "check_fit2d_1sample": "one basket has one label; told as an InputError, not a ValueError",
}
"""Why a check does not apply."""


class OnMatrices(ProductIndex):
    """The estimator on numbers: a row is a basket, and each column a product that it contains.

    A positive number is one product, any other is another one.
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        X, y = validate_data(self, X, y)
        labels = np.asarray(CLASSES)[np.unique(y, return_inverse=True)[1] % len(CLASSES)]
        parameters = self.get_params() | {"lines": lines_of(X)}
        self.inner_ = ProductIndex(**parameters)
        return self.inner_.fit_transform(baskets_of(X), labels).to_numpy()

    def transform(self, X: Any) -> Any:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        inner = copy.copy(self.inner_).set_params(lines=lines_of(X))
        return inner.transform(baskets_of(X)).to_numpy()

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        check_is_fitted(self)
        return self.inner_.get_feature_names_out()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.target_tags.required = True
        return tags


def baskets_of(X: NDArray[np.float64]) -> pl.DataFrame:
    return pl.DataFrame({"basket_id": np.arange(len(X))})


def lines_of(X: NDArray[np.float64]) -> pl.DataFrame:
    row, column = np.indices(X.shape).reshape(2, -1)
    products = [f"{c}{'+' if x > 0 else '-'}" for c, x in zip(column, X.ravel(), strict=True)]
    return pl.DataFrame({"basket_id": row, "prod_code": products})


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        *estimator_checks_generator(
            OnMatrices(n_folds=2), expected_failed_checks=NOT_APPLICABLE, mark="xfail"
        )
    ],
)
def test_it_keeps_the_conventions(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.parametrize(
    "check",
    [
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_get_params_invariance",
        "check_mixin_order",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
        "check_valid_tag_types",
    ],
)
def test_its_parameters_keep_the_conventions(check: str) -> None:
    getattr(estimator_checks, check)("ProductIndex", ProductIndex())
    getattr(estimator_checks, check)("ProductIndex", ProductIndex(lines=lines_of(np.eye(3))))
