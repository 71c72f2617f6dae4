from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from basketwise.config import SplitConfig
from basketwise.errors import BasketwiseError, ConfigError, InputError
from basketwise.etl.gold.split import assign_folds, forward_weeks, not_drawn
from basketwise.etl.lines.cleaning import NO_WEEK
from basketwise.schema import CLASSES, FOLD, LABEL, TEST, UNCLASSIFIED

FOLDS = 5


def baskets(
    number: int = 400,
    *,
    weeks: int = 10,
    customers: int | None = 80,
    labels: list[str] | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    drawn = labels or list(rng.choice([*CLASSES, UNCLASSIFIED], number, p=[0.25, 0.45, 0.25, 0.05]))
    cards: list[str | None] = [None] * number
    if customers:
        cards = [f"C{n}" if n else None for n in rng.integers(0, customers, number)]
    return pl.DataFrame(
        {
            "BASKET_ID": np.arange(number) + 1_000,
            "SHOP_WEEK": rng.integers(0, weeks, number).astype(np.int32) + 200_607,
            LABEL: pl.Series(drawn, dtype=pl.Categorical),
            "CUST_CODE": pl.Series(cards, dtype=pl.Categorical),
        }
    )


def split(table: pl.DataFrame, folds: int = FOLDS, **settings: Any) -> pl.DataFrame:
    assigned = assign_folds(table, SplitConfig(**settings), folds)
    assert assigned.drop(FOLD).equals(table)
    assert assigned.schema[FOLD] == pl.Int8
    return assigned


def count(mask: pl.Series) -> int:
    return int(mask.sum())


def in_test(table: pl.DataFrame, **settings: Any) -> pl.Series:
    return split(table, **settings)[FOLD] == TEST


def test_folds_have_nearly_the_same_size_and_are_all_there() -> None:
    counts = split(baskets(), strategy="stratified")[FOLD].value_counts().sort(FOLD)
    assert counts[FOLD].to_list() == [TEST, *range(FOLDS)]
    sizes = counts["count"].to_list()[1:]
    assert max(sizes) - min(sizes) <= 1


def test_with_a_later_test_set_the_latest_training_weeks_are_the_last_fold() -> None:
    assigned = split(baskets(2_000, weeks=20), test_size=0.2)
    forward = forward_weeks(assigned, SplitConfig(test_size=0.2), FOLDS)
    training = assigned.filter(pl.col(FOLD) != TEST)
    late = training["SHOP_WEEK"].is_in(forward)
    assert (late == (training[FOLD] == FOLDS - 1)).all()
    assert set(forward) == set(training["SHOP_WEEK"].unique().sort().tail(len(forward)))
    assert count(late) <= training.height / FOLDS
    with_one_week_more = training["SHOP_WEEK"] >= min(forward) - 1
    assert count(with_one_week_more) > training.height / FOLDS
    sizes = training.filter(~late)[FOLD].value_counts()["count"]
    assert int(sizes.max()) - int(sizes.min()) <= 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("weeks", "folds", "strategy", "number"),
    [
        (3, 5, "time", 0),  # each of the two training weeks is half of all
        (6, 5, "time", 1),  # a quarter: a little more than a fold
        (20, 2, "time", 0),
        (20, 5, "stratified", 0),
        (20, 5, "customer", 0),
    ],
)
def test_where_weeks_or_folds_are_too_few_folds_are_drawn(
    weeks: int, folds: int, strategy: Any, number: int
) -> None:
    config = SplitConfig(strategy=strategy, test_size=0.1)
    assigned = assign_folds(baskets(1_000, weeks=weeks), config, folds)
    assert len(forward_weeks(assigned, config, folds)) == number


def test_the_forward_block_is_no_longer_than_the_test_set() -> None:
    config = SplitConfig(test_size=0.04)
    assigned = split(baskets(2_000, weeks=20), test_size=0.04)
    assert len(forward_weeks(assigned, config, FOLDS)) == 1


def test_with_whole_customers_in_the_test_set_folds_are_of_whole_customers() -> None:
    assigned = split(baskets(), strategy="customer").drop_nulls("CUST_CODE")
    assert (assigned.group_by("CUST_CODE").agg(pl.col(FOLD).n_unique())[FOLD] == 1).all()
    assert set(assigned[FOLD]) == {TEST, *range(FOLDS)}


def test_only_the_latest_training_weeks_are_kept_and_the_test_set_is_the_same() -> None:
    table, config = baskets(), SplitConfig()
    every = assign_folds(table, config, FOLDS)
    fewer = assign_folds(table, config, FOLDS, 3)
    tested = pl.col(FOLD) == TEST
    assert fewer.filter(tested).equals(every.filter(tested))
    weeks = every.filter(~tested)["SHOP_WEEK"].unique().sort()
    assert fewer.filter(~tested)["SHOP_WEEK"].unique().sort().equals(weeks.tail(3))
    assert assign_folds(table, config, FOLDS, 99).equals(every)


