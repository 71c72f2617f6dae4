"""Cleaning and the fourteen features, held against the naive reference in pandas."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal, get_args

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from basketwise.errors import InputError
from basketwise.etl.silver.survey import spend_quantile
from basketwise.features.recipe import Recipe, features
from basketwise.schema import KEY
from tests import oracle
from tests.etl.running import rules, run_intake
from tests.raw_lines import Delivery, deliveries

QUICK = settings(
    max_examples=30,
    # Every example writes files and goes through pandas: to shrink one would take minutes.
    phases=[Phase.explicit, Phase.generate],
)


def check(delivery: Delivery, quantile: float, *, keep: bool) -> None:
    duplicates: Literal["keep", "reject"] = "keep" if keep else "reject"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        raw = oracle.read_raw(delivery.write(root / "raw"))
        expected = oracle.accept(raw, duplicates=duplicates)
        if expected.empty:
            with pytest.raises(InputError, match=f"None of the {len(raw):,} lines can be used"):
                run_intake(root / "raw", root / "out", rules(duplicates=duplicates))
            return
        result = run_intake(root / "raw", root / "out", rules(duplicates=duplicates))
    assert result.intake.lines == len(raw)
    assert result.accepted.height == len(expected)
    limit = spend_quantile(result.survey.spends, quantile)
    assert limit == oracle.outlier_limit(expected, quantile)
    encoders = oracle.fit_encoders(expected)
    lists = {name: list(numbers) for name, numbers in encoders.items()}
    for how in get_args(oracle.Outliers):
        actual = features(result.accepted, Recipe(["basket"], lists, how, limit))
        reference = oracle.basket_features(
            oracle.treat_outliers(expected, how, limit), encoders
        ).fillna(0)
        compare(actual, pl.DataFrame(reference.to_dict("list")))


def compare(actual: pl.DataFrame, expected: pl.DataFrame) -> None:
    actual = actual.with_columns(pl.col(KEY).cast(pl.String)).sort(KEY)
    assert actual[KEY].to_list() == expected[KEY].to_list()
    assert set(actual.columns) == {KEY, *oracle.FEATURES}
    for column in oracle.FEATURES:
        assert actual[column].to_list() == pytest.approx(
            expected[column].to_list(), rel=1e-12, abs=1e-9
        ), column


@given(deliveries(integer_ids=True), st.sampled_from([0.99, 0.8, 0.5, 1.0]), st.booleans())
@QUICK
def test_integer_ids(delivery: Delivery, quantile: float, keep: bool) -> None:
    check(delivery, quantile, keep=keep)


@given(deliveries(integer_ids=False), st.sampled_from([0.99, 0.5]), st.booleans())
@QUICK
def test_text_ids(delivery: Delivery, quantile: float, keep: bool) -> None:
    check(delivery, quantile, keep=keep)


@pytest.mark.parametrize("how", get_args(oracle.Outliers))
def test_the_sample(sample: Path, tmp_path: Path, how: oracle.Outliers) -> None:
    paths = sorted(sample.iterdir())[:2]
    for path in paths:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    raw = oracle.read_raw(paths)
    result = run_intake(tmp_path, tmp_path / "out")
    limit = spend_quantile(result.survey.spends, 0.99)
    encoders = oracle.fit_encoders(oracle.accept(raw))
    lists = {name: list(numbers) for name, numbers in encoders.items()}
    actual = features(result.accepted, Recipe(["basket"], lists, how, limit))
    compare(actual, pl.DataFrame(oracle.reference(raw, outliers=how).to_dict("list")))
