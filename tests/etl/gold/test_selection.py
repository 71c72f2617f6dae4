"""Optional feature groups are added where they help, and only there."""

from pathlib import Path

import polars as pl
import pytest

from basketwise.config import Config
from basketwise.etl.gold import selection
from basketwise.etl.gold.metadata import read_metadata
from basketwise.sampling import draw_lines
from tests.etl.running import Run, run

LABEL = "BASKET_PRICE_SENSITIVITY"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "FEWEST", 500)


@pytest.fixture(scope="module")
def lines() -> pl.DataFrame:
    return draw_lines(baskets=2_000, seed=3, weeks=10)


def made(lines: pl.DataFrame, root: Path, **settings: object) -> Run:
    (root / "raw").mkdir()
    lines.write_csv(root / "raw" / "lines.csv")
    config = Config.model_validate(
        {"features": settings, "training": {"folds": 3}, "index": {"refine_rounds": 4}}
    )
    return run(root / "raw", root / "out", config)


def by_promotion(lines: pl.DataFrame) -> pl.DataFrame:
    """Halve the prices of some baskets, double those of others, and label them by that."""
    third = pl.col("BASKET_ID").rank("dense") % 3
    factor = third.replace_strict({0: 0.5, 1: 1.0, 2: 2.0}, return_dtype=pl.Float64)
    label = third.replace_strict({0: "LA", 1: "MM", 2: "UM"}, return_dtype=pl.String)
    return lines.with_columns((pl.col("SPEND") * factor).round(2), label.alias(LABEL))


def test_prices_are_added_where_they_decide(lines: pl.DataFrame, tmp_path: Path) -> None:
    result = made(by_promotion(lines), tmp_path, tried=["price", "season"])
    metadata = read_metadata(result.gold)
    trials = {trial.group: trial for trial in metadata.tried}
    assert trials["price"].chosen
    assert trials["price"].gain > 3 * trials["price"].error > 0
    assert not trials["season"].chosen
    assert metadata.groups == ["basket", "product", "price"]
    assert set(metadata.feature_columns) < set(result.train.columns)
    assert "own_price_mean" in metadata.feature_columns
    assert "season_sin" not in result.train.columns


def test_nothing_is_added_where_all_is_told(
    lines: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "KNOWN", 2.0)
    metadata = read_metadata(made(lines, tmp_path).gold)
    assert metadata.groups == ["basket", "product"]
    assert metadata.tried == []


def test_nothing_is_tried_where_the_index_alone_tells_all(
    lines: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "_losses", None)
    for name in ("easy", "harder"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(selection, "MISTAKES", 0.2)
    metadata = read_metadata(made(lines, tmp_path / "easy").gold)
    assert metadata.learning_curve.points[-1].accuracy > 0.8
    assert metadata.tried == []
    monkeypatch.setattr(selection, "MISTAKES", -1.0)
    with pytest.raises(TypeError, match="not callable"):
        made(lines, tmp_path / "harder")


def test_without_an_index_its_groups_are_not_tried(lines: pl.DataFrame, tmp_path: Path) -> None:
    metadata = read_metadata(made(lines, tmp_path, groups=["basket"]).gold)
    assert [trial.group for trial in metadata.tried] == ["season"]


def test_too_few_baskets_say_nothing(
    lines: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "FEWEST", 10_000)
    assert read_metadata(made(lines, tmp_path).gold).tried == []
