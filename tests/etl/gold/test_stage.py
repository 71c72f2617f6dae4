from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from sklearn.model_selection import train_test_split

from basketwise.config import Config
from basketwise.errors import ConfigError, InputError
from basketwise.etl.gold import index as index_stage
from basketwise.etl.gold.metadata import LearningCurve, Metadata
from basketwise.etl.gold.tables import HIDDEN_FILE, INDEX_FILE, METADATA_FILE
from basketwise.features.groups import columns_of
from basketwise.features.product_index.table import COLUMNS
from basketwise.schema import CLASSES
from tests import oracle
from tests.etl.running import Run, run
from tests.raw_lines import LABEL, Line, line, write_csv

MEANING = {"LA": "High", "MM": "Medium", "UM": "Low", "XX": "Unclassified"}


@pytest.fixture(scope="module")
def raw(sample: Path) -> pl.DataFrame:
    return pl.concat(pl.read_csv(path) for path in sorted(sample.iterdir()))


def test_the_metadata_are_those_in_the_file(sample_run: Run) -> None:
    text = (sample_run.gold / METADATA_FILE).read_text()
    assert Metadata.model_validate_json(text) == sample_run.metadata


def test_the_metadata_report_what_the_files_contain(sample_run: Run, raw: pl.DataFrame) -> None:
    facts = sample_run.metadata
    assert facts.feature_columns == columns_of(["basket", "product"])
    assert facts.target_classes == ["Low", "Medium", "High"]
    assert facts.groups == ["basket", "product"]
    assert facts.train_samples == sample_run.train.height
    assert facts.test_samples == sample_run.test.height
    labels = raw.unique("BASKET_ID")[LABEL].to_list()
    assert facts.baskets == dict(Counter(MEANING[label] for label in labels))
    assert facts.train_samples + facts.test_samples == sum(label != "XX" for label in labels)
    assert (facts.lines.read, facts.lines.accepted, facts.lines.rejected) == (
        raw.height,
        raw.height,
        0,
    )
    assert sum(file.lines for file in facts.files) == raw.height
    assert facts.products == raw["PROD_CODE"].n_unique()
    assert facts.warnings == []
    made = datetime.fromisoformat(facts.etl_timestamp)
    assert made.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - made) < timedelta(hours=1)


def test_test_baskets_that_say_nothing_are_counted(sample_run: Run) -> None:
    silent = sample_run.test["product_share_unclassified"] == 1
    assert sample_run.metadata.uncertain == silent.sum()


def test_the_outliers_are_reported(sample_run: Run, raw: pl.DataFrame) -> None:
    result = sample_run.metadata.outliers
    assert (result.treatment, result.quantile) == ("clip", 0.99)
    assert result.threshold == oracle.outlier_limit(raw.to_pandas())
    assert result.lines == raw.filter(pl.col("SPEND") > result.threshold).height > 0


def test_the_split_is_reported(sample_run: Run) -> None:
    split = sample_run.metadata.split
    assert (split.strategy, split.test_size, split.random_state, split.folds) == (
        "time",
        0.2,
        42,
        5,
    )
    assert split.train_weeks == sorted(sample_run.train["shop_week"].unique())
    assert split.test_weeks == sorted(sample_run.test["shop_week"].unique())
    assert max(split.train_weeks) < min(split.test_weeks)


def test_rows_are_complete(sample_run: Run) -> None:
    columns = ["basket_id", *columns_of(["basket", "product"]), "price_sensitivity"]
    assert set(sample_run.train.columns) == {*columns, "fold"}
    assert set(sample_run.test.columns) == set(columns)
    for table in (sample_run.train, sample_run.test):
        assert sum(table.null_count().row(0)) == 0
        assert table["basket_id"].is_unique().all()
        assert set(table["price_sensitivity"]) == set(CLASSES)
        floats = table.select(pl.col(pl.Float64, pl.Float32).is_finite().all())
        assert all(floats.row(0))
    assert set(sample_run.train["fold"]) == set(range(5))


