from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from basketwise.artifact.archive import pack
from basketwise.digests import sha256
from basketwise.evaluation.champion import NotScored, Scored
from basketwise.model.archive import load_model_archive
from basketwise.model.example import LINES
from basketwise.model.scoring import Model
from basketwise.registry.protocol import ApprovalState, Submission
from basketwise.serving import champion as module
from basketwise.serving.champion import score_champion
from basketwise.training.predictions import predicted_class
from tests.etl.running import Run
from tests.evaluation.running import Evaluated
from tests.fakes.registry import MemoryRegistry


def approve(registry: MemoryRegistry, archive: Path) -> str:
    given = Submission("run", archive, sha256(archive), "a model", {}, {})
    version = registry.register(given, who="test").version
    registry.set_state(version, ApprovalState.APPROVED, who="test", why="good")
    return version


@pytest.fixture
def registry(evaluated: Evaluated) -> MemoryRegistry:
    made = MemoryRegistry()
    approve(made, evaluated.archive)
    return made


def test_the_champion_says_of_each_test_basket_what_it_said_before(
    sample_run: Run, evaluated: Evaluated, registry: MemoryRegistry
) -> None:
    result = score_champion(registry.fetch, "1", sample_run.silver, sample_run.gold)
    assert isinstance(result, Scored)
    assert result.version == "1"
    expected = predicted_class(evaluated.predictions, evaluated.record.winner)
    np.testing.assert_array_equal(result.predicted, expected)


def test_predictions_follow_the_order_of_the_gold_file(
    sample_run: Run, evaluated: Evaluated, registry: MemoryRegistry, tmp_path: Path
) -> None:
    order = np.random.default_rng(0).permutation(sample_run.test.height)
    sample_run.test[order].write_parquet(tmp_path / "test_features.parquet")
    result = score_champion(registry.fetch, "1", sample_run.silver, tmp_path)
    assert isinstance(result, Scored)
    expected = predicted_class(evaluated.predictions, evaluated.record.winner)[order]
    np.testing.assert_array_equal(result.predicted, expected)


def test_a_basket_it_cannot_score_makes_the_comparison_impossible(
    sample_run: Run, registry: MemoryRegistry, tmp_path: Path
) -> None:
    stranger = sample_run.test.head(1).with_columns(pl.lit(1, pl.Int64).alias("basket_id"))
    pl.concat([sample_run.test, stranger]).write_parquet(tmp_path / "test_features.parquet")
    result = score_champion(registry.fetch, "1", sample_run.silver, tmp_path)
    baskets = f"{sample_run.test.height:,} of {sample_run.test.height + 1:,}"
    assert result == NotScored("1", f"it can score only {baskets} baskets")


@pytest.mark.parametrize("data", [b"no archive", b""])
def test_a_champion_that_cannot_be_loaded_is_named_without_predictions(
    sample_run: Run, registry: MemoryRegistry, tmp_path: Path, data: bytes
) -> None:
    broken = tmp_path / "model.tar.gz"
    broken.write_bytes(data)
    version = approve(registry, broken)
    result = score_champion(registry.fetch, version, sample_run.silver, sample_run.gold)
    assert isinstance(result, NotScored)
    assert result.version == version
    assert result.why.startswith("'model.tar.gz' cannot be opened as a model archive")


def test_so_is_one_that_is_packed_well_but_contains_no_model(
    sample_run: Run, registry: MemoryRegistry, tmp_path: Path
) -> None:
    folder, archive = tmp_path / "empty", tmp_path / "model.tar.gz"
    folder.mkdir()
    (folder / "manifest.json").write_text('{"format_version": 1, "files": {}}')
    pack(folder, archive)
    version = approve(registry, archive)
    result = score_champion(registry.fetch, version, sample_run.silver, sample_run.gold)
    assert isinstance(result, NotScored)
    assert result.version == "2"


def test_an_archive_that_was_changed_in_the_registry_is_not_scored(
    sample_run: Run, registry: MemoryRegistry
) -> None:
    registry.archives["1"] += b"x"
    result = score_champion(registry.fetch, "1", sample_run.silver, sample_run.gold)
    assert isinstance(result, NotScored)
    assert result.broken


def test_a_model_that_fails_on_the_test_baskets_is_no_error(
    sample_run: Run, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = Model.score

    def fail(model: Model, lines: pl.DataFrame, *more: Any) -> pl.DataFrame:
        if lines.height > len(LINES["PROD_CODE"]):
            raise ValueError("feature 1000 of 14")
        return score(model, lines, *more)

    # It scores the lines of the example when it is opened.
    monkeypatch.setattr(Model, "score", fail)
    result = score_champion(registry.fetch, "1", sample_run.silver, sample_run.gold)
    assert result == NotScored("1", "it fails on the test baskets: feature 1000 of 14", broken=True)


def test_nothing_is_left_behind(
    sample_run: Run,
    registry: MemoryRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetched: list[Path] = []

    def noted(archive: Path) -> object:
        fetched.append(archive)
        return load_model_archive(archive)

    monkeypatch.setattr(module, "load_model_archive", noted)
    score_champion(registry.fetch, "1", sample_run.silver, sample_run.gold)
    assert len(fetched) == 1
    assert not fetched[0].parent.exists()
