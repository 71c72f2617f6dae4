import numpy as np
import numpy.typing as npt
import pytest

from basketwise.sampling.discrete import Discrete


def _steep(count: int) -> npt.NDArray[np.float64]:
    shares = 0.7 ** np.arange(float(count))
    return np.random.default_rng(3).permutation(shares / shares.sum())


@pytest.mark.parametrize("shares", [np.ones(1), np.full(7, 1 / 7), _steep(60), _steep(200)])
def test_draws_what_a_search_in_the_running_sum_finds(shares: npt.NDArray[np.float64]) -> None:
    distribution = Discrete(shares)
    number = np.random.default_rng(1).random(50_000)
    expected = np.searchsorted(distribution.cumulative, number, side="right")
    assert np.array_equal(distribution.draw(np.random.default_rng(1), 50_000), expected)


class _Bounds(np.random.Generator):
    """Gives numbers at the bounds of the shares, and next to them."""

    def __init__(self, numbers: npt.NDArray[np.float64]) -> None:
        super().__init__(np.random.PCG64(1))
        self.numbers = numbers

    def random(self, *_: object, **__: object) -> npt.NDArray[np.float64]:  # type: ignore[override]
        return self.numbers


def test_a_number_at_a_bound_belongs_to_the_next_share() -> None:
    distribution = Discrete(np.array([0.25, 0.125, 0.5, 0.125]))
    bounds = distribution.cumulative[:-1]
    for numbers, expected in ((bounds, [1, 2, 3]), (np.nextafter(bounds, 0), [0, 1, 2])):
        assert distribution.draw(_Bounds(numbers), 3).tolist() == expected
    assert distribution.draw(_Bounds(np.array([0.0, np.nextafter(1, 0)])), 2).tolist() == [0, 3]