def test_the_fourteen_features_are_the_references(sample_run: Run, raw: pl.DataFrame) -> None:
    trained = set(sample_run.train["basket_id"])
    lines = raw.to_pandas()
    expected = pl.DataFrame(
        oracle.reference(lines, outliers="clip", train=trained).to_dict("list")
    ).sort("basket_id")
    made = pl.concat([sample_run.train.drop("fold"), sample_run.test]).sort("basket_id")
    expected = expected.filter(pl.col("price_sensitivity") != "Unclassified")
    assert made["price_sensitivity"].to_list() == expected["price_sensitivity"].to_list()
    for column in oracle.FEATURES:
        assert made[column].to_list() == pytest.approx(expected[column].to_list(), rel=1e-12)


def test_the_index_is_of_the_training_set(sample_run: Run, raw: pl.DataFrame) -> None:
    index = sample_run.index
    assert tuple(index.columns) == COLUMNS
    assert index["PROD_CODE"].is_sorted()
    # Baskets that the vendor could not classify teach the index too.
    weeks = sample_run.metadata.split.train_weeks
    seen = raw.filter(pl.col("SHOP_WEEK").is_in(weeks))
    assert not set(seen.filter(pl.col(LABEL) == "XX")["BASKET_ID"]) & set(
        sample_run.train["basket_id"]
    )
    counts = seen.group_by("PROD_CODE").agg(pl.col("BASKET_ID").n_unique()).sort("PROD_CODE")
    assert dict(index.select("PROD_CODE", "baskets").iter_rows()) == dict(counts.iter_rows())


def test_without_products_there_is_no_index(sample: Path, tmp_path: Path) -> None:
    config = Config.model_validate({"features": {"groups": ["basket"]}})
    made = run(sample, tmp_path, config)
    assert made.metadata.feature_columns == columns_of(["basket"])
    assert made.metadata.groups == ["basket"]
    assert not (made.gold / INDEX_FILE).exists()
    assert not (made.gold / HIDDEN_FILE).exists()
    assert not [name for name in made.train.columns if name.startswith("product_")]


def test_only_the_latest_weeks_are_learned_from(
    sample: Path, sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "two").mkdir()
    two = run(sample, tmp_path / "two", Config.model_validate({"split": {"train_weeks": 2}}))
    every = sample_run.metadata.split
    assert two.metadata.split.train_weeks == every.train_weeks[-2:]
    assert two.metadata.split.test_weeks == every.test_weeks
    assert two.test["basket_id"].equals(sample_run.test["basket_id"])
    assert two.train.height < sample_run.train.height
    assert two.index["baskets"].sum() < sample_run.index["baskets"].sum()
    # The same is done where the learning curve says so.
    monkeypatch.setattr(index_stage, "learning_curve", lambda *_: LearningCurve(best=2))
    (tmp_path / "best").mkdir()
    best = run(sample, tmp_path / "best")
    assert best.train.equals(two.train)
    assert best.index.equals(two.index)


@pytest.mark.parametrize("treatment", ["drop", "keep"])
def test_outliers_can_be_treated_otherwise(sample: Path, tmp_path: Path, treatment: str) -> None:
    made = run(sample, tmp_path, Config.model_validate({"etl": {"outliers": treatment}}))
    limit = made.metadata.outliers.threshold
    largest = pl.concat([made.train.drop("fold"), made.test])["avg_spend"].max()
    assert isinstance(largest, float)
    assert (largest <= limit) is (treatment == "drop")


