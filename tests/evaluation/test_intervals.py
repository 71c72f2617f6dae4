from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from basketwise.arrays import Floats, Labels
from basketwise.evaluation.intervals import Bootstrap, Resampled, resample
from basketwise.report.types.scores import Interval
from basketwise.training.metrics import confusion_matrix, scores
from tests.evaluation.answering import BOOTSTRAP, answers, challenged, customers, width

COUNTS = st.lists(st.integers(0, 50), min_size=9, max_size=9).filter(any)


def single_model(
    true: Labels,
    predicted: Labels,
    units: NDArray[np.int64] | None = None,
    bootstrap: Bootstrap = BOOTSTRAP,
) -> Resampled:
    return resample(true, {"model": predicted}, units, bootstrap)


def perfect(*baskets: int, units: NDArray[np.int64] | None = None) -> Resampled:
    """Resample a model without an error; so many baskets of each class."""
    true = np.repeat(np.arange(3, dtype=np.int8), baskets)
    return single_model(true, true, units)


def plain_bootstrap(
    true: Labels,
    predicted: dict[str, Labels],
    units: NDArray[np.int64],
    statistic: Callable[[dict[str, NDArray[np.int64]]], list[float]],
) -> Floats:
    """Resample in a loop, unit by unit, and score the baskets; one row a resample."""
    rng = np.random.default_rng(9)
    members = [np.flatnonzero(units == unit) for unit in np.unique(units)]
    results = []
    for _ in range(1_500):
        rows = np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))])
        results.append(
            statistic(
                {name: confusion_matrix(true[rows], by[rows]) for name, by in predicted.items()}
            )
        )
    return np.array(results)


def everything(confusions: dict[str, NDArray[np.int64]]) -> list[float]:
    new, old = (scores(confusions[name]) for name in ("challenger", "champion"))
    mean = float((confusions["challenger"] * VALUES).sum() / confusions["challenger"].sum())
    differences = [new.accuracy - old.accuracy, new.f1 - old.f1]
    return [new.accuracy, new.f1, *new.per_class_f1.tolist(), *differences, mean]


VALUES = np.array([[4.0, 1.0, -8.0], [0.0, 4.0, 0.5], [6.0, 0.0, 4.0]])


@pytest.mark.parametrize("by_customer", [False, True])
def test_intervals_are_those_of_resampling_in_a_loop(by_customer: bool) -> None:
    true, predicted = challenged(400, seed=2)
    units = customers(400, seed=3)
    singly = np.arange(400)
    drawn = plain_bootstrap(true, predicted, units if by_customer else singly, everything)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    resampled = resample(true, predicted, units if by_customer else None, BOOTSTRAP)
    results = [
        resampled.accuracy("challenger"),
        resampled.macro_f1("challenger"),
        *resampled.class_f1("challenger"),
        resampled.accuracy_difference("challenger", "champion"),
        resampled.f1_difference("challenger", "champion"),
        resampled.mean("challenger", VALUES),
    ]
    expected = everything({name: confusion_matrix(true, by) for name, by in predicted.items()})
    assert [each["estimate"] for each in results] == pytest.approx(expected)
    # The ends of a percentile interval of a thousand resamples are themselves good to a twentieth
    # of its width or so; and errors that were not seen lower the lower ends by as much.
    np.testing.assert_array_less(
        np.abs([each["low"] for each in results] - low), 0.2 * (high - low)
    )
    np.testing.assert_array_less(
        np.abs([each["high"] for each in results] - high), 0.2 * (high - low)
    )


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    few = Bootstrap(resamples=300, confidence=0.9, seed=4)
    covered = 0
    for seed in range(200):
        result = single_model(*answers(300, right=0.7, seed=seed), bootstrap=few).accuracy("model")
        covered += result["low"] <= 0.7 <= result["high"]
    assert 165 <= covered <= 195


