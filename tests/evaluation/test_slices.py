from __future__ import annotations

import time
from collections.abc import Sequence
from typing import get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from basketwise.arrays import Labels
from basketwise.config import SliceColumn
from basketwise.evaluation.slices import MOST_ROWS, slice_tables, weak_slices
from basketwise.report.types.scores import Interval, Slice, SliceTable

ALL: tuple[SliceColumn, ...] = get_args(SliceColumn)


def cohorts(size: int, **columns: Sequence[object]) -> pl.DataFrame:
    """Return baskets of which nothing is known but the given columns."""
    unknown = pl.Series([None] * size)
    return pl.DataFrame(
        {
            "basket_id": [str(number) for number in range(size)],
            "customer": columns.get("customer", unknown),
            "shop_week": columns.get("shop_week", unknown),
            "shop_weekday": columns.get("shop_weekday", unknown),
            "shop_hour": columns.get("shop_hour", unknown),
            "store_format": columns.get("store_format", unknown),
            "store_region": columns.get("store_region", unknown),
            "basket_size": columns.get("basket_size", [1] * size),
        },
        schema_overrides={
            **dict.fromkeys(("customer", "shop_week", "shop_weekday", "shop_hour"), pl.Int32),
            **dict.fromkeys(("store_format", "store_region"), pl.String),
            "basket_size": pl.UInt32,
        },
    )


def labels(wrong: NDArray[np.bool_]) -> tuple[Labels, Labels]:
    """Return true and predicted classes; all three classes occur."""
    true = (np.arange(wrong.size) % 3).astype(np.int8)
    return true, ((true + wrong) % 3).astype(np.int8)


def only_table(frame: pl.DataFrame, column: SliceColumn) -> SliceTable:
    true, predicted = labels(np.arange(frame.height) % 4 == 0)
    (table,) = slice_tables(frame, true, predicted, None, [column], 0.95)
    assert table["column"] == column
    return table


def values(table: SliceTable) -> list[str]:
    return [row["value"] for row in table["rows"]]


