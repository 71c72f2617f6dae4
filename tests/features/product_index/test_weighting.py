import pytest

from basketwise.features.product_index.pairs import Weighting
from basketwise.features.product_index.weighting import choose_weighting
from tests.features.product_index.synthetic import NO_GROUPS, NO_PRICES, world


@pytest.mark.parametrize("vote", ["lines", "spend", "quantity"])
def test_what_decides_the_labels_is_chosen(vote: Weighting) -> None:
    pairs = world(1, baskets=2_000, vote=vote).pairs
    assert choose_weighting(pairs, NO_PRICES, NO_GROUPS, 1, 1.0, 0.5) == vote


def test_lines_need_no_reason() -> None:
    pairs = world(2, baskets=40).pairs
    assert choose_weighting(pairs, NO_PRICES, NO_GROUPS, 1, 1.0, 0.5) == "lines"
    none = pairs.take(pairs.fold == 0)
    assert choose_weighting(none, NO_PRICES, NO_GROUPS, 1, 1.0, 0.5) == "lines"
