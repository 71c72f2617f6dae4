"""A basket's label must not find its way into the features that are to predict it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from basketwise.config import Config, TrainingConfig
from basketwise.etl.gold.tables import INDEX_FILE, TEST_FILE, TRAIN_FILE
from basketwise.etl.silver.chunks import read_chunks
from basketwise.features.product_index.table import BASKETS, CLASS, NEW, SCORES
from basketwise.sampling import generate
from basketwise.training.candidates import build
from basketwise.training.examples import Examples, read_examples
from basketwise.training.fitting import fit_fold
from tests.etl.running import Run, run
from tests.features.computing import PRODUCT_FEATURES, product_features

LABEL = "BASKET_PRICE_SENSITIVITY"
CLASSIFIED = ("LA", "MM", "UM")
REMEMBERING = Config.model_validate({"index": {"ridge": 0.05}})
"""A weak penalty, so that a leak would show."""
STANDARD_ERRORS = 3.5
"""Chance alone takes an accuracy so far above its expectation in one case of 4,000."""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Few baskets of many products: what a coefficient has seen weighs heavily in it."""
    folder = tmp_path_factory.mktemp("many_products")
    generate(folder, baskets=2_500, seed=5, weeks=5, products=1_500)
    return pl.concat(pl.read_csv(path) for path in sorted(folder.iterdir()))


def with_labels(lines: pl.DataFrame, labels: dict[int, str]) -> pl.DataFrame:
    return lines.with_columns(
        pl.col("BASKET_ID")
        .replace_strict(labels, default=None, return_dtype=pl.String)
        .fill_null(pl.col(LABEL))
        .alias(LABEL)
    )


def made_from(lines: pl.DataFrame, root: Path) -> Run:
    root.mkdir(exist_ok=True)
    lines.write_csv(root / "lines.csv")
    return run(root / "lines.csv", root / "out", REMEMBERING)


def shuffled(lines: pl.DataFrame, seed: int) -> dict[int, str]:
    """Deal the labels of the classified baskets out anew."""
    baskets = lines.filter(pl.col(LABEL).is_in(CLASSIFIED)).unique("BASKET_ID").sort("BASKET_ID")
    dealt = np.random.default_rng(seed).permutation(baskets[LABEL].to_numpy())
    return dict(zip(baskets["BASKET_ID"].to_list(), dealt.tolist(), strict=True))


@pytest.fixture(scope="module")
def honest(lines: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_from(lines, tmp_path_factory.mktemp("honest"))


@pytest.fixture(scope="module")
def meaningless(lines: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Run:
    relabelled = with_labels(lines, shuffled(lines, 1))
    return made_from(relabelled, tmp_path_factory.mktemp("meaningless"))


def parts(made: Run) -> tuple[Examples, Examples]:
    columns = made.metadata.feature_columns
    train, test = (read_examples(made.gold / name, columns) for name in (TRAIN_FILE, TEST_FILE))
    return train, test


def cross_validated(train: Examples) -> float:
    right = np.zeros(train.y.size, dtype=np.bool_)
    for fold in range(int(train.fold.max()) + 1):
        scored = fit_fold("decision_tree", fold, train, TrainingConfig())
        chosen = scored.probabilities.argmax(axis=1)
        right[train.fold == fold] = chosen == train.y[train.fold == fold]
    return float(right.mean())


def accuracy_on_test(train: Examples, test: Examples) -> float:
    model = build("decision_tree", TrainingConfig(), train.y.size).fit(train.X, train.y)
    return float(np.mean(model.predict_proba(test.X).argmax(axis=1) == test.y))


def most_by_chance(part: Examples) -> float:
    """Nobody who knows nothing of the labels beats the majority class but by chance."""
    share = np.bincount(part.y).max() / part.y.size
    return float(share + STANDARD_ERRORS * np.sqrt(share * (1 - share) / part.y.size))


def scored_with_the_index_that_has_seen_them(made: Run, train: Examples) -> Examples:
    """Do what must not be done: score training baskets with the index of the whole part."""
    answers = made.index.select("PROD_CODE", *SCORES, CLASS, (pl.col(BASKETS) == 0).alias(NEW))
    seen = pl.concat(product_features(chunk.lines, answers) for chunk in read_chunks(made.silver))
    rows = made.train.drop(PRODUCT_FEATURES).join(seen, on="basket_id", maintain_order="left")
    assert rows["basket_id"].equals(train.ids)
    X = rows.select(pl.col(*train.columns).cast(pl.Float32)).to_numpy()
    return Examples(train.ids, np.ascontiguousarray(X), train.y, train.fold, train.columns)


def test_labels_that_mean_something_are_learned(honest: Run) -> None:
    train, test = parts(honest)
    assert accuracy_on_test(train, test) > most_by_chance(test) + 0.1
    assert cross_validated(train) > most_by_chance(train) + 0.06


def test_labels_that_mean_nothing_cannot_be_predicted(meaningless: Run) -> None:
    train, test = parts(meaningless)
    assert accuracy_on_test(train, test) <= most_by_chance(test)


def test_nor_do_out_of_fold_features_give_them_away(meaningless: Run) -> None:
    train, _ = parts(meaningless)
    assert cross_validated(train) <= most_by_chance(train)


def test_an_index_that_has_seen_its_baskets_would_give_them_away(meaningless: Run) -> None:
    train, _ = parts(meaningless)
    leaking = scored_with_the_index_that_has_seen_them(meaningless, train)
    assert cross_validated(leaking) > most_by_chance(train) + 0.06


def test_a_baskets_own_label_does_not_change_its_features(
    lines: pl.DataFrame, honest: Run, tmp_path: Path
) -> None:
    before = honest.train
    chosen = before.filter(pl.col("price_sensitivity") == "Low").row(0, named=True)
    changed = made_from(with_labels(lines, {chosen["basket_id"]: "LA"}), tmp_path).train
    assert_frame_equal(before.select("basket_id", "fold"), changed.select("basket_id", "fold"))
    label = changed.filter(pl.col("basket_id") == chosen["basket_id"])["price_sensitivity"]
    assert label.to_list() == ["High"]
    own = pl.col("fold") == chosen["fold"]
    features = ["basket_id", *honest.metadata.feature_columns]
    # To the bit, and for all baskets that the same index scores.
    assert before.filter(own).select(features).equals(changed.filter(own).select(features))
    others = [frame.filter(~own).select(PRODUCT_FEATURES) for frame in (before, changed)]
    assert not others[0].equals(others[1])


def test_the_labels_of_test_baskets_change_nothing_but_themselves(
    lines: pl.DataFrame, honest: Run, tmp_path: Path
) -> None:
    in_test = set(honest.test["basket_id"])
    dealt = shuffled(lines.filter(pl.col("BASKET_ID").is_in(list(in_test))), 2)
    changed = made_from(with_labels(lines, dealt), tmp_path)
    for name in (TRAIN_FILE, INDEX_FILE):
        assert (changed.gold / name).read_bytes() == (honest.gold / name).read_bytes()
    assert not changed.test["price_sensitivity"].equals(honest.test["price_sensitivity"])
    features = honest.metadata.feature_columns
    assert changed.test.select(features).equals(honest.test.select(features))
