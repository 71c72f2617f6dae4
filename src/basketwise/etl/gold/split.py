"""Which baskets train and which test, and the folds of those that train."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.arrays import Counts
from basketwise.config import SplitConfig
from basketwise.errors import ConfigError, InputError
from basketwise.etl.lines.cleaning import NO_WEEK
from basketwise.importing import LOADING
from basketwise.schema import (
    BASKET_ID,
    CLASSES,
    CUST_CODE,
    FOLD,
    LABEL,
    SHOP_WEEK,
    TEST,
    UNCLASSIFIED,
)

HASHED = 2**20
"""Ids that are text at a time."""

LONGEST_WEEK = 1.5
"""Times a fold's share of the baskets up to which a week is a fold of its own."""


def assign_folds(
    baskets: pl.DataFrame,
    split: SplitConfig,
    folds: int,
    train_weeks: int | None = None,
    max_baskets: int | None = None,
) -> pl.DataFrame:
    """Divide the baskets into training and test set, and the training set into folds.

    ``baskets`` is a survey's, sorted by BASKET_ID; returns it with ``fold`` (Int8): 0 … folds-1 in
    training, -1 in test. The folds are to the training set what the test set is to all of it: by
    customer if no customer is in both sets, and with the latest weeks as the last fold (see
    :func:`forward_weeks`) if the test set is later; else drawn. A basket's fold does not depend on
    any label: what an out-of-fold score may not see must not decide who scores it either.

    Training baskets of other than the latest ``train_weeks`` weeks are left out (None: none are),
    and so are those of what is left that :func:`drawn` does not draw, where there are more than
    ``max_baskets``; the test set is the same.

    Raises
    ------
    InputError, ConfigError
        If the data does not allow the split, or a class would be missing somewhere.
    """
    # All columns of a chain's baskets are a gigabyte: here and below, only one is selected.
    if not (baskets[LABEL] != UNCLASSIFIED).any():
        raise InputError(
            f"No basket has one of the classes {', '.join(CLASSES)}.",
            "Check the labels in the input, and the mapping data.labels in the config.",
        )
    test = {"time": _by_time, "stratified": _stratified, "customer": _by_customer}[split.strategy](
        baskets, split
    )
    if train_weeks is not None:
        present = baskets[SHOP_WEEK].filter(pl.Series(~test)).unique().sort()
        kept = test | (baskets[SHOP_WEEK] >= present[-min(train_weeks, present.len())]).to_numpy()
        baskets, test = baskets.filter(pl.Series(kept)), test[kept]
    if max_baskets is not None and int((~test).sum()) > max_baskets:
        kept = test.copy()
        kept[~test] = drawn(baskets[BASKET_ID].filter(pl.Series(~test)), max_baskets, split)
        baskets, test = baskets.filter(pl.Series(kept)), test[kept]
    fold = np.where(test, TEST, 0).astype(np.int8)
    divided = baskets.with_columns(pl.Series(FOLD, fold))
    forward = forward_weeks(divided, split, folds)
    fold[~test] = _folds(divided.filter(pl.Series(~test)), forward, split, folds)
    assigned = baskets.with_columns(pl.Series(FOLD, fold))
    _check_classes(assigned, folds)
    return assigned


def not_drawn(baskets: pl.DataFrame, assigned: pl.DataFrame) -> pl.DataFrame:
    """Return the baskets of the training weeks that were not drawn, with the ``fold`` of the test.

    No index has seen them, so they meet what the test set meets: that of all drawn baskets.

    Parameters
    ----------
    baskets, assigned : DataFrame
        What :func:`assign_folds` got and gave.
    """
    first = assigned.filter(pl.col(FOLD) != TEST)[SHOP_WEEK].min()
    others = baskets.join(assigned.select(BASKET_ID), on=BASKET_ID, how="anti")
    rest = others.filter(pl.col(SHOP_WEEK) >= first)
    return rest.with_columns(pl.lit(TEST, pl.Int8).alias(FOLD))