def drawn(seed: int, size: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    customer = rng.integers(0, size // 5 + 1, size)
    return cohorts(
        size,
        customer=[None if number % 4 == 0 else int(number) for number in customer],
        shop_week=rng.integers(200731, 200740, size).tolist(),
        shop_weekday=rng.integers(1, 8, size).tolist(),
        shop_hour=rng.integers(8, 22, size).tolist(),
        store_format=rng.choice(["LS", "MS", "SS", "XLS"], size).tolist(),
        store_region=[None if k == 0 else f"E{k:02}" for k in rng.integers(0, 12, size)],
        basket_size=(1 + rng.geometric(0.1, size)).tolist(),
    )


def test_a_row_says_what_its_baskets_say() -> None:
    frame = cohorts(8, store_format=["SS", "LS", "SS", "LS", "LS", "LS", "LS", "LS"])
    true = np.array([0, 0, 1, 1, 2, 2, 2, 0], dtype=np.int8)
    predicted = np.array([0, 0, 0, 1, 2, 2, 1, 0], dtype=np.int8)
    (table,) = slice_tables(frame, true, predicted, None, ["store_format"], 0.95)
    large, small = table["rows"]
    assert (large["value"], large["baskets"], large["accuracy"]) == ("LS", 6, 5 / 6)
    assert (small["value"], small["baskets"], small["accuracy"]) == ("SS", 2, 1 / 2)
    assert small["difference"]["estimate"] == pytest.approx(1 / 2 - 6 / 8)
    assert small["difference"]["low"] < small["difference"]["estimate"] < 0
    # High does not occur in the small one: the mean is over Low (2/3) and Medium (0).
    assert small["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert table["more"] == 0


def test_macro_f1_is_scikit_learns_over_the_classes_that_occur() -> None:
    rng = np.random.default_rng(1)
    frame = cohorts(60, shop_hour=(np.arange(60) // 6).tolist())
    true, predicted = (rng.integers(0, 3, 60).astype(np.int8) for _ in range(2))
    (table,) = slice_tables(frame, true, predicted, None, ["shop_hour"], 0.95)
    expected = [
        f1_score(true[of], predicted[of], average="macro", zero_division=0)
        for of in np.arange(60).reshape(10, 6)
    ]
    np.testing.assert_allclose([row["macro_f1"] for row in table["rows"]], expected)


def test_weeks_and_hours_ascend_as_numbers_and_names_by_the_alphabet() -> None:
    weeks = only_table(cohorts(4, shop_week=[200801, None, 200752, 200801]), "shop_week")
    assert values(weeks) == ["200752", "200801", "unknown"]
    hours = only_table(cohorts(3, shop_hour=[10, 9, 21]), "shop_hour")
    assert values(hours) == ["9", "10", "21"]
    regions = only_table(cohorts(4, store_region=["W01", "E02", None, "N03"]), "store_region")
    assert values(regions) == ["E02", "N03", "W01", "unknown"]


def test_a_region_called_unknown_is_one_row_with_those_not_known() -> None:
    regions = only_table(cohorts(4, store_region=["unknown", "W01", None, "W01"]), "store_region")
    assert values(regions) == ["W01", "unknown"]
    assert [row["baskets"] for row in regions["rows"]] == [2, 2]


def test_sizes_are_binned_in_lines() -> None:
    sizes = [1, 2, 5, 6, 10, 11, 20, 21, 50, 51, 900]
    table = only_table(cohorts(len(sizes), basket_size=sizes), "basket_size")
    assert values(table) == ["1", "2–5", "6–10", "11–20", "21–50", "51+"]
    assert [row["baskets"] for row in table["rows"]] == [1, 2, 2, 2, 2, 2]
    some = only_table(cohorts(3, basket_size=[60, 3, 4]), "basket_size")
    assert values(some) == ["2–5", "51+"]


def test_cards_are_those_with_a_customer() -> None:
    table = only_table(cohorts(5, customer=[None, 0, None, 0, 1]), "card")
    assert [(row["value"], row["baskets"]) for row in table["rows"]] == [
        ("card", 3),
        ("no card", 2),
    ]


def test_a_column_with_one_value_is_left_out() -> None:
    frame = cohorts(4, store_format=["SS"] * 4, shop_week=[200731, 200732, 200731, 200732])
    tables = slice_tables(frame, *labels(np.arange(4) == 1), None, ALL, 0.95)
    assert [table["column"] for table in tables] == ["shop_week"]
    nothing = cohorts(4)
    assert slice_tables(nothing, *labels(np.arange(4) == 1), None, ALL, 0.95) == []


def test_the_largest_rows_are_kept_in_their_order() -> None:
    # Store k has k + 1 baskets.
    stores = [f"S{store:02}" for store in range(MOST_ROWS + 5) for _ in range(store + 1)]
    table = only_table(cohorts(len(stores), store_region=stores[::-1]), "store_region")
    assert table["more"] == 5
    assert values(table) == [f"S{store:02}" for store in range(5, MOST_ROWS + 5)]


def test_a_weak_slice_is_named_and_a_small_one_is_not() -> None:
    # "SS" is wrong in half of 200 baskets, "XS" in all of 29, the rest in one of fifty.
    formats = ["SS"] * 200 + ["XS"] * 29 + ["LS"] * 2_000
    wrong = np.arange(len(formats)) % 50 == 0
    wrong[:200:2], wrong[200:229] = True, True
    frame = cohorts(len(formats), store_format=formats)
    tables = slice_tables(frame, *labels(wrong), None, ["store_format"], 0.95)
    worse = {row["value"]: row["significantly_worse"] for row in tables[0]["rows"]}
    assert worse == {"LS": False, "SS": True, "XS": False}
    (sentence,) = weak_slices(tables)
    assert sentence.startswith(
        "Baskets of store_format SS are classified significantly worse: accuracy 0."
    )


def test_customers_not_baskets_must_be_thirty() -> None:
    formats = ["SS"] * 200 + ["LS"] * 2_000
    wrong = np.arange(len(formats)) % 50 == 0
    wrong[:200:2] = True
    frame = cohorts(len(formats), store_format=formats)

    def worse(per_customer: int) -> bool:
        customers = np.arange(len(formats)) // per_customer
        (table,) = slice_tables(frame, *labels(wrong), customers, ["store_format"], 0.95)
        return table["rows"][1]["significantly_worse"]

    assert worse(5)
    assert not worse(10)


def test_what_is_worse_is_corrected_for_the_slices_of_all_tables() -> None:
    # A p-value of 0.007 or so is enough for two slices, but not with a hundred of another column.
    formats = ["SS"] * 400 + ["LS"] * 8_000
    wrong = np.arange(len(formats)) % 20 == 0
    wrong[1:280:20] = True
    hours = (np.arange(len(formats)) % 100).tolist()
    frame = cohorts(len(formats), store_format=formats, shop_hour=hours)

    def worse(columns: list[SliceColumn]) -> bool:
        table, *_ = slice_tables(frame, *labels(wrong), None, columns, 0.95)
        return table["rows"][1]["significantly_worse"]

    assert worse(["store_format"])
    assert not worse(["store_format", "shop_hour"])


def test_customer_numbers_need_not_be_dense_and_none_means_each_by_itself() -> None:
    frame, (true, predicted) = drawn(2, 500), labels(np.arange(500) % 7 == 0)
    rng = np.random.default_rng(3)
    sparse = rng.choice(10**9, 60)[rng.integers(0, 60, 500)]
    dense = np.unique(sparse, return_inverse=True)[1]
    assert slice_tables(frame, true, predicted, sparse, ALL, 0.9) == slice_tables(
        frame, true, predicted, dense, ALL, 0.9
    )
    alone = slice_tables(frame, true, predicted, None, ALL, 0.9)
    assert alone == slice_tables(frame, true, predicted, np.arange(500) * 7, ALL, 0.9)


@given(st.integers(0, 10**6), st.integers(2, 200), st.floats(0, 1))
def test_the_rows_of_a_column_add_up_to_the_whole(seed: int, size: int, share: float) -> None:
    frame = drawn(seed, size)
    wrong = np.random.default_rng(seed).random(size) < share
    customers = np.arange(size) // 2
    for table in slice_tables(frame, *labels(wrong), customers, ALL, 0.95):
        rows = table["rows"]
        assert len(rows) > 1
        assert table["more"] == 0
        assert sum(row["baskets"] for row in rows) == size
        differences = [row["baskets"] * row["difference"]["estimate"] for row in rows]
        assert sum(differences) == pytest.approx(0, abs=1e-9)
        for row in rows:
            low, high = row["difference"]["low"], row["difference"]["high"]
            assert low <= row["difference"]["estimate"] <= high
            assert 0 <= row["macro_f1"] <= 1
            assert not row["significantly_worse"] or high < 0


def row(value: str, estimate: float, *, worse: bool = True, whole: float = 0.96) -> Slice:
    difference = Interval(estimate=estimate, low=estimate - 0.0122, high=estimate + 0.0118)
    return Slice(
        value=value,
        baskets=1_234,
        accuracy=whole + estimate,
        macro_f1=0.9,
        difference=difference,
        significantly_worse=worse,
    )


def tables_of(**columns: list[Slice]) -> list[SliceTable]:
    return [SliceTable(column=name, rows=rows, more=0) for name, rows in columns.items()]


def test_a_sentence_names_the_slice_and_its_numbers() -> None:
    tables = tables_of(store_format=[row("LS", 0.02, worse=False), row("SS", -0.0588)])
    assert weak_slices(tables) == [
        "Baskets of store_format SS are classified significantly worse: accuracy 0.9012 "
        "against 0.9600 overall (1,234 baskets, difference −0.0588 [−0.0710, −0.0470])."
    ]


@pytest.mark.parametrize(
    ("column", "value", "subject"),
    [
        ("card", "card", "Baskets with a card"),
        ("card", "no card", "Baskets without a card"),
        ("basket_size", "1", "Baskets of 1 line"),
        ("basket_size", "2–5", "Baskets of 2–5 lines"),
        ("store_region", "unknown", "Baskets of unknown store_region"),
        ("shop_week", "200731", "Baskets of shop_week 200731"),
    ],
)
def test_a_sentence_reads_as_english(column: str, value: str, subject: str) -> None:
    (sentence,) = weak_slices(tables_of(**{column: [row(value, -0.05)]}))
    assert sentence.startswith(f"{subject} are classified significantly worse: ")


def test_a_small_difference_keeps_its_digits() -> None:
    (sentence,) = weak_slices(tables_of(card=[row("card", -0.000021, whole=0.99998)]))
    assert "accuracy 0.999959 against 0.999980 overall" in sentence
    assert "difference −0.000021 [" in sentence


@pytest.mark.parametrize(
    ("weak", "last"),
    [(6, "1 more slice is significantly worse."), (8, "3 more slices are significantly worse.")],
)
def test_the_strongest_five_are_named_and_the_rest_counted(weak: int, last: str) -> None:
    rows = [row(str(hour), -0.01 * hour) for hour in range(1, weak + 1)]
    *named, more = weak_slices(tables_of(shop_hour=rows[::2], shop_week=rows[1::2]))
    assert [
        float(sentence.split("difference ")[1].split()[0].replace("−", "-")) for sentence in named
    ] == [pytest.approx(-0.01 * hour) for hour in range(weak, weak - 5, -1)]
    assert more == last


def test_no_weak_slice_no_sentence() -> None:
    assert weak_slices([]) == []
    assert weak_slices(tables_of(card=[row("card", -0.2, worse=False)])) == []


def test_a_hundred_thousand_baskets_are_a_matter_of_a_moment() -> None:
    frame = drawn(4, 100_000)
    true, predicted = labels(np.random.default_rng(4).random(100_000) < 0.04)
    customers = np.random.default_rng(5).integers(0, 20_000, 100_000)
    started = time.process_time()
    tables = slice_tables(frame, true, predicted, customers, ALL, 0.95)
    assert time.process_time() - started < 1
    assert len(tables) == len(ALL)
