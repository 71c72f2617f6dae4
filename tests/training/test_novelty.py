from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from basketwise.arrays import Floats, Probabilities
from basketwise.config import TrainingConfig
from basketwise.features.product import SHARE_NEW
from basketwise.training import novelty
from basketwise.training.boosters import dump_booster
from basketwise.training.calibration import Calibration, NewProducts, calibrate
from basketwise.training.examples import RARE, Examples, learned_from
from basketwise.training.novelty import Novelty, calibrated, fit_novelty

PLAIN = Calibration(method="none", floor=0.001, description="")


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(novelty, "PARAMETERS", {"n_estimators": 8, "learning_rate": 0.5})


def baskets(real: list[float], hidden: list[float], seed: int = 0) -> Examples:
    """Make a basket of each share of new products, first those that are really new.

    ``signal`` is the class, but one class off where products are hidden; ``hint`` is the class.
    """
    rng = np.random.default_rng(seed)
    share = np.array([*real, *hidden], dtype=np.float32)
    order = np.arange(share.size)
    y = (order % 3).astype(np.int8)
    concealed = order >= len(real)
    signal = (y + concealed) % 3
    X = np.column_stack([signal, share, y + rng.normal(0, 0.1, y.size)]).astype(np.float32)
    fold = (order // 3 % 3).astype(np.int8)
    columns = ("signal", SHARE_NEW, "hint")
    return Examples(pl.Series(order), X, y, fold, columns, hidden=len(hidden))


def by_signal(rows: Examples) -> Probabilities:
    """Return what a model that learned from baskets without new products is sure of."""
    return np.asarray(0.01 + 0.97 * np.eye(3)[rows.X[:, 0].astype(np.int64)])


def trees(second: Novelty) -> bytes:
    model: Any = second.fitted.model
    return dump_booster(model.get_booster())


def second_of(rows: Examples, seed: int = 42) -> Novelty | None:
    return fit_novelty(rows, by_signal(rows), PLAIN, TrainingConfig(random_state=seed))


def test_candidates_learn_without_new_products_where_these_are_rare() -> None:
    rows = baskets([0.3] * 5 + [0.0] * 95, [0.2] * 20)
    assert learned_from(rows).tolist() == [False] * 5 + [True] * 95 + [False] * 20


def test_where_new_products_are_common_candidates_learn_from_every_real_basket() -> None:
    rows = baskets([0.3] * 6 + [0.0] * 94, [0.2] * 20)
    assert RARE < 0.06
    assert learned_from(rows).tolist() == [True] * 100 + [False] * 20


def test_a_model_that_cannot_tell_learns_from_every_real_basket() -> None:
    rows = baskets([0.3] * 5 + [0.0] * 95, [0.2] * 20).only(["signal", "hint"])
    assert not rows.new_shares.any()
    assert learned_from(rows).tolist() == [True] * 100 + [False] * 20


def test_a_second_model_answers_where_the_winner_misjudges_new_products() -> None:
    rows = baskets([0.0] * 300, [0.2, 0.6] * 150)
    second = second_of(rows)
    assert second is not None
    assert second.share == 0.1
    new = rows.new_shares > 0
    right = second.fitted.predict(rows.X[new]).argmax(axis=1) == rows.y[new]
    assert right.mean() > 0.95
    assert "300 out-of-fold predictions" in second.calibration.description


def test_there_is_none_where_the_winner_is_right_on_baskets_that_are_really_new() -> None:
    # What hidden products say is wrong in this shop, as its own baskets show.
    columns = ["signal", SHARE_NEW]
    rows = baskets([0.0] * 300 + [0.2] * 150, [0.2] * 200).only(columns)
    assert second_of(rows) is None
    # Without these baskets, hidden products are all there is to judge by.
    assert second_of(baskets([0.0] * 450, [0.2] * 200).only(columns)) is not None


def test_it_answers_for_those_shares_alone_where_it_is_better() -> None:
    rows = baskets([0.0] * 300 + [0.05] * 150, [0.05] * 60 + [0.6] * 150)
    second = second_of(rows)
    assert second is not None
    assert second.share == 0.5


@pytest.mark.parametrize(
    ("real", "hidden"),
    [
        ([0.0] * 300, []),
        ([0.3] * 250, []),
        ([0.0] * 300, [0.5] * (novelty.FEWEST - 1)),
    ],
    ids=["none", "really new ones alone", "too few"],
)
def test_there_is_none_where_hidden_rows_are_none_or_new_ones_are_few(
    real: list[float], hidden: list[float]
) -> None:
    assert second_of(baskets(real, hidden)) is None


def test_there_is_none_for_a_model_that_cannot_tell_new_products() -> None:
    rows = baskets([0.0] * 300, [0.6] * 300)
    assert second_of(rows) is not None
    assert second_of(rows.only(["signal", "hint"])) is None


def test_there_is_none_where_a_fold_has_a_class_to_itself() -> None:
    rows = baskets([0.0] * 300, [0.6] * 300)
    fold = np.where(rows.y == 2, 0, rows.fold).astype(np.int8)
    y = np.where((rows.y == 2) & (rows.fold != 0), 1, rows.y).astype(np.int8)
    assert second_of(replace(rows, y=y, fold=fold)) is None


def test_a_single_hidden_row_is_no_obstacle() -> None:
    assert second_of(baskets([0.0] * 90 + [0.3] * 210, [0.3])) is None


def test_the_second_model_is_the_same_every_time() -> None:
    rows = baskets([0.0] * 300, [0.2, 0.6] * 150)
    first, again = second_of(rows), second_of(rows)
    assert first is not None
    assert again is not None
    assert trees(first) == trees(again)
    assert (first.share, first.calibration) == (again.share, again.calibration)


def test_new_rows_come_first_and_others_fill_up(monkeypatch: pytest.MonkeyPatch) -> None:
    new = np.arange(100) >= 70
    assert novelty._sample(baskets([0.0] * 100, []), new, 0).all()
    monkeypatch.setattr(novelty, "MOST", 50)
    learned = novelty._sample(baskets([0.0] * 100, []), new, 0)
    assert (learned.sum(), learned[new].sum()) == (50, 30)
    assert learned.tolist() == novelty._sample(baskets([0.0] * 100, []), new, 0).tolist()
    assert learned.tolist() != novelty._sample(baskets([0.0] * 100, []), new, 1).tolist()
    monkeypatch.setattr(novelty, "MOST", 20)
    learned = novelty._sample(baskets([0.0] * 100, []), new, 0)
    assert (learned.sum(), learned[new].sum()) == (20, 20)


def limit_of(first: Probabilities, second: Probabilities, share: Floats) -> float | None:
    y = np.zeros(share.size, dtype=np.int8)
    return novelty._limit(share, np.ones(share.size), y, first, second)


def test_a_smaller_loss_is_not_bought_with_more_errors() -> None:
    share = np.full(100, 0.3)
    sure = np.tile([0.6, 0.4, 0.0], (100, 1))
    sure[:10] = [1e-9, 1 - 1e-9, 0]
    doubting = np.tile([0.5, 0.3, 0.2], (100, 1))
    doubting[:11] = [0.3, 0.5, 0.2]
    assert limit_of(sure, doubting, share) is None
    doubting[10] = doubting[11]
    assert limit_of(sure, doubting, share) == 0.25


def test_equal_models_need_no_second() -> None:
    same = np.tile([0.6, 0.4, 0.0], (100, 1))
    assert limit_of(same, same, np.full(100, 0.3)) is None


def test_what_is_shipped_is_the_second_models_answer_above_the_share_alone() -> None:
    rows = baskets([0.0] * 300, [0.2, 0.6] * 150)
    second = second_of(rows)
    assert second is not None
    rule = NewProducts(share=0.2, calibration=second.calibration)
    both = PLAIN.model_copy(update={"new_products": rule})
    given = by_signal(rows)
    shipped = calibrated(rows, given, both, second)
    # In single precision 0.2 is a bit more than 0.2.
    above = rows.new_shares > 0.2
    assert above.sum() == 300
    np.testing.assert_array_equal(shipped[~above], calibrate(given, PLAIN)[~above])
    answers = second.fitted.predict(rows.X)
    np.testing.assert_array_equal(shipped[above], calibrate(answers, second.calibration)[above])
    np.testing.assert_array_equal(given, by_signal(rows))
    known = rows.take(slice(0, 300))
    np.testing.assert_array_equal(calibrated(known, given[:300], both, second), shipped[:300])
    np.testing.assert_array_equal(calibrated(rows, given, PLAIN, None), calibrate(given, PLAIN))


def test_a_hopeless_one_is_asked_about_two_folds_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = []

    def noted(rows: Examples, seed: int) -> Any:
        fitted.append(rows.y.size)
        return own(rows, seed)

    own = novelty._fitted
    monkeypatch.setattr(novelty, "_fitted", noted)
    # Really new products are no problem to the winner: the second model can only do worse.
    columns = ["signal", SHARE_NEW]
    shares = [share for share in (0.05, 0.2, 0.3, 0.6) for _ in range(150)]
    rows = baskets([0.0] * 600 + shares, 2 * shares).only(columns)
    assert second_of(rows) is None
    assert len(fitted) == 2
    fitted.clear()
    assert second_of(baskets([0.0] * 300, [0.2, 0.6] * 150)) is not None
    # Three folds, and all.
    assert len(fitted) == 4


@pytest.mark.parametrize(
    ("more", "hopeless"),
    [([1.0, 1.0], True), ([-1.0, -1.0], False), ([1.0, -1.0], False), ([0.0, 0.0], False)],
)
def test_it_is_hopeless_if_it_makes_more_errors_wherever_it_would_answer(
    more: list[float], hopeless: bool
) -> None:
    share = np.tile([0.05, 0.2, 0.3, 0.6], 100)
    fold = np.repeat([0, 1, 2, 3], 100).astype(np.int8)
    # The first fold stands for three, so it decides where the two disagree.
    errors = np.where(fold == 3, more[0], np.where(fold == 0, more[1], 0.0))
    assert novelty._is_hopeless(errors, share, fold, (0, 3)) is hopeless
    # A lead in a single band is enough for hope.
    errors = np.where((share == 0.6) & (fold % 3 == 0), -1.0, np.abs(errors))
    assert not novelty._is_hopeless(errors, share, fold, (0, 3))