def drawn(ids: pl.Series, most: int, split: SplitConfig) -> NDArray[np.bool_]:
    """Draw some baskets by a hash of their id and the seed.

    Whether a basket is drawn depends on the others only by their number.

    Parameters
    ----------
    ids : Series
        BASKET_ID, each once; more than ``most``.
    most : int
        How many are drawn.
    split : SplitConfig
        Its seed counts.
    """
    # As text, all of them would take five times as much.
    parts = [
        part.cast(pl.String).hash(split.random_state).to_numpy()
        for part in (ids.slice(first, HASHED) for first in range(0, len(ids), HASHED))
    ]
    hashes = np.concatenate(parts)
    chosen = np.zeros(len(ids), dtype=np.bool_)
    # Equal hashes stay in the order of ids.
    chosen[np.argsort(hashes, kind="stable")[:most]] = True
    return chosen


def draw_folds(baskets: int, folds: int, seed: int) -> NDArray[np.int8]:
    """Draw the fold of each basket, 0 … folds-1; all folds are of one size, give or take one."""
    return (np.random.default_rng(seed).permutation(baskets) % folds).astype(np.int8)


def forward_weeks(baskets: pl.DataFrame, split: SplitConfig, folds: int) -> list[int]:
    """Return the latest training weeks, which are the last fold if the test set is later.

    They have no more baskets than another fold, and are no more than the test set has. A single
    week may have up to half as many baskets again.

    Parameters
    ----------
    baskets : DataFrame
        One row per basket: SHOP_WEEK and ``fold``, of which only is used what is in the test set.
    split : SplitConfig
        Its strategy counts.
    folds : int
        Number of folds, at least three.

    Returns
    -------
    list of int
        In ascending order; empty if the test set is not later, or if weeks or folds are too few.
    """
    test = baskets[FOLD] == TEST
    weeks = baskets.select(SHOP_WEEK).filter(~test)
    per_week = weeks.group_by(SHOP_WEEK).len().sort(SHOP_WEEK, descending=True)
    share = np.cumsum(per_week["len"].to_numpy()) * folds / max(per_week["len"].sum(), 1)
    if split.strategy != "time" or folds < 3 or not share.size or share[0] > LONGEST_WEEK:
        return []
    tested = baskets.filter(test)[SHOP_WEEK].n_unique()
    number = min(max(int((share <= 1).sum()), 1), tested)
    return sorted(per_week[SHOP_WEEK][:number])


def _folds(
    train: pl.DataFrame, forward: list[int], split: SplitConfig, folds: int
) -> NDArray[np.int8]:
    """Give each training basket its fold."""
    seed = split.random_state
    if split.strategy == "customer":
        group = _customers(train)
        return draw_folds(int(group.max(initial=-1)) + 1, folds, seed)[group]
    late = train[SHOP_WEEK].is_in(forward).to_numpy()
    fold = np.full(train.height, folds - 1, dtype=np.int8)
    fold[~late] = draw_folds(int((~late).sum()), folds - bool(forward), seed)
    return fold


def one_week(week: int) -> ConfigError:
    """Return the error for lines that are all of one week, or of none where it is ``NO_WEEK``."""
    if week == NO_WEEK:
        return ConfigError(
            f"split.strategy 'time' needs two weeks; the data contains none (column {SHOP_WEEK} is "
            "missing).",
            f"Add {SHOP_WEEK} (YYYYWW), or choose --split stratified or --split customer.",
        )
    return ConfigError(
        f"split.strategy 'time' needs two weeks; the data contains only {week} (column "
        f"{SHOP_WEEK}).",
        "Add more weeks, or choose --split stratified or --split customer.",
    )


def no_customers() -> ConfigError:
    """Return the error for lines without any customer code."""
    return ConfigError(
        f"split.strategy 'customer' needs customer codes; the column {CUST_CODE} is missing "
        "or empty.",
        f"Add {CUST_CODE}, or choose --split time or --split stratified.",
    )


