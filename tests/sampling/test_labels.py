import numpy as np
import pytest

from basketwise.sampling.labels import LABELS, add_noise, label_baskets


@pytest.mark.parametrize(
    ("cheap", "mid", "upmarket", "silent", "label"),
    [
        (1, 0, 0, 0, "LA"),
        (0, 1, 0, 0, "MM"),
        (0, 0, 1, 0, "UM"),
        (0, 0, 0, 1, "XX"),
        (0, 0, 0, 30, "XX"),
        (1, 0, 1, 0, "MM"),
        (1, 6, 0, 0, "LA"),
        (1, 7, 0, 0, "MM"),
        (0, 6, 1, 20, "UM"),
        (0, 7, 1, 0, "MM"),
        (2, 1, 3, 0, "UM"),
    ],
)
def test_rule(cheap: int, mid: int, upmarket: int, silent: int, label: str) -> None:
    counts = np.array([[cheap, mid, upmarket, silent]])
    assert LABELS[label_baskets(counts)[0]] == label


def test_noise_changes_the_wanted_share_and_never_the_unclassified() -> None:
    labels = np.repeat(np.arange(4), 10_000)
    noisy = add_noise(np.random.default_rng(7), labels, 0.1)
    changed = (noisy != labels).reshape(4, -1).mean(axis=1)
    assert changed[:3] == pytest.approx([0.1] * 3, abs=0.01)
    assert changed[3] == 0
    assert set(noisy[:30_000].tolist()) == {0, 1, 2}


def test_no_noise_changes_nothing() -> None:
    labels = np.arange(4)
    assert add_noise(np.random.default_rng(7), labels, 0.0).tolist() == [0, 1, 2, 3]