@given(st.floats(0.05, 0.8), st.integers(0, 5))
def test_time_takes_the_fewest_latest_weeks_that_suffice(test_size: float, seed: int) -> None:
    table = baskets(seed=seed)
    tested = in_test(table, test_size=test_size)
    weeks = table["SHOP_WEEK"]
    first = weeks.filter(tested).min()
    assert isinstance(first, int)
    assert (tested == (weeks >= first)).all()
    classified = table[LABEL].cast(pl.String) != UNCLASSIFIED
    share = count(tested & classified) / count(classified)
    with_one_week_less = count((weeks > first) & classified) / count(classified)
    assert with_one_week_less < test_size <= share


def test_a_share_that_weeks_meet_exactly_takes_no_week_more() -> None:
    table = pl.concat([baskets(40, seed=3)] * 5).with_columns(
        pl.Series("SHOP_WEEK", np.repeat(np.arange(5, dtype=np.int32) + 200_607, 40)),
        pl.Series("BASKET_ID", np.arange(200)),
    )
    tested = in_test(table, test_size=0.2)
    assert set(table["SHOP_WEEK"].filter(tested)) == {200_611}


@pytest.mark.parametrize("strategy", ["time", "stratified", "customer"])
def test_at_most_so_many_training_baskets_are_drawn(strategy: str) -> None:
    table, config = baskets(3_000), SplitConfig.model_validate({"strategy": strategy})
    every = assign_folds(table, config, FOLDS)
    few = assign_folds(table, config, FOLDS, max_baskets=500)
    test = every.filter(pl.col(FOLD) == TEST)
    assert few.filter(pl.col(FOLD) == TEST).equals(test)
    drawn = few.filter(pl.col(FOLD) != TEST)
    assert (drawn.height, drawn["BASKET_ID"].n_unique()) == (500, 500)
    assert drawn["BASKET_ID"].is_in(every["BASKET_ID"].implode()).all()
    # Evenly: of each class about as many as before, and the draw moves little with the number.
    before = every.filter(pl.col(FOLD) != TEST)[LABEL].value_counts(normalize=True)
    shares = before.join(drawn[LABEL].value_counts(normalize=True), on=LABEL)
    assert (shares["proportion"] - shares["proportion_right"]).abs().max() < 0.08  # type: ignore[operator]
    more = assign_folds(table, config, FOLDS, max_baskets=600)
    assert set(drawn["BASKET_ID"]) < set(more["BASKET_ID"])
    assert assign_folds(table, config, FOLDS, max_baskets=3_000).equals(every)


@pytest.mark.parametrize("strategy", ["time", "stratified", "customer"])
@pytest.mark.parametrize("train_weeks", [None, 2])
def test_those_not_drawn_are_the_others_of_the_training_weeks(
    strategy: Any, train_weeks: int | None
) -> None:
    table, config = baskets(3_000), SplitConfig(strategy=strategy)
    every = assign_folds(table, config, FOLDS, train_weeks)
    few = assign_folds(table, config, FOLDS, train_weeks, max_baskets=200)
    rest = not_drawn(table, few)
    training = [set(frame.filter(pl.col(FOLD) != TEST)["BASKET_ID"]) for frame in (every, few)]
    assert set(rest["BASKET_ID"]) == training[0] - training[1]
    assert rest.schema == few.schema
    assert (rest[FOLD] == TEST).all()
    assert not_drawn(table, every).is_empty()


@pytest.mark.parametrize("random_state", [0, 42])
@pytest.mark.parametrize("test_size", [0.2, 0.37])
def test_stratified_is_scikit_learns(test_size: float, random_state: int) -> None:
    table = baskets()
    tested = in_test(table, strategy="stratified", test_size=test_size, random_state=random_state)
    classified = table.filter(pl.col(LABEL) != UNCLASSIFIED).sort("BASKET_ID")
    _, expected = train_test_split(
        classified["BASKET_ID"].to_list(),
        test_size=test_size,
        random_state=random_state,
        stratify=classified[LABEL].cast(pl.String).to_list(),
    )
    assert set(table["BASKET_ID"].filter(tested)) == set(expected)


def test_customer_keeps_each_on_one_side() -> None:
    table = baskets()
    assigned = split(table, strategy="customer", test_size=0.3)
    tested = assigned[FOLD] == TEST
    cards = assigned["CUST_CODE"].cast(pl.String)
    left, right = (set(cards.filter(side).drop_nulls()) for side in (tested, ~tested))
    assert left
    assert right
    assert not left & right
    classified = assigned[LABEL].cast(pl.String) != UNCLASSIFIED
    largest = cards.value_counts()["count"].max()
    assert isinstance(largest, int)
    wanted = 0.3 * count(classified)
    assert wanted <= count(tested & classified) <= wanted + largest


