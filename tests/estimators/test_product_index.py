"""The estimator against the pipeline, scikit-learn's conventions, and every kind of frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
from polars.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from basketwise.config import Config
from basketwise.errors import ConfigError, InputError
from basketwise.estimators import lines as estimator_lines
from basketwise.estimators.lines import read_lines
from basketwise.estimators.product_index import ProductIndex
from basketwise.features.groups import columns_of
from basketwise.sampling import draw_lines
from tests.etl.running import Run, run

ID, LABEL = "BASKET_ID", "BASKET_PRICE_SENSITIVITY"
FEATURES = columns_of(["product"])


@pytest.fixture(scope="module")
def lines() -> pl.DataFrame:
    """500 baskets of 60 products."""
    return draw_lines(baskets=500, seed=7, weeks=3)


@pytest.fixture(scope="module")
def baskets(lines: pl.DataFrame) -> pl.DataFrame:
    """One row per basket in no particular order: its id and its label."""
    return (
        lines.group_by(ID)
        .agg(pl.col(LABEL).first())
        .sort(ID)
        .sample(fraction=1, shuffle=True, seed=1)
        .rename({ID: "basket_id"})
    )


@pytest.fixture(scope="module")
def fitted(lines: pl.DataFrame) -> ProductIndex:
    return ProductIndex().fit(lines)


# --- the same numbers as the pipeline ----------------------------------------------------------


@pytest.fixture(scope="module", params=["time", "stratified"])
def pipeline(
    request: pytest.FixtureRequest,
    sample: Path,
    sample_run: Run,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    if request.param == "time":
        return sample_run
    config = Config.model_validate({"split": {"strategy": request.param}})
    return run(sample, tmp_path_factory.mktemp("stratified"), config)


@pytest.fixture(scope="module")
def raw(sample: Path) -> pl.DataFrame:
    return pl.concat(pl.read_csv(path) for path in sorted(sample.iterdir()))


def of_training(raw: pl.DataFrame, run: Run) -> pl.DataFrame:
    """Leave out the test baskets; unclassified ones are in training only if no week is tested."""
    split = run.metadata.split
    if split.strategy == "time":
        return raw.filter(pl.col("SHOP_WEEK").is_in(split.train_weeks))
    return raw.filter(~pl.col(ID).is_in(run.test["basket_id"].implode()))


@pytest.mark.no_cover
def test_the_index_is_that_of_the_pipeline(pipeline: Run, raw: pl.DataFrame) -> None:
    training = of_training(raw, pipeline)
    fitted = ProductIndex().fit(training.to_pandas())
    assert_frame_equal(fitted.index_, pipeline.index, check_exact=True)
    shuffled = training.sample(fraction=1, shuffle=True, seed=2)
    assert_frame_equal(ProductIndex().fit(shuffled).index_, pipeline.index, check_exact=True)


def test_test_baskets_get_the_features_of_the_pipeline(pipeline: Run, raw: pl.DataFrame) -> None:
    index = ProductIndex().fit(of_training(raw, pipeline))
    test = raw.filter(pl.col(ID).is_in(pipeline.test["basket_id"].implode()))
    expected = pipeline.test.select("basket_id", *FEATURES)
    assert_frame_equal(index.transform(test.drop(LABEL)), expected, check_exact=True)


@pytest.mark.no_cover
def test_training_baskets_get_the_features_of_the_pipeline_out_of_fold(
    pipeline: Run, raw: pl.DataFrame
) -> None:
    index = ProductIndex()
    encoded = index.fit_transform(of_training(raw, pipeline))
    own = pl.col("basket_id").is_in(pipeline.train["basket_id"].implode())
    expected = pipeline.train.select("basket_id", *FEATURES)
    # Of a pipeline with a later test set, the last fold is not drawn but the latest weeks.
    if not pipeline.metadata.split.forward_weeks:
        assert_frame_equal(encoded.filter(own), expected, check_exact=True)
    assert_frame_equal(index.index_, pipeline.index, check_exact=True)


@pytest.mark.no_cover
def test_baskets_in_x_give_the_same_as_their_lines(pipeline: Run, raw: pl.DataFrame) -> None:
    training = of_training(raw, pipeline)
    X = training.unique(ID).select(pl.col(ID).alias("basket_id"), LABEL)
    index = ProductIndex(lines=raw)
    encoded = index.fit_transform(X, X[LABEL])
    assert_frame_equal(index.index_, pipeline.index, check_exact=True)
    by_lines = ProductIndex().fit_transform(training)
    assert encoded.columns == FEATURES
    assert_frame_equal(
        X.select("basket_id").hstack(encoded).sort("basket_id"), by_lines, check_exact=True
    )


# --- cross fitting -----------------------------------------------------------------------------


def test_transform_differs_from_fit_transform_on_purpose(lines: pl.DataFrame) -> None:
    index = ProductIndex()
    out_of_fold, in_sample = index.fit_transform(lines), index.transform(lines)
    assert out_of_fold["basket_id"].equals(in_sample["basket_id"])
    assert not out_of_fold.equals(in_sample)


@pytest.mark.no_cover
def test_a_baskets_own_label_has_no_part_in_its_encoding(
    lines: pl.DataFrame, baskets: pl.DataFrame
) -> None:
    given = dict(baskets.iter_rows())
    # A weak penalty, so that a leak would show.
    index = ProductIndex(ridge=0.01)
    before = index.fit_transform(lines, given)
    for basket in baskets["basket_id"][:5]:
        own = pl.col("basket_id") == basket
        changed = given | {basket: "UM" if given[basket] == "LA" else "LA"}
        after = index.fit_transform(lines, changed)
        assert_frame_equal(after.filter(own), before.filter(own), check_exact=True)
        assert not after.equals(before)


@pytest.mark.no_cover
def test_folds_follow_the_seed(lines: pl.DataFrame) -> None:
    first, again, other = (
        ProductIndex(random_state=seed).fit_transform(lines) for seed in (1, 1, 2)
    )
    assert first.equals(again)
    assert not first.equals(other)
    drawn = [
        ProductIndex(random_state=np.random.RandomState(3)).fit_transform(lines) for _ in range(2)
    ]
    assert drawn[0].equals(drawn[1])
    assert ProductIndex(random_state=None).fit_transform(lines).height == first.height


# --- labels, however they are given ------------------------------------------------------------


def per_line(lines: pl.DataFrame) -> pl.Series:
    return lines[LABEL]


def by_basket(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.group_by(ID).agg(pl.col(LABEL).first())


LABELS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "list": lambda lines: per_line(lines).to_list(),
    "array": lambda lines: per_line(lines).to_numpy(),
    "Polars series": per_line,
    "pandas series": lambda lines: per_line(lines).to_pandas(),
    "pandas categories": lambda lines: per_line(lines).to_pandas().astype("category"),
    "pandas strings' values": lambda lines: per_line(lines).to_pandas().values,
    "pandas categories' values": lambda lines: pd.Categorical(per_line(lines).to_list()),
    "PyArrow array": lambda lines: per_line(lines).to_arrow(),
    "mapping": lambda lines: dict(by_basket(lines).iter_rows()),
    "mapping by text": lambda lines: {str(k): v for k, v in by_basket(lines).iter_rows()},
    "pandas series by basket": lambda lines: by_basket(lines).to_pandas().set_index(ID)[LABEL],
    "Polars frame": by_basket,
    "pandas frame": lambda lines: by_basket(lines).to_pandas(),
    "PyArrow table": lambda lines: by_basket(lines).to_arrow(),
    "renamed": lambda lines: by_basket(lines).rename({ID: "basket_id", LABEL: "y"}),
    "wide frame": lambda lines: lines.group_by(ID).first(),
}


@pytest.mark.parametrize("given", LABELS)
@pytest.mark.parametrize("kind", ["polars", "pandas"])
def test_labels_are_read_from_anything(
    lines: pl.DataFrame, fitted: ProductIndex, given: str, kind: str
) -> None:
    X = lines.drop(LABEL) if kind == "polars" else lines.drop(LABEL).to_pandas()
    index = ProductIndex().fit(X, LABELS[given](lines))
    assert index.index_.equals(fitted.index_)
    assert index.classes_.tolist() == ["Low", "Medium", "High", "Unclassified"]


@pytest.mark.parametrize("missing", [None, float("nan"), np.float32("nan"), pd.NA])
@pytest.mark.parametrize("kind", [list, lambda y: np.array(y, dtype=object), pd.Series, pd.array])
def test_missing_labels_are_missing_whatever_stands_for_them(
    lines: pl.DataFrame, missing: Any, kind: Callable[[list[Any]], Any]
) -> None:
    basket = lines[ID][0]
    gone = [None if i == basket else y for i, y in lines.select(ID, LABEL).iter_rows()]
    without = ProductIndex().fit(lines, gone)
    index = ProductIndex().fit(lines, kind([missing if y is None else y for y in gone]))
    assert index.index_.equals(without.index_)
    labels = by_basket(lines).with_columns(pl.when(pl.col(ID) != basket).then(LABEL).alias(LABEL))
    by_id = {i: missing if y is None else y for i, y in labels.iter_rows()}
    assert ProductIndex().fit(lines, by_id).index_.equals(without.index_)


def test_whole_numbers_with_gaps_are_labels_as_they_are(lines: pl.DataFrame) -> None:
    meanings = dict(enumerate(["High", "Medium", "Low", "Unclassified"]))
    numbers = per_line(lines).replace_strict(["LA", "MM", "UM", "XX"], [0, 1, 2, 3]).to_list()
    numbers[0] = None
    given = pd.Series(numbers, dtype=object).astype("category")
    index = ProductIndex(labels=meanings).fit(lines, given)
    assert index.classes_.tolist() == ["Low", "Medium", "High", "Unclassified"]
    assert ProductIndex(labels=meanings).fit(lines, given.values).index_.equals(index.index_)


def test_labels_of_ones_own(lines: pl.DataFrame, fitted: ProductIndex) -> None:
    own = {"UM": 0, "MM": 1, "LA": 2, "XX": 3}
    meanings = {0: "Low", 1: "Medium", 2: "High", 3: "Unclassified"}
    y = lines[LABEL].replace_strict(own).to_numpy()
    assert ProductIndex(labels=meanings).fit(lines, y).index_.equals(fitted.index_)
    names = lines[LABEL].replace({"UM": "low", "MM": "MEDIUM", "LA": "High", "XX": "Unclassified"})
    assert ProductIndex().fit(lines, names).index_.equals(fitted.index_)


def test_given_labels_beat_those_in_the_lines(
    lines: pl.DataFrame, fitted: ProductIndex, baskets: pl.DataFrame
) -> None:
    wrong = lines.with_columns(pl.lit("UM").alias(LABEL))
    assert ProductIndex().fit(wrong, lines[LABEL]).index_.equals(fitted.index_)
    index = ProductIndex(lines=wrong).fit(baskets.select("basket_id"), baskets[LABEL])
    assert index.index_.equals(fitted.index_)
    X = baskets.select("basket_id")
    assert ProductIndex(lines=lines).fit(X).index_.equals(fitted.index_)


def test_a_basket_without_a_label_teaches_nothing(
    lines: pl.DataFrame, baskets: pl.DataFrame
) -> None:
    known, unknown = baskets[:400], baskets[400:]
    index = ProductIndex()
    encoded = index.fit_transform(lines, known)
    own = lines.join(known, left_on=ID, right_on="basket_id", how="semi")
    alone = ProductIndex()
    expected = pl.concat(
        [
            alone.fit_transform(own),
            alone.transform(lines.join(unknown, left_on=ID, right_on="basket_id", how="semi")),
        ]
    ).sort("basket_id")
    assert index.index_.equals(alone.index_)
    assert_frame_equal(encoded, expected, check_exact=True)
    missing = dict(baskets.iter_rows()) | dict.fromkeys(unknown["basket_id"].to_list())
    assert ProductIndex().fit(lines, missing).index_.equals(alone.index_)


def test_only_the_classes_that_occur(lines: pl.DataFrame) -> None:
    index = ProductIndex().fit(lines.filter(pl.col(LABEL).is_in(["LA", "UM"])))
    assert index.classes_.tolist() == ["Low", "High"]


# --- kinds of frames ---------------------------------------------------------------------------

KINDS: dict[str, tuple[Callable[[pl.DataFrame], Any], Any]] = {
    "polars": (lambda frame: frame, pl.DataFrame),
    "lazy": (lambda frame: frame.lazy(), pl.DataFrame),
    "pandas": (lambda frame: frame.to_pandas(), pd.DataFrame),
    "pyarrow": (lambda frame: frame.to_arrow(), pa.Table),
    "duckdb": (lambda frame: duckdb.sql("select * from frame"), pl.DataFrame),
}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_come_back_in_the_kind_they_came_in(
    lines: pl.DataFrame, baskets: pl.DataFrame, fitted: ProductIndex, kind: str
) -> None:
    make, comes_back = KINDS[kind]
    expected = fitted.transform(lines)
    index = ProductIndex().fit(make(lines))
    encoded = index.transform(make(lines))
    assert isinstance(encoded, comes_back)
    assert_frame_equal(pl.DataFrame(encoded), expected, check_exact=True)
    assert index.index_.equals(fitted.index_)

    of_baskets = ProductIndex(lines=make(lines)).fit(make(baskets), baskets[LABEL].to_list())
    encoded = of_baskets.transform(make(baskets))
    assert isinstance(encoded, comes_back)
    in_order = baskets.select("basket_id").join(
        expected, on="basket_id", how="left", maintain_order="left"
    )
    assert_frame_equal(pl.DataFrame(encoded), in_order.drop("basket_id"), check_exact=True)


def test_names_in_any_case_numbers_as_text_columns_left_out(
    lines: pl.DataFrame, fitted: ProductIndex
) -> None:
    text = lines.select(pl.all().cast(pl.String)).rename(str.lower)
    assert ProductIndex().fit(text).index_.equals(fitted.index_)
    few = lines.select(pl.col(ID).alias("Receipt"), "PROD_CODE", "SHOP_WEEK", LABEL)
    index = ProductIndex(key="receipt").fit(few)
    known = ["PROD_CODE", "baskets"]
    assert index.index_.select(known).equals(fitted.index_.select(known))
    # Prices say something about rare products, so not every class is the same without them.
    assert (index.index_["class"] == fitted.index_["class"]).mean() >= 0.9  # type: ignore[operator]
    assert index.transform(few.drop(LABEL)).columns == ["basket_id", *FEATURES]


def test_columns_of_ones_own(lines: pl.DataFrame, fitted: ProductIndex) -> None:
    own = {"PROD_CODE": "sku", "SPEND": "net", LABEL: "segment"}
    renamed = lines.rename(own)
    assert ProductIndex(columns=own).fit(renamed).index_.equals(fitted.index_)


def test_a_product_scanned_twice_counts_twice_where_lines_cannot_be_distinguished(
    lines: pl.DataFrame, fitted: ProductIndex
) -> None:
    columns = [ID, "PROD_CODE", "SPEND", "QUANTITY"]
    basket = lines.filter(pl.col(ID) == lines[ID][0]).select(columns)
    twice = pl.concat([basket, basket])
    counts = [name for name in FEATURES if "_count_" in name]

    def total(index: ProductIndex, table: pl.DataFrame) -> int:
        return int(index.transform(table).select(pl.sum_horizontal(counts)).item())

    assert total(fitted, twice.drop("QUANTITY")) == 2 * basket.height
    keeping = clone(fitted).set_params(duplicates="keep").fit(lines)
    assert total(keeping, twice) == 2 * basket.height
    with pytest.warns(UserWarning, match="duplicate_line"):
        assert total(fitted, twice) == basket.height


# --- baskets in X ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def of_baskets(lines: pl.DataFrame, baskets: pl.DataFrame) -> ProductIndex:
    return ProductIndex(lines=lines).fit(baskets, baskets[LABEL])


def test_rows_come_back_in_the_order_of_x(
    of_baskets: ProductIndex, baskets: pl.DataFrame, fitted: ProductIndex, lines: pl.DataFrame
) -> None:
    ids = [*baskets["basket_id"][:5], baskets["basket_id"][0]]
    X = pd.DataFrame({"Basket_ID": ids, "other": range(6)}, index=list("abcdef"))
    encoded = of_baskets.transform(X)
    assert list(encoded.index) == list("abcdef")
    assert list(encoded.columns) == FEATURES
    expected = fitted.transform(lines).to_pandas().set_index("basket_id").loc[ids]
    np.testing.assert_array_equal(encoded, expected)
    as_text = of_baskets.transform(X.assign(Basket_ID=X["Basket_ID"].astype(str)))
    pd.testing.assert_frame_equal(as_text, encoded)


def test_a_basket_given_twice_teaches_once(
    lines: pl.DataFrame, baskets: pl.DataFrame, of_baskets: ProductIndex
) -> None:
    twice = pl.concat([baskets, baskets[:100]])
    index = ProductIndex(lines=lines).fit(twice, twice[LABEL])
    assert index.index_.equals(of_baskets.index_)


def test_a_basket_without_lines_is_an_average_one(
    of_baskets: ProductIndex, baskets: pl.DataFrame, lines: pl.DataFrame, fitted: ProductIndex
) -> None:
    X = pl.DataFrame({"basket_id": [str(baskets["basket_id"][0]), "unheard of"]})
    with pytest.warns(UserWarning, match=r"1 of the 2 baskets in X have no lines.*'unheard of'"):
        encoded = of_baskets.transform(X)
    assert sum(encoded.null_count().row(0)) == 0
    new = {ID: [1], "PROD_CODE": ["never seen"], "SPEND": [1.0], "QUANTITY": [1]}
    average = fitted.transform(pl.DataFrame(new))
    scores = [name for name in FEATURES if "_score_" in name]
    assert encoded.select(scores)[1].equals(average.select(scores))
    assert set(encoded.drop(scores).row(1)) == {0}


def test_blanks_around_ids_are_none_of_them(lines: pl.DataFrame, baskets: pl.DataFrame) -> None:
    padded = baskets.select(" " + pl.col("basket_id").cast(pl.String) + "\u00a0", LABEL)
    expected = ProductIndex(lines=lines).fit(baskets[["basket_id"]], baskets[LABEL]).index_
    named = padded.rename({"literal": "basket_id"})
    for X, y in ((named[["basket_id"]], baskets[LABEL]), (baskets[["basket_id"]], named)):
        assert ProductIndex(lines=lines).fit(X, y).index_.equals(expected)
    text = lines.with_columns(("N" + pl.col(ID).cast(pl.String)).alias(ID))
    also = padded.select((" N" + pl.col("literal").str.strip_chars()).alias("basket_id"))
    assert ProductIndex(lines=text).fit(also, baskets[LABEL]).index_.equals(expected)


def test_new_lines_for_new_baskets(lines: pl.DataFrame, baskets: pl.DataFrame) -> None:
    weeks = lines.partition_by("SHOP_WEEK")
    earlier, later = pl.concat(weeks[:2]), weeks[2]
    index = ProductIndex(lines=earlier)
    index.fit(baskets.join(earlier, left_on="basket_id", right_on=ID, how="semi"))
    new = baskets.join(later, left_on="basket_id", right_on=ID, how="semi")
    encoded = index.set_params(lines=later).transform(new)
    expected = ProductIndex().fit(earlier).transform(later)
    assert new.select("basket_id").hstack(encoded).sort("basket_id").equals(expected)


def test_neither_labels_nor_lines_of_other_baskets_reach_the_index(
    lines: pl.DataFrame, baskets: pl.DataFrame
) -> None:
    train = baskets[:600]
    wrong = lines.with_columns(
        pl.when(pl.col(ID).is_in(train["basket_id"].implode()))
        .then(LABEL)
        .otherwise(pl.lit("LA"))
        .alias(LABEL)
    )
    own = lines.join(train, left_on=ID, right_on="basket_id", how="semi")
    for table in (lines, wrong, own):
        index = ProductIndex(lines=table).fit(train.select("basket_id"), train[LABEL])
        assert index.index_.equals(ProductIndex().fit(own).index_)
    assert ProductIndex(lines=wrong).fit(train.select("basket_id")).index_.equals(index.index_)


# --- scikit-learn ------------------------------------------------------------------------------


def model(lines: Any, **settings: Any) -> Pipeline:
    index = ProductIndex(lines=lines, **settings)
    return Pipeline(
        [("index", index), ("scaler", StandardScaler()), ("classifier", LogisticRegression())]
    )


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", ["polars", "pandas", "pyarrow"])
def test_a_pipeline_can_be_cross_validated(
    lines: pl.DataFrame, baskets: pl.DataFrame, kind: str
) -> None:
    make, _ = KINDS[kind]
    scores = cross_val_score(
        model(make(lines)), make(baskets.select("basket_id")), baskets[LABEL].to_numpy(), cv=3
    )
    assert scores.mean() > 0.85


@pytest.mark.no_cover
def test_shuffled_labels_cannot_be_predicted(baskets: pl.DataFrame) -> None:
    # Few baskets of many products, a weak penalty: an index that has seen a label remembers it.
    lines = draw_lines(baskets=1_500, seed=5, weeks=3, products=1_000)
    given = lines.group_by(ID, maintain_order=True).agg(pl.col(LABEL).first())
    y = np.random.default_rng(1).permutation(given[LABEL].to_numpy())
    chance = max(np.mean(y == label) for label in set(y))
    scores = cross_val_score(model(lines, ridge=0.05), given.select(ID), y, cv=3)
    assert abs(scores.mean() - chance) < 0.03
    # In sample they can, so the test would notice.
    X = ProductIndex(lines=lines, ridge=0.05).fit(given.select(ID), y).transform(given.select(ID))
    remembered = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y).score(X, y)
    assert remembered > chance + 0.2


@pytest.mark.no_cover
def test_parameters_can_be_searched(lines: pl.DataFrame, baskets: pl.DataFrame) -> None:
    grid = {"index__ridge": np.array([0.5, 2.0]), "index__refine_rounds": np.array([0, 12])}
    search = GridSearchCV(model(lines), grid, cv=2, error_score="raise")
    search.fit(baskets.select("basket_id"), baskets[LABEL].to_numpy())
    assert search.best_params_["index__refine_rounds"] == 12
    assert set(search.predict(baskets.select("basket_id"))) <= {"LA", "MM", "UM", "XX"}


def test_it_stands_beside_other_columns(lines: pl.DataFrame, baskets: pl.DataFrame) -> None:
    X = baskets.select("basket_id").to_pandas().assign(hour=12.0)
    both = make_column_transformer(
        (ProductIndex(lines=lines), ["basket_id"]), remainder="passthrough"
    ).set_output(transform="pandas")
    encoded = both.fit_transform(X, baskets[LABEL].to_numpy())
    assert encoded.shape == (len(X), len(FEATURES) + 1)
    assert encoded.columns[-1] == "remainder__hour"


@pytest.mark.parametrize("kind", KINDS)
def test_a_clone_shares_the_lines(lines: pl.DataFrame, baskets: pl.DataFrame, kind: str) -> None:
    table = KINDS[kind][0](lines)
    index = ProductIndex(lines=table, ridge=3.0, labels={"a": "Low"}).set_output(transform="pandas")
    copied = clone(index)
    assert copied.lines is table
    assert copied.labels == index.labels
    assert copied.labels is not index.labels
    assert copied.get_params()["ridge"] == 3.0
    assert copied._sklearn_output_config == {"transform": "pandas"}
    X, y = baskets.select("basket_id"), baskets[LABEL]
    copied = clone(copied.set_params(labels=None).fit(X, y))
    assert not hasattr(copied, "index_")


def test_clones_read_the_lines_once(
    lines: pl.DataFrame, baskets: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []

    def spy(table: Any, *rest: Any) -> pl.DataFrame:
        read.append(table)
        return read_lines(table, *rest)

    monkeypatch.setattr(estimator_lines, "read_lines", spy)
    other = lines.clone()
    index = ProductIndex(lines=lines)
    for copied in (clone(index), clone(index)):
        copied.fit(baskets, baskets[LABEL]).transform(baskets)
    assert len(read) == 1
    copied.set_params(lines=other).transform(baskets)
    assert len(read) == 2
    assert read[1] is other
    assert "_auxiliary_lines" not in copied.__getstate__()


OUTPUTS = {"pandas": pd.DataFrame, "polars": pl.DataFrame}


@pytest.fixture(scope="module")
def out_of_fold(lines: pl.DataFrame, baskets: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """What ``fit_transform`` returns by default for lines, and for baskets whose lines it has."""
    return {
        "lines": ProductIndex().fit_transform(lines),
        "baskets": ProductIndex(lines=lines).fit_transform(baskets),
    }


@pytest.mark.parametrize("X", ["lines", "baskets"])
@pytest.mark.parametrize("given", ["polars", "pandas", "pyarrow"])
@pytest.mark.parametrize("container", OUTPUTS)
def test_set_output(
    request: pytest.FixtureRequest,
    out_of_fold: dict[str, pl.DataFrame],
    given: str,
    container: str,
    X: str,
) -> None:
    index = deepcopy(request.getfixturevalue("fitted" if X == "lines" else "of_baskets"))
    frame = request.getfixturevalue(X)
    in_sample = index.transform(frame)
    index.set_output(transform=container)
    for encode, expected in (
        (index.transform, in_sample),
        (index.fit_transform, out_of_fold[X]),
    ):
        encoded = encode(KINDS[given][0](frame))
        assert isinstance(encoded, OUTPUTS[container])
        assert list(encoded.columns) == list(index.get_feature_names_out())
        assert_frame_equal(pl.DataFrame(encoded), expected, check_exact=True)


@pytest.mark.parametrize("container", OUTPUTS)
def test_the_output_that_scikit_learn_is_set_to(lines: pl.DataFrame, container: str) -> None:
    index = ProductIndex()
    with sklearn.config_context(transform_output=container):
        for encoded in (index.fit_transform(lines), index.transform(lines)):
            assert isinstance(encoded, OUTPUTS[container])


def test_a_pipeline_sets_the_output(lines: pl.DataFrame, baskets: pl.DataFrame) -> None:
    steps = make_pipeline(ProductIndex(lines=lines), "passthrough").set_output(transform="pandas")
    X = baskets.to_pandas().set_index(np.arange(100, 100 + baskets.height))
    encoded = steps.fit_transform(X, X[LABEL])
    assert list(encoded.index) == list(X.index)
    assert list(steps.get_feature_names_out()) == FEATURES


def test_what_was_seen_is_reported(lines: pl.DataFrame, baskets: pl.DataFrame) -> None:
    index = ProductIndex().fit(lines)
    assert index.n_features_in_ == 22
    assert index.feature_names_in_.tolist() == lines.columns
    assert index.get_feature_names_out().tolist() == ["basket_id", *FEATURES]
    index = ProductIndex(lines=lines).fit(baskets)
    assert index.feature_names_in_.tolist() == ["basket_id", LABEL]
    assert index.get_feature_names_out().tolist() == FEATURES


def test_an_unfitted_one_says_so(lines: pl.DataFrame) -> None:
    with pytest.raises(NotFittedError):
        ProductIndex().transform(lines)
    with pytest.raises(NotFittedError):
        ProductIndex().get_feature_names_out()


# --- errors ------------------------------------------------------------------------------------


def errors() -> Iterator[Any]:
    def case(name: str, kind: type, match: str, call: Callable[[pl.DataFrame], Any]) -> Any:
        return pytest.param(kind, match, call, id=name)

    def fit(y: Any = None, **settings: Any) -> Callable[[pl.DataFrame], Any]:
        return lambda lines: ProductIndex(**settings).fit(lines, y)

    def with_baskets(X: Any, y: Any = None) -> Callable[[pl.DataFrame], Any]:
        return lambda lines: ProductIndex(lines=lines).fit(X, y)

    yield case("no table", InputError, "not a table", lambda lines: ProductIndex().fit(3))
    yield case("too few labels", InputError, "y has 2 labels, X has", fit(["LA", "UM"]))
    yield case(
        "other baskets", InputError, "None of the basket ids in y occurs in X", fit({-1: "LA"})
    )
    yield case(
        "unknown label",
        InputError,
        r"y has the label 'ZZ' \([\d,]+ rows\).*\nKnown labels: LA, MM",
        lambda lines: ProductIndex().fit(lines, ["ZZ"] * lines.height),
    )
    yield case(
        "two labels",
        InputError,
        r"Basket \d+ has the labels (High and Low|Low and High) in y",
        lambda lines: ProductIndex().fit(lines, ["LA", *["UM"] * (lines.height - 2), "LA"]),
    )
    yield case(
        "one class",
        InputError,
        "All labelled baskets with lines are High",
        lambda lines: ProductIndex().fit(lines, ["LA"] * lines.height),
    )
    yield case(
        "no label",
        InputError,
        "No basket with lines has a label",
        lambda lines: ProductIndex().fit(lines, [None] * lines.height),
    )
    yield case(
        "few baskets",
        InputError,
        "3 labelled baskets are fewer than 5 folds",
        lambda lines: ProductIndex().fit(
            lines, dict(lines.group_by(LABEL).agg(pl.col(ID).first())[:3].select(ID, LABEL).rows())
        ),
    )
    yield case(
        "y of one column",
        InputError,
        "y is a frame of the one column 'label'",
        fit(pl.DataFrame({"label": ["LA"]})),
    )
    yield case(
        "y without a key",
        InputError,
        "y has no column 'BASKET_ID'",
        fit(pl.DataFrame({"a": [1], "b": ["LA"]})),
    )
    yield case(
        "no key", InputError, "X has no column 'basket_id'", with_baskets(pl.DataFrame({"a": [1]}))
    )
    yield case(
        "null key",
        InputError,
        "X has no basket_id in 1 of 2 rows",
        with_baskets(pl.DataFrame({"basket_id": ["a", None]})),
    )
    yield case(
        "float key",
        InputError,
        "X has basket_id as Float64",
        with_baskets(pl.DataFrame({"basket_id": [1.0]})),
    )
    yield case(
        "no basket has lines",
        InputError,
        "2 of the 2 baskets in X have no lines",
        with_baskets(pl.DataFrame({"basket_id": ["a", "b"]})),
    )
    yield case("ridge", ConfigError, "cannot have ridge = 0", fit(ridge=0))
    yield case("folds", ConfigError, "cannot have n_folds = 1", fit(n_folds=1))
    yield case("folds as text", ConfigError, "cannot have n_folds = '5'", fit(n_folds="5"))
    yield case("columns as list", ConfigError, r"cannot have columns = \['a'\]", fit(columns=["a"]))
    yield case("labels as list", ConfigError, r"cannot have labels = \['a'\]", fit(labels=["a"]))
    yield case("no name of a key", ConfigError, "cannot have key = None", fit(key=None))
    yield case(
        "no lines",
        InputError,
        "'lines' lacks the required column PROD_CODE. Found: BASKET_ID.",
        lambda lines: ProductIndex().fit(lines.select(ID), per_line(lines)),
    )
    yield case("duplicates", ConfigError, "cannot have duplicates = 'drop'", fit(duplicates="drop"))
    yield case("columns", ConfigError, "'SKU' is not a column", fit(columns={"SKU": "sku"}))
    yield case("meaning", ConfigError, "cannot have labels = 'Mid'", fit(labels={"MM": "Mid"}))


@pytest.mark.parametrize(("kind", "match", "call"), [*errors()])
def test_errors_say_what_is_wrong(
    lines: pl.DataFrame, kind: type[Exception], match: str, call: Callable[[pl.DataFrame], Any]
) -> None:
    with pytest.raises(kind, match=match):
        call(lines)


def test_rejected_lines_are_reported(lines: pl.DataFrame) -> None:
    broken = lines.with_columns(
        pl.when(pl.int_range(pl.len()) < 3).then(None).otherwise("PROD_CODE").alias("PROD_CODE")
    )
    with pytest.warns(UserWarning, match=r"3 of [\d,]+ lines rejected: 3 missing_prod_code"):
        ProductIndex().fit(broken, broken[LABEL])