def clustered(seed: int) -> tuple[Labels, Labels, NDArray[np.int64]]:
    """Draw 120 customers with ten baskets; seven of ten have hardly a wrong one."""
    rng = np.random.default_rng(seed)
    right = np.where(rng.random(120) < 0.7, 0.95, 0.1)
    true = rng.integers(0, 3, 1_200, dtype=np.int8)
    wrong = rng.random(1_200) >= np.repeat(right, 10)
    return true, ((true + wrong) % 3).astype(np.int8), np.repeat(np.arange(120), 10)


def test_where_errors_cluster_only_customers_cover_the_truth() -> None:
    few = Bootstrap(resamples=300, confidence=0.9, seed=4)
    truth = 0.7 * 0.95 + 0.3 * 0.1
    covered = {"customers": 0, "baskets": 0}
    for seed in range(100):
        true, predicted, units = clustered(seed)
        for by, drawn in (("customers", units), ("baskets", None)):
            result = single_model(true, predicted, drawn, few).accuracy("model")
            covered[by] += result["low"] <= truth <= result["high"]
    assert covered["customers"] >= 80
    assert covered["baskets"] <= 65


def test_customers_with_a_basket_each_are_drawn_like_baskets() -> None:
    true, predicted = answers(500, right=0.8, seed=3)
    numbers = np.random.default_rng(1).permutation(500) - 100
    assert single_model(true, predicted, numbers).accuracy("model") == single_model(
        true, predicted
    ).accuracy("model")


def test_the_numbers_of_customers_do_not_matter() -> None:
    true, predicted = answers(500, right=0.8, seed=3)
    units = customers(500, seed=2)
    renamed = single_model(true, predicted, 7 - 3 * units)
    assert renamed.class_f1("model") == single_model(true, predicted, units).class_f1("model")


@pytest.mark.parametrize("by_customer", [False, True])
def test_intervals_do_not_depend_on_the_models_beside(by_customer: bool) -> None:
    true, predicted = challenged(2_000, seed=2)
    units = customers(2_000, seed=3) if by_customer else None
    rng = np.random.default_rng(4)
    others = {f"other {k}": rng.integers(0, 3, 2_000, dtype=np.int8) for k in range(3)}

    def intervals(models: dict[str, Labels]) -> list[Interval]:
        resampled = resample(true, models, units, BOOTSTRAP)
        return [
            resampled.accuracy("challenger"),
            resampled.macro_f1("challenger"),
            *resampled.class_f1("challenger"),
            resampled.mean("challenger", VALUES),
            resampled.accuracy_difference("challenger", "champion"),
            resampled.f1_difference("challenger", "champion"),
        ]

    assert intervals(others | predicted) == intervals(predicted)


def test_units_are_what_is_drawn() -> None:
    true, predicted, units = clustered(0)
    assert single_model(true, predicted).units == 1_200
    assert single_model(true, predicted, units).units == 120


def test_a_seed_fixes_the_intervals_and_another_moves_them() -> None:
    true, predicted = answers(300, right=0.7, seed=5)
    other = Bootstrap(BOOTSTRAP.resamples, BOOTSTRAP.confidence, seed=2)
    first = single_model(true, predicted).macro_f1("model")
    assert single_model(true, predicted).macro_f1("model") == first
    assert single_model(true, predicted, bootstrap=other).macro_f1("model") != first


def test_threads_change_no_number() -> None:
    true, predicted = challenged(3_000, seed=5)
    units = customers(3_000, seed=1)
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            results.append(resample(true, predicted, units, BOOTSTRAP))
    for name in predicted:
        np.testing.assert_array_equal(results[0].drawn[name], results[1].drawn[name])


def test_more_confidence_makes_it_wider_and_more_baskets_narrower() -> None:
    def accuracy_width(baskets: int, confidence: float) -> float:
        bootstrap = Bootstrap(2_000, confidence, 1)
        true, predicted = answers(baskets, right=0.7, seed=5)
        return width(single_model(true, predicted, bootstrap=bootstrap).accuracy("model"))

    assert accuracy_width(300, 0.99) > accuracy_width(300, 0.95) > accuracy_width(300, 0.8)
    assert accuracy_width(300, 0.95) == pytest.approx(2 * accuracy_width(1_200, 0.95), rel=0.15)


