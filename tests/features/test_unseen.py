from __future__ import annotations

import polars as pl
import pytest

from basketwise.features.unseen import Unseen


@pytest.mark.parametrize(
    ("lines", "unseen", "amount", "unseen_amount", "expected"),
    [
        (1_000, 9, 1_000.0, 9.9, ""),
        (0, 0, 0.0, 0.0, ""),
        (1_000, 10, 1_000.0, 0.0, "1 % of the lines (0 % of spend)"),
        (1_000, 1, 1_000.0, 10.0, "under 1 % of the lines (1 % of spend)"),
        (1_000, 999, 1_000.0, 999.9, "over 99 % of the lines (over 99 % of spend)"),
        (2, 2, 0.0, 0.0, "100 % of the lines have products"),
    ],
)
def test_notable_shares_are_stated_and_never_rounded_to_all_or_nothing(
    lines: int, unseen: int, amount: float, unseen_amount: float, expected: str
) -> None:
    counts = Unseen(1, lines, unseen, amount, unseen_amount)
    assert counts.products.startswith(expected)
    assert bool(counts.products) == bool(expected)
    assert counts.is_everything == (lines == unseen > 0)


def test_a_model_without_an_index_has_no_shares() -> None:
    counts = Unseen()
    counts.add(pl.DataFrame({"BASKET_ID": [1], "SPEND": [2.0]}), 1, None)
    assert (counts.baskets, counts.line_share, counts.spend_share) == (1, None, None)
    assert not counts.is_everything


def test_few_kinds_of_stores_are_named() -> None:
    counts = Unseen()
    for regions in (["d", "b", None, "known"], ["c", "a", "b", "b"]):
        lines = pl.DataFrame(
            {
                "BASKET_ID": [1, 2, 3, 2],
                "STORE_REGION": regions,
                "STORE_FORMAT": ["XL", None, None, None],
            }
        )
        counts.add(lines, 3, {"store_region": ["known"], "store_format": []})
    assert counts.stores == {"STORE_REGION": ["b", "d", "a"]}
    assert counts.kinds_of_stores == (
        "83 % of the baskets have a store format or region that the model has never seen: "
        "STORE_REGION 'b', 'd', 'a'"
    )
    assert Unseen(baskets=200, store_baskets=1).kinds_of_stores == ""
