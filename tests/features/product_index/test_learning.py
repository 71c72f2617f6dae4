from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from basketwise.config import IndexConfig, SplitConfig
from basketwise.etl.gold.split import assign_folds
from basketwise.features.product_index.evidence import LabelledLines, gather
from basketwise.features.product_index.learning import LearnedIndex, learn_index, learn_whole
from basketwise.features.product_index.table import (
    BASKETS,
    CLASS,
    COLUMNS,
    NEW,
    POSTERIORS,
    PROBABILITY,
    SCORES,
)
from basketwise.schema import FOLD, HIERARCHY, TEST
from tests.etl.running import IntakeResult, Run, run_intake

FOLDS = 3


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("learning")


@pytest.fixture(scope="module")
def result(sample: Path, root: Path) -> IntakeResult:
    return run_intake(sample, root)


@pytest.fixture(scope="module")
def baskets(result: IntakeResult) -> pl.DataFrame:
    return assign_folds(result.survey.baskets, SplitConfig(), FOLDS)


def learned(
    result: IntakeResult,
    baskets: pl.DataFrame,
    *,
    lines: pl.DataFrame | None = None,
    weekly: bool = False,
    **settings: Any,
) -> LearnedIndex:
    config = IndexConfig(**settings)
    training = baskets.filter(pl.col(FOLD) != TEST).sort("SHOP_WEEK", "BASKET_ID")
    accepted = result.accepted if lines is None else lines
    pieces = [LabelledLines(accepted, training)]
    if weekly:
        pieces = [
            LabelledLines(accepted, of_week)
            for of_week in training.partition_by("SHOP_WEEK", maintain_order=True)
        ]
    products = accepted.group_by("PROD_CODE").agg(
        pl.col(HIERARCHY).first(), pl.len().alias("lines")
    )
    evidence = gather(pieces, products, folds=FOLDS, seed=1)
    return learn_index(evidence, config)


def training_lines(result: IntakeResult, baskets: pl.DataFrame, *, but: int = TEST) -> pl.DataFrame:
    return result.accepted.join(
        baskets.filter(~pl.col(FOLD).is_in([TEST, but])), on="BASKET_ID", how="semi"
    )


def test_a_row_is_a_product_of_the_training_set(
    result: IntakeResult, baskets: pl.DataFrame
) -> None:
    index = learned(result, baskets)
    assert tuple(index.whole.columns) == COLUMNS
    assert index.by_fold.columns == [*COLUMNS, FOLD, NEW]
    for fold, table in [(TEST, index.whole), *((f, index.by_fold) for f in range(FOLDS))]:
        own = table.filter(pl.col(FOLD) == fold) if fold != TEST else table
        counts = (
            training_lines(result, baskets, but=fold)
            .group_by("PROD_CODE")
            .agg(pl.col("BASKET_ID").n_unique())
        )
        assert dict(own.select("PROD_CODE", BASKETS).iter_rows()) == dict(counts.iter_rows())
        assert own[PROBABILITY].is_between(0.25, 1.0001).all()


def test_a_folds_index_is_that_of_the_others(result: IntakeResult, baskets: pl.DataFrame) -> None:
    index = learned(result, baskets)
    for fold in range(FOLDS):
        without = baskets.with_columns(
            pl.when(pl.col(FOLD) == fold).then(pl.lit(TEST, pl.Int8)).otherwise(FOLD).alias(FOLD)
        )
        alone = learned(result, without).whole
        own = index.by_fold.filter(pl.col(FOLD) == fold).sort("PROD_CODE")
        assert own["PROD_CODE"].equals(alone["PROD_CODE"])
        assert own[CLASS].equals(alone[CLASS])
        np.testing.assert_allclose(own.select(SCORES), alone.select(SCORES), atol=1e-3)


