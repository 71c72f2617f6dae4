import numpy as np
import pytest

from basketwise.sampling.sorting import stable_argsort


@pytest.mark.parametrize("largest", [1, 50, 2**40, 2**62])
def test_sorts_as_the_stable_sort_of_numpy(largest: int) -> None:
    keys = np.random.default_rng(1).integers(0, largest, 3_000)
    keys = np.concatenate([keys, keys[::-1], [largest]])
    assert np.array_equal(stable_argsort(keys), np.argsort(keys, kind="stable"))


def test_nothing_and_a_single_key() -> None:
    assert stable_argsort(np.empty(0, dtype=np.int64)).tolist() == []
    assert stable_argsort(np.array([2**63 - 1])).tolist() == [0]