def small(**changes: str) -> list[Line]:
    """Two weeks with 6 baskets of each class, and whatever changes are made to the last one."""
    labels = ("LA", "MM", "UM")
    lines = [
        line(
            BASKET_ID=f"{number:03d}",
            SHOP_WEEK=str(200607 + number // 18),
            PROD_CODE=f"PRD{number % 3}",
            STORE_FORMAT=("MS", "LS")[number % 2],
            **{LABEL: labels[number % 3]},
        )
        for number in range(36)
    ]
    lines[-1] |= changes
    return lines


TWO_FOLDS = Config.model_validate({"training": {"folds": 2}, "split": {"test_size": 0.4}})


def test_categories_are_of_the_training_set_sorted_and_others_are_minus_one(
    tmp_path: Path,
) -> None:
    lines = [*small(STORE_FORMAT="AAA"), line(STORE_FORMAT="BBB", **{LABEL: "XX"})]
    write_csv(tmp_path / "a.csv", lines)
    made = run(tmp_path / "a.csv", tmp_path / "out", TWO_FOLDS)
    assert made.metadata.encoders.store_format == ["LS", "MS"]
    assert made.metadata.encoders.store_region == ["E02"]
    codes = dict(made.test.select("basket_id", "store_format_encoded").iter_rows())
    assert codes["035"] == -1
    assert codes["034"] == 1
    assert codes["033"] == 0
    assert set(made.train["store_format_encoded"]) == {0, 1}


def test_text_ids_come_through_letter_by_letter(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", small())
    made = run(tmp_path / "a.csv", tmp_path / "out", TWO_FOLDS)
    ids = made.train["basket_id"].to_list() + made.test["basket_id"].to_list()
    assert sorted(ids) == [f"{number:03d}" for number in range(36)]


def test_the_smallest_input_works(tmp_path: Path) -> None:
    required = ["BASKET_ID", "PROD_CODE", "SPEND", "QUANTITY", LABEL]
    write_csv(tmp_path / "a.csv", [{name: item[name] for name in required} for item in small()])
    with pytest.raises(ConfigError, match="'time' needs two weeks"):
        run(tmp_path / "a.csv", tmp_path / "by_time", TWO_FOLDS)
    stratified = Config.model_validate(
        {"training": {"folds": 2}, "split": {"strategy": "stratified", "test_size": 0.4}}
    )
    made = run(tmp_path / "a.csv", tmp_path / "stratified", stratified)
    assert made.metadata.encoders.store_format == []
    assert set(made.train["store_format_encoded"]) == {-1}
    assert set(made.train["shop_week"]) == {0}
    assert len(made.metadata.warnings) == 1
    curve = made.metadata.learning_curve
    assert (curve.points, curve.reason) == ([], "the test set is not later than the training set")


def test_the_data_hash_follows_names_and_contents(tmp_path: Path) -> None:
    def digest(name: str, lines: list[Line]) -> str:
        path = write_csv(tmp_path / name / f"{name}.csv", lines)
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        return run(path, out, TWO_FOLDS).metadata.data_hash

    first = digest("a", small())
    assert digest("a", small()) == first
    assert digest("b", small()) != first
    assert digest("a", small(SPEND="9")) != first


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [item | {LABEL: "LA"} for item in small()])
    with pytest.raises(InputError, match="All baskets are High"):
        run(tmp_path / "a.csv", tmp_path / "out", TWO_FOLDS)


def test_a_stratified_split_is_scikit_learns_over_the_baskets_of_gold(
    sample: Path, tmp_path: Path
) -> None:
    """Baskets that vanish with their outliers are not split: neither side would have a row."""
    config = Config.model_validate(
        {"etl": {"outliers": "drop", "outlier_quantile": 0.5}, "split": {"strategy": "stratified"}}
    )
    made = run(sample, tmp_path, config)
    both = pl.concat(
        [
            made.train.select("basket_id", "price_sensitivity"),
            made.test.select("basket_id", "price_sensitivity"),
        ]
    ).sort("basket_id")
    assert both.height < sum(
        n for label, n in made.metadata.baskets.items() if label != "Unclassified"
    )
    _, expected = train_test_split(
        both["basket_id"].to_numpy(),
        test_size=config.split.test_size,
        random_state=config.split.random_state,
        stratify=both["price_sensitivity"].to_numpy(),
    )
    assert made.test["basket_id"].to_list() == sorted(expected.tolist())


def test_training_baskets_above_the_maximum_are_drawn(
    sample: Path, sample_run: Run, tmp_path: Path
) -> None:
    settings = {"training": {"max_baskets": 1_000, "folds": 2}, "features": {"tried": []}}
    few = run(sample, tmp_path, Config.model_validate(settings))
    drawn = few.metadata.baskets["Unclassified"] * 1_000 / 3_000
    # Unclassified baskets are among those drawn, and have no row.
    assert 1_000 - 3 * drawn < few.train.height < 1_000
    assert set(few.train["basket_id"]) < set(sample_run.train["basket_id"])
    assert few.test["basket_id"].equals(sample_run.test["basket_id"])
    warning = "1,000 training baskets were drawn of all that there are (training.max_baskets)"
    assert few.metadata.warnings == [warning]
