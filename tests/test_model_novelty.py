"""Scoring baskets with new products by the second model of an archive."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from basketwise.artifact.archive import pack, unpack, write_manifest
from basketwise.errors import InputError
from basketwise.etl.gold.metadata import read_metadata
from basketwise.etl.gold.tables import METADATA_FILE, TEST_FILE
from basketwise.etl.silver.chunks import read_chunks
from basketwise.features.product import SHARE_NEW
from basketwise.features.recipe import features
from basketwise.files import CALIBRATION_FILE, MODEL, NOVELTY, TEST_PREDICTIONS_FILE
from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from basketwise.registry.identity import model_digest
from basketwise.schema import BASKET_ID, PROBABILITIES, PROD_CODE
from basketwise.training.calibration import read_calibration
from basketwise.training.candidates import build
from basketwise.training.persistence import dump_model
from basketwise.training.predictions import CALIBRATED, probability_columns
from basketwise.training.stage import run_training
from tests.etl.running import Run, quiet
from tests.evaluation.running import CONFIG, Evaluated
from tests.training.made_up import made_up

ONE_TREE = CONFIG.training.model_copy(update={"models": ("decision_tree",)})


@dataclass(frozen=True)
class Launched:
    """A training whose test baskets have products that were launched after it."""

    trained: Path
    package: Path
    lines: pl.DataFrame
    share_new: pl.Series


@pytest.fixture(scope="module")
def launched(
    sample_run: Run, evaluated: Evaluated, tmp_path_factory: pytest.TempPathFactory
) -> Launched:
    root = tmp_path_factory.mktemp("launched")
    model = load_model_archive(evaluated.archive)
    assert model.lookup is not None
    gold, trained, package = root / "gold", root / "trained", root / "package"
    shutil.copytree(sample_run.gold, gold)
    lines = pl.concat(chunk.lines for chunk in read_chunks(sample_run.silver)).join(
        sample_run.test.select(pl.col("basket_id").alias(BASKET_ID)),
        on=BASKET_ID,
        how="semi",
        maintain_order="left",
    )
    code = pl.col(PROD_CODE).cast(pl.String)
    # Every third product; by their groups, the index answers for them too.
    new = code.cast(pl.Categorical).to_physical() % 3 == 0
    lines = lines.with_columns(pl.when(new).then("NEW" + code).otherwise(code).alias(PROD_CODE))
    table = features(model.lookup.score(lines), model.recipe)
    old = pl.read_parquet(gold / TEST_FILE)
    target = old.select("basket_id", *(c for c in old.columns if c not in table.columns))
    joined = table.join(target, on="basket_id", maintain_order="left").select(old.columns)
    joined.cast(old.schema).write_parquet(gold / TEST_FILE)
    trained.mkdir()
    run_training(gold, trained, ONE_TREE, quiet)
    package.mkdir()
    unpack(evaluated.archive, package)
    for name in (MODEL, NOVELTY, CALIBRATION_FILE):
        shutil.copyfile(trained / name, package / name)
    return Launched(trained, package, lines, joined[SHARE_NEW])


def packed(launched: Launched, root: Path, **changes: bytes | None) -> Path:
    """Pack an archive in which some files are other ones, or are none."""
    folder = root / f"package-{len(list(root.iterdir()))}"
    shutil.copytree(launched.package, folder)
    for name, data in changes.items():
        path = folder / {"calibration": CALIBRATION_FILE, "metadata": METADATA_FILE}.get(
            name, NOVELTY
        )
        path.unlink()
        if data is not None:
            path.write_bytes(data)
    write_manifest(folder, {})
    pack(folder, folder.with_suffix(".tar.gz"))
    return folder.with_suffix(".tar.gz")


@pytest.fixture(scope="module")
def model(launched: Launched, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model_archive(packed(launched, tmp_path_factory.mktemp("packed")))


def test_baskets_with_new_products_are_scored_to_the_bit_as_training_shipped_them(
    launched: Launched, model: Model
) -> None:
    shipped = pl.read_parquet(launched.trained / TEST_PREDICTIONS_FILE)
    served = model.score(launched.lines)
    assert served["basket_id"].equals(shipped["basket_id"])
    for name, expected in zip(PROBABILITIES, probability_columns(CALIBRATED), strict=True):
        assert served[name].cast(pl.Float32).equals(shipped[expected].alias(name))


def test_the_second_model_answers_above_its_share_alone(launched: Launched, model: Model) -> None:
    rule = model.calibration.new_products
    assert rule is not None
    second = (launched.share_new.cast(pl.Float32).cast(pl.Float64) > rule.share).to_numpy()
    assert 0.1 < second.mean() < 0.9, "the sample is not what it was"
    alone = Model(model.estimator, model.calibration, model.metadata, model.lookup)
    served, by_winner = (item.score(launched.lines) for item in (model, alone))
    answers, winners = (item.select(PROBABILITIES).to_numpy() for item in (served, by_winner))
    np.testing.assert_array_equal(answers[~second], winners[~second])
    assert (answers[second] != winners[second]).any(axis=1).all()
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-6)
    assert answers.astype(np.float32).min() > 0
    assert answers.astype(np.float32).max() < 1


def test_a_basket_with_new_products_scores_the_same_alone(launched: Launched, model: Model) -> None:
    whole = model.score(launched.lines)
    for basket in whole["basket_id"].head(10):
        alone = model.score(launched.lines.filter(pl.col(BASKET_ID) == basket))
        assert alone.equals(whole.filter(pl.col("basket_id") == basket))


def test_baskets_of_known_products_never_meet_it(model: Model, sample_run: Run) -> None:
    known = next(iter(read_chunks(sample_run.silver))).lines
    alone = Model(model.estimator, model.calibration, model.metadata, model.lookup)
    assert model.score(known).equals(alone.score(known))


@pytest.mark.parametrize("data", [None, b"", b"{}"])
def test_an_archive_that_lacks_or_garbles_its_second_model_is_refused(
    launched: Launched, tmp_path: Path, data: bytes | None
) -> None:
    with pytest.raises(InputError, match=r"novelty\.skops cannot be"):
        load_model_archive(packed(launched, tmp_path, novelty=data))


def test_a_second_model_that_is_opened_late_scores_the_same(
    launched: Launched, model: Model, tmp_path: Path
) -> None:
    late = load_model_archive(packed(launched, tmp_path), late=True)
    assert late.score(launched.lines).equals(model.score(launched.lines))


def test_opened_late_it_is_checked_when_the_first_basket_asks_for_it(
    launched: Launched, sample_run: Run, tmp_path: Path
) -> None:
    late = load_model_archive(packed(launched, tmp_path, novelty=b"{}"), late=True)
    known = next(iter(read_chunks(sample_run.silver))).lines
    assert late.score(known).height > 0
    with pytest.raises(InputError, match=r"novelty\.skops cannot be"):
        late.score(launched.lines)


def test_a_second_model_of_other_features_is_refused(launched: Launched, tmp_path: Path) -> None:
    rows = made_up(60)
    other = dump_model(build("decision_tree", ONE_TREE, 60).fit(rows.X, rows.y))
    with pytest.raises(InputError, match=r"novelty\.skops cannot be loaded"):
        load_model_archive(packed(launched, tmp_path, novelty=other))


def test_a_second_model_needs_the_feature_that_it_is_asked_by(
    launched: Launched, tmp_path: Path
) -> None:
    document: dict[str, Any] = json.loads((launched.package / METADATA_FILE).read_bytes())
    # As many features as the models need, but another one in its place.
    columns = document["feature_columns"]
    document["groups"].append("posterior")
    columns[columns.index(SHARE_NEW)] = "posterior_low"
    archive = packed(launched, tmp_path, metadata=json.dumps(document).encode())
    with pytest.raises(InputError, match=f"its second model needs the feature {SHARE_NEW}"):
        load_model_archive(archive)


def test_a_second_model_that_no_calibration_names_is_not_read(
    launched: Launched, tmp_path: Path
) -> None:
    unnamed = read_calibration(launched.package).model_copy(update={"new_products": None})
    data = unnamed.model_dump_json().encode()
    archive = packed(launched, tmp_path, calibration=data, novelty=b"garbage")
    assert load_model_archive(archive).novelty is None


def test_the_second_model_is_part_of_the_models_identity(
    launched: Launched, tmp_path: Path
) -> None:
    digest = model_digest(packed(launched, tmp_path))
    assert model_digest(packed(launched, tmp_path)) == digest
    assert model_digest(packed(launched, tmp_path, novelty=b"other trees")) != digest
    assert read_metadata(launched.package).feature_columns.count(SHARE_NEW) == 1