def test_baskets_without_a_card_are_customers_of_their_own() -> None:
    assigned = split(baskets(customers=2), strategy="customer", test_size=0.2)
    cardless = assigned.filter(pl.col("CUST_CODE").is_null())[FOLD]
    assert (cardless == TEST).any()
    assert (cardless != TEST).any()


@pytest.mark.parametrize("strategy", ["time", "customer"])
def test_folds_do_not_depend_on_which_class_a_basket_is(strategy: str) -> None:
    table = baskets()
    swap = {"Low": "High", "High": "Medium", "Medium": "Low", UNCLASSIFIED: UNCLASSIFIED}
    swapped = table.with_columns(
        pl.col(LABEL).cast(pl.String).replace_strict(swap).cast(pl.Categorical)
    )
    first, other = (split(given, strategy=strategy)[FOLD] for given in (table, swapped))
    assert first.equals(other)


def test_folds_do_not_follow_labels() -> None:
    # Sorted by label, every fold must still get its share of each.
    table = baskets(3_000).sort(LABEL).with_columns(pl.int_range(pl.len()).alias("BASKET_ID"))
    assigned = split(table).filter(pl.col(FOLD) != TEST)
    shares = assigned.group_by(FOLD).agg((pl.col(LABEL) == "Medium").mean())[LABEL]
    assert shares.max() - shares.min() < 0.15  # type: ignore[operator]


@pytest.mark.parametrize("strategy", ["time", "stratified", "customer"])
def test_the_seed_decides(strategy: str) -> None:
    table = baskets()
    first, again, other = (
        split(table, strategy=strategy, random_state=seed)[FOLD] for seed in (1, 1, 2)
    )
    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.parametrize(
    ("table", "settings", "error", "message"),
    [
        (
            baskets(weeks=1),
            {},
            ConfigError,
            r"'time' needs two weeks; the data contains only 200607 \(column SHOP_WEEK\)",
        ),
        (
            baskets(weeks=1).with_columns(pl.lit(NO_WEEK, pl.Int32).alias("SHOP_WEEK")),
            {},
            ConfigError,
            r"'time' needs two weeks; the data contains none \(column SHOP_WEEK is missing\)",
        ),
        (
            baskets(weeks=2),
            {"test_size": 0.9},
            ConfigError,
            r"split\.test_size 0\.9 leaves no week to train on: the data contains 2 weeks",
        ),
        (
            baskets(customers=None),
            {"strategy": "customer"},
            ConfigError,
            "needs customer codes; the column CUST_CODE is missing or empty",
        ),
        (baskets(labels=["Low"] * 400), {}, InputError, "All baskets are Low"),
        (
            baskets(labels=[UNCLASSIFIED] * 400),
            {},
            InputError,
            "No basket has one of the classes Low, Medium, High",
        ),
        (
            baskets(labels=["Low", "Medium"] * 200),
            {},
            InputError,
            "training set contains 0 baskets of class High, fewer than the 5 folds",
        ),
        (
            baskets(labels=["High"] * 5 + ["Low", "Medium"] * 197 + ["Low"]),
            {"strategy": "stratified"},
            InputError,
            "training set contains 4 baskets of class High, fewer than the 5 folds",
        ),
        (
            baskets(labels=["High"] + ["Low", "Medium"] * 199 + ["Low"]),
            {"strategy": "stratified"},
            InputError,
            "A stratified split is not possible",
        ),
    ],
)
def test_what_the_data_does_not_allow_is_reported(
    table: pl.DataFrame, settings: dict[str, Any], error: type[BasketwiseError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        split(table, **settings)
    assert caught.value.hint


def test_a_class_that_is_not_in_test_is_reported() -> None:
    table = baskets(weeks=3)
    last = pl.col("SHOP_WEEK") == 200_609
    table = table.with_columns(
        pl.when(last & (pl.col(LABEL) == "High"))
        .then(pl.lit("Low"))
        .otherwise(pl.col(LABEL).cast(pl.String))
        .cast(pl.Categorical)
        .alias(LABEL)
    )
    with pytest.raises(InputError, match="test set contains no basket of class High") as caught:
        split(table)
    assert "stratified" in caught.value.hint


def test_a_class_that_is_in_one_fold_is_reported() -> None:
    table = baskets(40, weeks=4)
    folds = split(table, folds=2)[FOLD]
    fold_of = dict(zip(table["BASKET_ID"], folds, strict=True))
    labels = {
        basket: "High" if fold in (0, TEST) and basket % 2 else ("Low", "Medium")[basket // 2 % 2]
        for basket, fold in fold_of.items()
    }
    lopsided = table.with_columns(pl.Series(LABEL, list(labels.values()), dtype=pl.Categorical))
    with pytest.raises(InputError, match=r"All \d+ training baskets of class High fall into one"):
        split(lopsided, folds=2)
