"""Indexes of fewer and fewer weeks, judged on later ones."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from basketwise.config import IndexConfig
from basketwise.etl.gold import learning_curve as module
from basketwise.etl.gold.learning_curve import learning_curve
from basketwise.etl.gold.metadata import LearningCurve, Metadata
from basketwise.features.product_index.evidence import Evidence
from basketwise.features.product_index.learning import learn_index
from basketwise.features.product_index.pairs import Pairs
from basketwise.features.product_index.table import GROUP_PRICE, UNIT_PRICE
from basketwise.schema import HIERARCHY, INDEX_LABELS, PROD_CODE
from tests.etl.running import Run
from tests.features.product_index.synthetic import PRODUCTS, world

PAIRS = world(5, baskets=1_600, longest=12, wrong=0.1).pairs
CONFIG = IndexConfig(refine_rounds=4)


def measured(
    pairs: Pairs = PAIRS, weeks: int = 8, forward: Sequence[int] | None = None
) -> LearningCurve:
    unknown = pl.lit(None, pl.String)
    products = pl.DataFrame({PROD_CODE: [f"P{n:03}" for n in range(PRODUCTS)]}).with_columns(
        *(unknown.alias(name) for name in HIERARCHY),
        *(pl.lit(None, pl.Float32).alias(name) for name in (UNIT_PRICE, GROUP_PRICE)),
    )
    week = 200701 + np.arange(pairs.label.size) * weeks // pairs.label.size
    latest = week == week[-1]
    # The latest week is the last of three folds.
    fold = np.where(latest, 2, np.arange(pairs.label.size) % 2).astype(np.int8)
    pairs = replace(pairs, fold=fold)
    evidence = Evidence(products, pairs, 3, 42)
    index = learn_index(evidence, CONFIG, "lines")
    judged = [int(week[-1])] if forward is None else forward
    return learning_curve(evidence, week, judged, index, CONFIG)


def test_more_weeks_tell_later_labels_better() -> None:
    curve = measured()
    assert curve.judged_weeks == [200708]
    # Of 200 baskets some are unclassified: these are not judged.
    assert 150 < curve.judged_baskets < 200
    assert [point.weeks for point in curve.points] == [1, 2, 4, 7]
    baskets = [point.baskets for point in curve.points]
    assert baskets == sorted(set(baskets))
    first, *_, before, last = (point.accuracy for point in curve.points)
    assert first < before <= last
    assert last > 0.9
    assert curve.gain == pytest.approx(last - before)
    assert curve.reason == ""
    assert measured() == curve


def test_the_labels_that_are_judged_teach_nothing() -> None:
    label = PAIRS.label.copy()
    label[1_400:] = np.random.default_rng(1).permutation(label[1_400:])
    curve = measured(replace(PAIRS, label=label))
    assert max(point.accuracy for point in curve.points) < 0.6


def test_the_latest_weeks_are_best_where_the_classes_change() -> None:
    # What was Low is High from the fifth of eight weeks on, and the other way round.
    swapped = PAIRS.label.copy()
    low, high = (INDEX_LABELS.index(name) for name in ("Low", "High"))
    early = np.arange(swapped.size) < 800
    swapped[early & (PAIRS.label == low)] = high
    swapped[early & (PAIRS.label == high)] = low
    curve = measured(replace(PAIRS, label=swapped))
    assert curve.best in {3, 5}
    assert curve.gain < 0
    assert measured().best is None


def test_errors_that_were_not_seen_are_not_impossible() -> None:
    pairs = replace(PAIRS, label=np.ones_like(PAIRS.label))
    curve = measured(pairs)
    assert [point.accuracy for point in curve.points] == [1, 1, 1, 1]
    assert {point.error for point in curve.points} == {1 / curve.judged_baskets}
    assert (curve.gain, curve.error) == (0, 1 / curve.judged_baskets)


def test_a_large_range_is_thinned_out_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    before = measured()
    monkeypatch.setattr(module, "MOST_ENTRIES", int(PAIRS.entries[:1_400].sum() / 2))
    monkeypatch.setattr(module, "MOST_JUDGED", 120)
    curve = measured()
    assert curve.judged_baskets == 120
    shares = [
        thin.baskets / full.baskets for thin, full in zip(curve.points, before.points, strict=True)
    ]
    assert shares == pytest.approx([0.5] * 4, abs=0.1)


@pytest.mark.parametrize(
    ("weeks", "forward", "reason"),
    [
        (3, None, "there are too few training weeks"),
        (8, [], "there are too few training weeks"),
        (32, None, "the latest weeks have too few baskets"),
    ],
    ids=["weeks", "no forward block", "baskets"],
)
def test_too_little_data_have_no_curve(
    weeks: int, forward: Sequence[int] | None, reason: str
) -> None:
    pairs = PAIRS if weeks < 32 else PAIRS.take(np.arange(1_600) < 400)
    assert measured(pairs, weeks, forward) == LearningCurve(reason=reason)


def test_the_last_folds_index_is_that_of_all_earlier_weeks(monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = measured()
    entries = PAIRS.entries[:1_400].sum()
    monkeypatch.setattr(module, "MOST_ENTRIES", int(entries) - 1)
    # Thinned out by one entry, if at all, every point is learned anew.
    anew = measured()
    assert anew.points[-1].baskets >= with_it.points[-1].baskets - 2
    assert anew.points[-1].accuracy == pytest.approx(with_it.points[-1].accuracy, abs=0.02)


def test_the_metadata_have_the_curve_and_the_weighting(sample_run: Run) -> None:
    metadata = sample_run.metadata
    curve = metadata.learning_curve
    assert curve.judged_weeks[-1] == metadata.split.train_weeks[-1]
    assert curve.points[-1].weeks == len(metadata.split.train_weeks) - len(curve.judged_weeks)
    assert metadata.weighting == "lines"


def test_metadata_of_earlier_versions_have_none(sample_run: Run) -> None:
    document = sample_run.metadata.model_dump()
    del document["learning_curve"], document["weighting"]
    earlier = Metadata.model_validate(document)
    assert earlier.learning_curve == LearningCurve(reason="it was not measured")
    assert earlier.weighting is None