def test_classes_are_those_that_decide_the_labels(sample_run: Run) -> None:
    # What a made-up basket of one line is called is what its product is.
    silver = pl.read_parquet(sample_run.silver / "shop_week=*" / "lines.parquet")
    single = silver.filter(pl.len().over("BASKET_ID") == 1)
    truth = single.group_by("PROD_CODE").agg(
        pl.col("BASKET_PRICE_SENSITIVITY").mode().sort().first().alias("truth"), pl.len()
    )
    both = sample_run.index.join(truth.filter(pl.col("len") >= 3), on="PROD_CODE")
    assert both.height > 30
    assert (both[CLASS] == both["truth"]).mean() >= 0.95  # type: ignore[operator]


def test_lines_that_are_left_out_count_nowhere(result: IntakeResult, baskets: pl.DataFrame) -> None:
    below = result.accepted.filter(pl.col("SPEND") <= 2.0)
    index = learned(result, baskets, lines=below).whole
    kept = training_lines(result, baskets).filter(pl.col("SPEND") <= 2.0)
    counts = kept.group_by("PROD_CODE").agg(pl.col("BASKET_ID").n_unique())
    assert dict(index.select("PROD_CODE", BASKETS).iter_rows()) == dict(counts.iter_rows())


def test_products_that_others_do_not_have_inherit_from_their_groups(
    result: IntakeResult, baskets: pl.DataFrame
) -> None:
    few = baskets.filter(pl.col("SHOP_WEEK") == baskets["SHOP_WEEK"].min()).head(60)
    unseen = learned(result, few.with_columns(fold=pl.int_range(pl.len(), dtype=pl.Int8) % FOLDS))
    inherited = unseen.by_fold.filter(pl.col(NEW))
    assert inherited.height > 10
    of_group = inherited.group_by(FOLD, "PROD_CODE_10").agg(pl.col("score_low").n_unique())
    assert of_group["score_low"].max() == 1
    assert inherited.select(pl.col(*SCORES, *POSTERIORS).is_finite().all()).row(0) == (True,) * 8


@pytest.mark.parametrize("settings", [{}, {"refine_max_lines": 2_000}])
def test_neither_pieces_nor_test_baskets_show(
    result: IntakeResult, baskets: pl.DataFrame, settings: dict[str, Any]
) -> None:
    index = learned(result, baskets, **settings)
    weekly = learned(result, baskets, weekly=True, **settings)
    alone = learned(result, baskets, lines=training_lines(result, baskets), **settings)
    assert index.whole.equals(weekly.whole)
    assert index.whole.equals(alone.whole)
    for other in (weekly, alone):
        assert index.by_fold.sort(FOLD, "PROD_CODE").equals(other.by_fold.sort(FOLD, "PROD_CODE"))


def test_the_whole_index_can_be_learned_by_itself(
    result: IntakeResult, baskets: pl.DataFrame
) -> None:
    config = IndexConfig()
    training = baskets.filter(pl.col(FOLD) != TEST)
    evidence = gather(
        [LabelledLines(result.accepted, training)],
        result.survey.products,
        folds=FOLDS,
        seed=1,
    )
    before = learn_whole(evidence, config)
    assert before.equals(learn_index(evidence, config).whole)
    assert before.equals(learn_whole(evidence, config))


def test_evidence_of_some_baskets_has_all_products(
    result: IntakeResult, baskets: pl.DataFrame
) -> None:
    training = baskets.filter(pl.col(FOLD) != TEST)
    piece = LabelledLines(result.accepted, training)
    evidence = gather([piece], result.survey.products, folds=FOLDS, seed=1)
    part = evidence.take(np.random.default_rng(0).random(training.height) < 0.3)
    assert 0 < part.pairs.label.size < training.height
    assert part.pairs.product.size == part.pairs.start[-1] < evidence.pairs.product.size
    assert part.products.equals(evidence.products)
    assert evidence.take(np.zeros(training.height, np.bool_)).pairs.product.size == 0
