"""Sums and deviations of runs, held to those of groups bit by bit."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from basketwise.arrays import Counts
from basketwise.features import recipe, stepwise
from basketwise.features.recipe import Recipe, features
from basketwise.features.runs import Runs, grouped
from tests.features.test_runs import _SAME, ENCODERS, bits, frame


def runs(lengths: Counts) -> Runs:
    return Runs(pl.Series(np.arange(lengths.size)), np.cumsum(lengths) - lengths, lengths)


@pytest.mark.parametrize("block", [1, 3, 2**14])
@pytest.mark.parametrize("longest", [1, 2, 300])
def test_the_same_bits_as_groups(longest: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepwise, "BLOCK", block)
    rng = np.random.default_rng(longest)
    lengths = np.minimum(rng.geometric(0.1, 400), longest)
    own = runs(lengths)
    values = np.round(rng.lognormal(1, 2, lengths.sum()), 2) * rng.choice(
        [-1, 1, -0.0], lengths.sum()
    )
    asked = [pl.col("v").sum().alias("sum"), pl.col("v").std(ddof=1).fill_null(0.0).alias("std")]
    expected = grouped(pl.DataFrame({"v": values}), lengths, asked)
    total = stepwise.sums(values.take, own)
    assert total.tobytes() == expected["sum"].to_numpy().tobytes()
    assert stepwise.deviations(values, own).tobytes() == expected["std"].to_numpy().tobytes()
    if longest == 300:
        naive = np.add.reduceat(values, own.start)
        assert (total != naive).any(), "nothing was to be made up for"


def test_few_long_groups_are_not_added_up_in_parts() -> None:
    lengths = np.full(30, 200)
    values = np.sin(np.arange(lengths.sum()))
    (total,) = grouped(pl.DataFrame({"v": values}), lengths, [pl.all().sum()])
    assert stepwise.sums(values.take, runs(lengths)).tobytes() == total.to_numpy().tobytes()


def test_products_are_added_up_by_their_rows() -> None:
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 30, 90)
    numbers, rows = rng.random((8, 2)), rng.integers(0, 8, lengths.sum()).astype(np.int32)
    a, b = stepwise.of_rows(["a", "b"], numbers, rows, runs(lengths))
    expected = grouped(pl.DataFrame(numbers[rows], ["a", "b"]), lengths, [pl.all().sum()])
    assert a.equals(expected["a"])
    assert b.equals(expected["b"])


def test_of_no_baskets_there_are_no_sums() -> None:
    nothing = runs(np.array([], np.int64))
    assert stepwise.sums(np.array([]).take, nothing).size == 0
    assert stepwise.deviations(np.array([]), nothing).size == 0


@pytest.mark.parametrize("spend", [None, float("inf"), float("nan")])
def test_what_is_no_number_is_left_to_groups(
    spend: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = frame([{**_SAME, "SPEND": own} for own in (0.1, spend, 0.3)], "BASKET_ID")
    own = Recipe(["basket"], ENCODERS, "keep", 0.0)
    expected = features(lines, own)
    monkeypatch.setattr(recipe, "FEW", 0)
    assert bits(features(lines, own)) == bits(expected)


def test_another_version_of_polars_is_left_to_add_up_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert stepwise.as_groups()
    stepwise.as_groups.cache_clear()
    monkeypatch.setattr(stepwise, "deviations", lambda values, runs: np.zeros(runs.lengths.size))
    lines = frame([{**_SAME, "SPEND": own} for own in (0.1, 0.2, 0.7)], "BASKET_ID")
    try:
        assert not stepwise.as_groups()
        monkeypatch.setattr(recipe, "FEW", 0)
        (deviation,) = features(lines, Recipe(["basket"], ENCODERS, "keep", 0.0))["spend_std"]
    finally:
        stepwise.as_groups.cache_clear()
    assert deviation == pytest.approx(0.3214550253664318)
