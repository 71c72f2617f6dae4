import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketwise.etl.lines.accepting import clean_table
from basketwise.etl.lines.rules import Rules
from basketwise.features.recipe import Recipe, features, treat_outliers
from tests.features.computing import scored_by

ENCODERS = {"store_format": ["LS", "MS"], "store_region": ["E01"]}
LABELS = ("Low", "Medium", "High", "Unclassified")
PRODUCTS = [f"PRD{number}" for number in range(8)]
INDEX = pl.DataFrame(
    {
        "PROD_CODE": PRODUCTS,
        **{
            f"score_{label.lower()}": [math.sin(offset * 4 + number) for number in range(8)]
            for offset, label in enumerate(LABELS)
        },
        "class": [LABELS[number % 4] for number in range(8)],
        "new": [number == 3 for number in range(8)],
    }
)

_LINE = st.fixed_dictionaries(
    {
        "BASKET_ID": st.integers(1, 5),
        "PROD_CODE": st.sampled_from(PRODUCTS),
        "SPEND": st.integers(-200, 3_000).map(lambda pence: pence / 100),
        "QUANTITY": st.integers(1, 9),
    }
)
ROWS = st.lists(_LINE, min_size=1, max_size=25)


def table(rows: list[dict[str, object]], how: str = "clip") -> pl.DataFrame:
    recipe = Recipe(["basket", "product"], ENCODERS, how, 20.0)
    # Left open, what a repeated line means depends on the quantities of all baskets.
    rules = Rules(duplicates="reject")
    return features(clean_table(rows, rules).lines, recipe, scored_by(INDEX))


@settings(max_examples=30)
@given(ROWS, st.randoms(use_true_random=False), st.sampled_from(["clip", "drop", "keep"]))
def test_the_order_of_the_lines_changes_no_bit(rows, random, how) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert table(shuffled, how).equals(table(rows, how))


@settings(max_examples=30)
@given(ROWS)
def test_a_basket_alone_has_the_same_bits_as_among_others(rows) -> None:  # type: ignore[no-untyped-def]
    whole = table(rows)
    for basket in whole["basket_id"]:
        alone = table([row for row in rows if row["BASKET_ID"] == basket])
        assert alone.equals(whole.filter(pl.col("basket_id") == basket))


@pytest.mark.parametrize("groups", [["basket"], ["product"], ["product", "basket"]])
def test_columns_are_those_of_the_groups(groups: list[str]) -> None:
    recipe = Recipe(groups, ENCODERS, "keep", 0.0)
    lines = clean_table([{"BASKET_ID": 1, "PROD_CODE": "PRD1", "SPEND": 1, "QUANTITY": 1}]).lines
    made = features(lines, recipe, scored_by(INDEX))
    assert ("total_spend" in made.columns) == ("basket" in groups)
    assert ("product_balance" in made.columns) == ("product" in groups)
    assert made.columns[0] == "basket_id"


@pytest.mark.parametrize(
    ("how", "spends"),
    [
        ("keep", [1.5, 4.5, 3.0, 10.0]),
        ("clip", [1.5, 4.5, 3.0, 4.5]),
        ("drop", [1.5, 4.5, 3.0]),
    ],
)
def test_outliers_are_what_is_above_the_limit(how: str, spends: list[float]) -> None:
    lines = pl.DataFrame({"SPEND": [1.5, 4.5, 3.0, 10.0]})
    assert treat_outliers(lines.lazy(), how, 4.5).collect()["SPEND"].to_list() == spends
