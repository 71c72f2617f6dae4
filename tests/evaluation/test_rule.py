"""The rule of one feature that tells the labels best."""

from pathlib import Path

import numpy as np
import polars as pl

from basketwise.arrays import Labels, Matrix
from basketwise.etl.gold.metadata import Metadata, Trial
from basketwise.etl.gold.tables import TRAIN_FILE
from basketwise.evaluation.rule import describe_rule, round_thresholds
from basketwise.features.thresholds import Piece, fit_thresholds
from basketwise.report.types.drivers import Rule
from basketwise.schema import CLASSES, TARGET
from basketwise.training.examples import Examples
from tests.etl.running import Run
from tests.evaluation.running import Evaluated

COLUMNS = ("product_balance", "total_spend", "shop_hour")
RNG = np.random.default_rng(4)


def table(baskets: int = 3_000) -> Matrix:
    """Return balances of small baskets, spends and hours."""
    lines = RNG.integers(1, 12, baskets)
    balance = np.round((RNG.random(baskets) * 2 - 1) * lines) / lines
    columns = [balance, RNG.random(baskets) * 50, RNG.integers(0, 24, baskets)]
    return np.column_stack(columns).astype(np.float32)


def by_balance(X: Matrix) -> Labels:
    return np.searchsorted([-0.18, 0.23], X[:, 0]).astype(np.int8)


def described(folder: Path, metadata: Metadata, label: object = by_balance) -> Rule | None:
    assert callable(label)
    train, test = table(), table(1_000)
    names = pl.Series(TARGET, np.asarray(CLASSES)[label(train)])
    pl.DataFrame(train, schema=list(COLUMNS)).with_columns(names).write_parquet(folder / TRAIN_FILE)
    y = label(test)
    ids = pl.Series(range(y.size))
    examples = Examples(ids, test, y, np.empty(0, np.int8), COLUMNS)
    return describe_rule(folder, examples, y, int(np.bincount(y).argmax()), metadata)


def test_a_vote_of_lines_is_recognised(tmp_path: Path, sample_run: Run) -> None:
    rule = described(tmp_path, sample_run.metadata)
    assert rule is not None
    assert rule["recognised"]
    assert (rule["feature"], rule["group"]) == ("product_balance", "product")
    assert [piece["class"] for piece in rule["pieces"]] == ["Low", "Medium", "High"]
    low, medium, high = (piece["up_to"] for piece in rule["pieces"])
    # No basket of up to eleven lines has a balance between these and the true thresholds.
    assert low is not None
    assert -2 / 11 < low < -1 / 6
    assert medium is not None
    assert 2 / 9 < medium < 1 / 4
    assert high is None
    assert (rule["train_baskets"], rule["train_accuracy"]) == (3_000, 1)
    assert rule["test_accuracy"] == rule["agreement"] == 1
    assert rule["text"].startswith("A vote of lines: Low up to")


def test_another_feature_is_named_where_it_tells_more(tmp_path: Path, sample_run: Run) -> None:
    def by_spend(X: Matrix) -> Labels:
        return (2 - np.searchsorted([10, 30], X[:, 1])).astype(np.int8)

    rule = described(tmp_path, sample_run.metadata, by_spend)
    assert rule is not None
    assert (rule["feature"], rule["group"]) == ("total_spend", "basket")
    assert [piece["class"] for piece in rule["pieces"]] == ["High", "Medium", "Low"]
    assert rule["test_accuracy"] > 0.99


def test_labels_that_follow_from_no_feature_have_no_rule(tmp_path: Path, sample_run: Run) -> None:
    def drawn(X: Matrix) -> Labels:
        return RNG.integers(0, 3, len(X)).astype(np.int8)

    trial = Trial(group="price", gain=0.001, error=0.002, chosen=False)
    metadata = sample_run.metadata.model_copy(update={"tried": [trial]})
    rule = described(tmp_path, metadata, drawn)
    assert rule is not None
    assert not rule["recognised"]
    assert rule["text"].startswith("No simple rule was recognised. The closest, ")
    assert rule["notes"][-1].startswith("Those that add nothing that shows: price")


def test_a_common_class_alone_is_no_rule(tmp_path: Path, sample_run: Run) -> None:
    def mostly_medium(X: Matrix) -> Labels:
        return np.where(RNG.random(len(X)) < 0.95, 1, RNG.integers(0, 3, len(X))).astype(np.int8)

    rule = described(tmp_path, sample_run.metadata, mostly_medium)
    assert rule is None or not rule["recognised"]

    def always_medium(X: Matrix) -> Labels:
        return np.ones(len(X), np.int8)

    assert described(tmp_path, sample_run.metadata, always_medium) is None


def test_thresholds_are_round_where_that_costs_next_to_nothing() -> None:
    rng = np.random.default_rng(1)
    values = rng.random(20_000) * 2 - 1
    y = np.searchsorted([-0.18, 0.23], values).astype(np.int8)
    exact = fit_thresholds(values, y)
    assert [piece.up_to for piece in round_thresholds(exact, values, y)] == [-0.18, 0.23, None]
    wrong = y.copy()
    wrong[:2_000] = rng.integers(0, 3, 2_000)
    noisy = round_thresholds(fit_thresholds(values, wrong), values, wrong)
    assert [piece.up_to for piece in noisy] == [-0.18, 0.23, None]
    tiny, pieces = np.array([5e-13, 2e-12]), [Piece(0, 1e-12), Piece(2, None)]
    assert round_thresholds(pieces, tiny, np.array([0, 2], np.int8)) == pieces


def test_the_sample_is_a_vote_of_lines(evaluated: Evaluated) -> None:
    report = evaluated.report
    rule = report["rule"]
    assert rule is not None
    assert rule["recognised"]
    assert rule["feature"] == "product_balance"
    assert rule["weighting"] == "lines"
    assert report["learning_curve"]["points"]
    assert report["face_validity"] is not None
    assert report["face_validity"]["text"]


def test_without_an_index_the_best_feature_is_the_rule(tmp_path: Path, sample_run: Run) -> None:
    train = np.column_stack([RNG.integers(0, 24, 900), RNG.random(900)]).astype(np.float32)
    y = np.searchsorted([8, 16], train[:, 0], side="right").astype(np.int8)
    names = pl.Series(TARGET, np.asarray(CLASSES)[y])
    columns = ("shop_hour", "total_spend")
    pl.DataFrame(train, schema=list(columns)).with_columns(names).write_parquet(
        tmp_path / TRAIN_FILE
    )
    test = Examples(pl.Series(range(900)), train, y, np.empty(0, np.int8), columns)
    rule = describe_rule(tmp_path, test, y, 1, sample_run.metadata)
    assert rule is not None
    words = "The feature shop_hour: Low up to 7.5, Medium up to 15.5, High above"
    assert rule["text"].startswith(words)