@given(COUNTS, st.integers(0, 1_000))
def test_every_interval_contains_its_estimate(cells: list[int], seed: int) -> None:
    cell = np.repeat(np.arange(9), cells).astype(np.int8)
    true, predicted = cell // 3, cell % 3
    other = np.roll(predicted, 1)
    bootstrap = Bootstrap(resamples=100, confidence=0.6, seed=seed)
    resampled = resample(true, {"model": predicted, "other": other}, None, bootstrap)
    for result in (
        resampled.accuracy("model"),
        resampled.macro_f1("model"),
        *resampled.class_f1("model"),
        resampled.mean("model", np.arange(9, dtype=np.float64).reshape(3, 3) - 4),
        resampled.accuracy_difference("model", "other"),
        resampled.f1_difference("model", "other"),
    ):
        assert result["low"] <= result["estimate"] <= result["high"]
    expected = scores(confusion_matrix(true, predicted))
    np.testing.assert_array_equal(resampled.confusion("model"), expected.confusion)
    assert resampled.accuracy("model")["estimate"] == expected.accuracy
    assert resampled.macro_f1("model")["estimate"] == expected.f1
    assert [f1["estimate"] for f1 in resampled.class_f1("model")] == expected.per_class_f1.tolist()


@given(COUNTS)
def test_the_mean_of_a_unit_matrix_is_the_accuracy(cells: list[int]) -> None:
    cell = np.repeat(np.arange(9), cells).astype(np.int8)
    resampled = single_model(cell // 3, cell % 3, bootstrap=Bootstrap(100, 0.9, 0))
    assert resampled.mean("model", np.eye(3)) == resampled.accuracy("model")


def test_a_model_without_an_error_is_not_certain_to_make_none() -> None:
    result = perfect(50, 30, 20).accuracy("model")
    assert (result["estimate"], result["high"]) == (1, 1)
    # A model as good as that is right about all of 100 baskets in one case of forty.
    assert result["low"] ** 100 == pytest.approx(0.025)
    assert perfect(50, 30, 20).macro_f1("model") == result


def test_a_class_without_an_error_rests_on_the_baskets_that_it_has() -> None:
    # The thirty Medium ones are without an error; some of the others are wrong.
    true = np.repeat(np.array([0, 1, 2], dtype=np.int8), [50, 30, 20])
    predicted = np.where((np.arange(100) % 5 == 0) & (true != 1), 2 - true, true).astype(np.int8)
    low, medium, high = single_model(true, predicted, np.arange(100) // 5).class_f1("model")
    assert (medium["estimate"], medium["high"]) == (1, 1)
    assert medium["low"] ** 30 == pytest.approx(0.025)
    assert low["estimate"] < 1
    assert high["estimate"] < 1


def test_errors_of_one_customer_say_less_than_those_of_many() -> None:
    true, predicted = np.zeros(600, dtype=np.int8), np.zeros(600, dtype=np.int8)
    units = np.arange(600) // 6
    together, apart = predicted.copy(), predicted.copy()
    together[:6], apart[::100] = 1, 1
    lows = [single_model(true, by, units).accuracy("model")["low"] for by in (together, apart)]
    assert lows[0] < lows[1] < 0.99


def test_without_an_error_a_mean_allows_for_the_worst_and_the_best_ones() -> None:
    resampled = perfect(50, 30, 20)
    result = resampled.mean("model", VALUES)
    right = resampled.accuracy("model")["low"]
    assert result["estimate"] == 4
    # The best errors, 0.5 * 1 + 0.3 * 0.5 + 0.2 * 6, are still worse than none.
    assert result["low"] == pytest.approx(right * 4 + (1 - right) * 0.5 * -8)
    assert result["high"] == 4


@pytest.mark.parametrize("units", [None, np.arange(0), np.arange(2)])
def test_arrays_that_do_not_belong_together_are_refused(units: NDArray[np.int64] | None) -> None:
    true = np.zeros(3 if units is not None else 0, dtype=np.int8)
    with pytest.raises(ValueError, match="one length"):
        single_model(true, true, units)