def _by_time(baskets: pl.DataFrame, split: SplitConfig) -> NDArray[np.bool_]:
    """Take the latest weeks that contain at least ``test_size`` of the classified baskets."""
    per_week = (
        baskets.lazy()
        .filter(pl.col(LABEL) != UNCLASSIFIED)
        .group_by(SHOP_WEEK)
        .len()
        .sort(SHOP_WEEK, descending=True)
        .collect(engine="in-memory")
    )
    if per_week.height < 2:
        raise one_week(per_week[SHOP_WEEK].item())
    # NumPy divides exactly where Polars multiplies by the inverse: 39 of 195 must be 0.2.
    share = np.cumsum(per_week["len"].to_numpy()) / per_week["len"].sum()
    first = int((share < split.test_size).sum())
    if first >= per_week.height - 1:
        raise ConfigError(
            f"split.test_size {split.test_size} leaves no week to train on: the data contains "
            f"{per_week.height} weeks.",
            "Choose a smaller test_size, or --split stratified.",
        )
    return np.asarray(baskets[SHOP_WEEK] >= per_week[SHOP_WEEK][first], dtype=np.bool_)


def _stratified(baskets: pl.DataFrame, split: SplitConfig) -> NDArray[np.bool_]:
    """Split as scikit-learn does; unclassified baskets have no class to test, so they train."""
    with LOADING:
        from sklearn.model_selection import train_test_split

    classified = np.flatnonzero((baskets[LABEL] != UNCLASSIFIED).to_numpy())
    labels = baskets[LABEL].cast(pl.String).to_numpy()[classified]
    try:
        _, tested = train_test_split(
            classified, test_size=split.test_size, random_state=split.random_state, stratify=labels
        )
    except ValueError as error:
        raise InputError(
            f"A stratified split is not possible: {error}",
            "Every class needs baskets in both sets; add more data.",
        ) from error
    test = np.zeros(baskets.height, dtype=np.bool_)
    test[tested] = True
    return test


def _by_customer(baskets: pl.DataFrame, split: SplitConfig) -> NDArray[np.bool_]:
    """Move whole customers, in a seeded order, until the test set is large enough."""
    if baskets[CUST_CODE].null_count() == baskets.height:
        raise no_customers()
    group = _customers(baskets)
    classified = (baskets[LABEL] != UNCLASSIFIED).to_numpy()
    size = np.bincount(group, weights=classified)
    order = np.random.default_rng(split.random_state).permutation(size.size)
    reached = np.cumsum(size[order]) >= split.test_size * size.sum()
    chosen = np.zeros(size.size, dtype=np.bool_)
    chosen[order[: int(np.argmax(reached)) + 1]] = True
    return np.asarray(chosen[group], dtype=np.bool_)


def _customers(baskets: pl.DataFrame) -> Counts:
    """Give each customer a number, from 0; a basket without a card is a customer of its own."""
    names = (
        baskets[CUST_CODE]
        .cast(pl.String)
        .fill_null("card-less " + baskets[BASKET_ID].cast(pl.String))
    )
    return names.unique().sort().search_sorted(names).to_numpy().astype(np.int64)


def _check_classes(baskets: pl.DataFrame, folds: int) -> None:
    counts = (
        baskets.select(LABEL, FOLD)
        .filter(pl.col(LABEL) != UNCLASSIFIED)
        .group_by(LABEL, FOLD)
        .len()
        .with_columns(pl.col(LABEL).cast(pl.String))
    )
    present = [name for name in CLASSES if name in set(counts[LABEL])]
    if len(present) == 1:
        raise InputError(
            f"All baskets are {present[0]}: there is nothing to classify.",
            "Give data with all of " + ", ".join(CLASSES) + ", and check data.labels.",
        )
    for name in CLASSES:
        own = counts.filter(pl.col(LABEL) == name)
        train = int(own.filter(pl.col(FOLD) != TEST)["len"].sum())
        if train < folds:
            raise InputError(
                f"The training set contains {train} baskets of class {name}, fewer than the "
                f"{folds} folds.",
                "Add more data, or lower training.folds.",
            )
        if own.filter(pl.col(FOLD) != TEST).height < 2:
            raise InputError(
                f"All {train} training baskets of class {name} fall into one fold.",
                "Add more data, or choose another split.random_state.",
            )
        if own.filter(pl.col(FOLD) == TEST).is_empty():
            raise InputError(
                f"The test set contains no basket of class {name}.",
                "Add more data, increase split.test_size, or choose --split stratified.",
            )
