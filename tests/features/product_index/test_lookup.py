import polars as pl
import pytest

from basketwise.features.product_index.hierarchy import STRENGTH
from basketwise.features.product_index.lookup import FEW, IndexLookup
from basketwise.features.product_index.table import BASKETS, CLASS, NEW
from tests.features.product_index.test_table import KNOWN, index, products


def looked_up(of: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    return IndexLookup(of).score(lines)


def test_known_products_have_their_own_row() -> None:
    lines = products(d="g1", a="g9", b=None)
    assert looked_up(KNOWN, lines).select("PROD_CODE", CLASS, NEW, "score_high").rows() == [
        ("d", "Low", False, 0.0),
        ("a", "High", False, 1.0),
        ("b", "High", False, 0.5),
    ]


def test_unseen_products_get_their_finest_known_group() -> None:
    added = looked_up(KNOWN, products(new="g1", newer="g2"))
    assert added.select("PROD_CODE", CLASS, NEW).rows() == [
        ("new", "High", True),
        ("newer", "Low", True),
    ]
    overall = 1.5 / 4
    department = (1.5 + STRENGTH * overall) / (4 + STRENGTH)
    group = (1.5 + STRENGTH * department) / (2 + STRENGTH)
    assert added["score_high"][0] == pytest.approx(group, rel=1e-6)
    votes = (2 / 4 * STRENGTH + 2) / (2 + STRENGTH)
    assert added["probability"][0] == pytest.approx(votes, rel=1e-6)


def test_an_unknown_group_falls_back_on_the_level_above() -> None:
    # The levels between the finest and the department are unknown, and passed over.
    outside = dict.fromkeys(("c", "d", "e", "f"), (None, "Low", 1.0))
    mostly_low = index(a=("g1", "High", 1.0), b=("g1", "High", 1.0), **outside)
    added = looked_up(mostly_low, products(new="g9", lost=None))
    assert added.select("PROD_CODE", CLASS).rows() == [("new", "High"), ("lost", "Low")]


def test_without_any_group_the_average_of_all_products_counts() -> None:
    for lines in (products(new=None), products(new=None).select("PROD_CODE")):
        added = looked_up(KNOWN, lines)
        assert added["score_low"][0] == pytest.approx(0.5)
        assert added["score_high"][0] == pytest.approx(1.5 / 4)


def test_rows_that_rest_on_no_basket_are_no_evidence() -> None:
    guessed = KNOWN.with_columns(
        pl.when(pl.col("PROD_CODE").is_in(["c", "d"]))
        .then(pl.lit(0, pl.UInt32))
        .otherwise(BASKETS)
        .alias(BASKETS)
    )
    assert looked_up(guessed, products(new="g2"))[CLASS].to_list() == ["High"]


def test_a_line_gets_the_same_among_many_as_alone() -> None:
    lookup = IndexLookup(KNOWN)
    some = pl.concat([products(a="g1", new="g2"), products(other=None), products(b=None, c="g9")])
    many = pl.concat([some] * (FEW // some.height + 1))
    assert many.height > FEW
    assert lookup.score(many).head(some.height).equals(lookup.score(some))
