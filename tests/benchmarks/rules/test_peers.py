"""The peers learn what is there, and only that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from basketwise.sampling import draw_lines
from benchmarks.rules import peers
from benchmarks.rules.lines import Made
from benchmarks.rules.peers import PEERS, encode, naive_bayes
from benchmarks.rules.split import Baskets, split


def has_lightgbm() -> bool:
    try:
        import lightgbm  # noqa: F401
    except (ImportError, OSError):
        # It needs OpenMP of the system.
        return False
    return True


@pytest.fixture(scope="module")
def both() -> tuple[Baskets, Baskets]:
    lines = draw_lines(baskets=1_500, seed=4, weeks=5, products=30)
    return split(Made(lines))


@pytest.mark.parametrize("name", PEERS)
def test_peers_beat_the_majority_class(
    name: str, both: tuple[Baskets, Baskets], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "LightGBM" in name and not has_lightgbm():
        pytest.skip("LightGBM cannot be loaded")
    monkeypatch.setattr(peers, "ROUNDS", 40)
    monkeypatch.setattr(peers, "ITERATIONS", 30)
    train, test = both
    predicted = PEERS[name](train, test)
    assert predicted.shape == test.y.shape
    majority = np.bincount(test.y).max() / test.y.size
    assert (predicted == test.y).mean() > majority + 0.05
    assert (PEERS[name](train, test) == predicted).all()


def test_the_penalty_is_chosen_on_training_baskets(
    both: tuple[Baskets, Baskets], monkeypatch: pytest.MonkeyPatch
) -> None:
    train, test = both
    asked: list[tuple[int, int, float]] = []

    def logistic(own: Baskets, other: Baskets, strength: float, _: int) -> np.ndarray:
        asked.append((own.y.size, other.y.size, strength))
        return other.y if strength == peers.STRENGTHS[1] else (other.y + 1) % 3

    monkeypatch.setattr(peers, "_logistic", logistic)
    monkeypatch.setattr(peers, "TUNED_ON", 500)
    peers.logistic_on_shares(train, test)
    assert asked[:3] == [(400, 100, strength) for strength in peers.STRENGTHS]
    assert asked[3] == (train.y.size, test.y.size, peers.STRENGTHS[1])


def baskets(counts: list[list[int]], y: list[int], size: list[int]) -> Baskets:
    return Baskets(
        pl.Series(range(len(y))),
        np.array(y, dtype=np.int8),
        csr_array(np.array(counts, dtype=np.float64)),
        np.array(size, dtype=np.float64),
        np.zeros((len(y), 1)),
    )


def test_encodings_are_smoothed_shares_of_the_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PRIOR_BASKETS", 2)
    labelled = baskets([[1, 0], [3, 1], [0, 1], [0, 1]], [0, 0, 2, 1], [1, 4, 1, 1])
    # Overall 1/2, 1/4, 1/4; the first product: (2 + 1, 1/2, 1/2) / 4.
    encoded = encode(baskets([[1, 0], [0, 0], [1, 2]], [0, 0, 0], [1, 5, 3]), labelled)
    first = np.array([3, 0.5, 0.5]) / 4
    second = np.array([1 + 1, 1 + 0.5, 1 + 0.5]) / 5
    overall = np.array([0.5, 0.25, 0.25])
    assert encoded[1] == pytest.approx(np.tile(overall, 3))
    assert encoded[0, :3] == pytest.approx(first)
    assert encoded[2, :3] == pytest.approx((first + 2 * second) / 3)
    assert encoded[2, 3:6] == pytest.approx(np.minimum(np.minimum(first, second), overall))
    assert encoded[2, 6:] == pytest.approx(np.maximum(np.maximum(first, second), overall))


def test_encodings_do_not_leak_a_baskets_own_label() -> None:
    if not has_lightgbm():
        pytest.skip("LightGBM cannot be loaded")
    rng = np.random.default_rng(1)
    # Each product is in two baskets: encoded in sample, it would give the label away.
    products = np.repeat(np.arange(300), 2)
    counts = csr_array((np.ones(600), (np.arange(600), rng.permutation(products))))
    y = rng.integers(0, 3, 600).astype(np.int8)
    own = Baskets(pl.Series(range(600)), y, counts, np.ones(600), np.zeros((600, 1)))
    test = replace(own, y=rng.integers(0, 3, 600).astype(np.int8))
    assert (peers.boosted_encodings(own, test) == test.y).mean() < 0.42
    assert (naive_bayes(own, own) == y).mean() > 0.6


def test_naive_bayes_counts_lines() -> None:
    train = baskets([[2, 0, 1], [0, 3, 1], [0, 0, 9]], [0, 1, 2], [3, 4, 9])
    test = baskets([[5, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 0, 0], [5, 1, 1])
    assert naive_bayes(train, test).tolist() == [0, 1, 2]
