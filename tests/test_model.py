from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import sklearn
import skops.io
from threadpoolctl import threadpool_limits

from basketwise.artifact.archive import pack, unpack, write_manifest
from basketwise.config import ModelName
from basketwise.errors import InputError
from basketwise.etl.silver.chunks import read_chunks
from basketwise.features.product_index.lookup import IndexLookup
from basketwise.features.product_index.table import PRIORS, completed
from basketwise.files import CALIBRATION_FILE, MODEL, NOVELTY
from basketwise.model import archive as module
from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from basketwise.schema import BASKET_ID, CLASSES, LABEL, PREDICTED, PROBABILITIES, PROD_CODE
from basketwise.training.calibration import Calibration, calibrate
from basketwise.training.candidates import build
from basketwise.training.examples import read_examples
from basketwise.training.fitting import fit
from basketwise.training.persistence import dump_model, read_model
from basketwise.training.predictions import CALIBRATED, predicted_class, probability_columns
from tests.etl.running import Run
from tests.evaluation.running import CONFIG, Evaluated, tree_archive
from tests.training.made_up import made_up


@pytest.fixture(scope="module")
def scorer(evaluated: Evaluated) -> Model:
    return load_model_archive(evaluated.archive)


@pytest.fixture(scope="module")
def lines(sample_run: Run) -> pl.DataFrame:
    """Till lines of the test baskets, as they are in silver."""
    tested = sample_run.test.select(pl.col("basket_id").alias(BASKET_ID))
    whole = pl.concat(chunk.lines for chunk in read_chunks(sample_run.silver))
    return whole.join(tested, on=BASKET_ID, how="semi", maintain_order="left")


UNCALIBRATED = Calibration(method="none", description="")


def opened(evaluated: Evaluated, root: Path) -> Path:
    folder = root / "model"
    folder.mkdir()
    unpack(evaluated.archive, folder)
    return folder


def test_serving_gives_exactly_the_predictions_that_evaluation_judged(
    scorer: Model, lines: pl.DataFrame, evaluated: Evaluated
) -> None:
    served, judged = scorer.score(lines), evaluated.predictions
    assert scorer.calibration.thresholds, "nothing would be calibrated"
    assert served["basket_id"].equals(judged["basket_id"])
    for name, expected in zip(PROBABILITIES, probability_columns(CALIBRATED), strict=True):
        column = served[name].cast(pl.Float32)
        assert column.equals(judged[expected].alias(name), check_dtypes=True)
    answers = np.asarray(CLASSES)[predicted_class(judged, CALIBRATED)]
    assert served[PREDICTED].to_list() == answers.tolist()


@pytest.mark.parametrize("name", CONFIG.training.models)
def test_so_does_every_other_candidate(
    scorer: Model,
    lines: pl.DataFrame,
    sample_run: Run,
    evaluated: Evaluated,
    name: ModelName,
) -> None:
    train = read_examples(
        sample_run.gold / "train_features.parquet", evaluated.record.feature_columns
    )
    # As the training stage does: what BLAS adds up first hangs on its threads.
    with threadpool_limits(1, user_api="blas"):
        model = fit(name, train, CONFIG.training).model
    served = Model(model, UNCALIBRATED, scorer.metadata, scorer.lookup).score(lines)
    for column in PROBABILITIES:
        expected = evaluated.predictions[f"{name}_{column}"].alias(column)
        assert served[column].cast(pl.Float32).equals(expected)


def test_a_row_is_a_basket_with_its_probabilities(scorer: Model, lines: pl.DataFrame) -> None:
    table = scorer.score(lines)
    assert table.columns == ["basket_id", PREDICTED, *PROBABILITIES, "known_share", "certainty"]
    assert table.schema["basket_id"] == lines.schema[BASKET_ID]
    assert table["basket_id"].is_sorted()
    assert table["basket_id"].n_unique() == table.height == lines[BASKET_ID].n_unique()
    np.testing.assert_allclose(table.select(PROBABILITIES).sum_horizontal(), 1, rtol=1e-6)
    assert table["known_share"].to_list() == [1.0] * table.height
    likeliest = table.select(PROBABILITIES).to_numpy().argmax(axis=1)
    assert table[PREDICTED].to_list() == [CLASSES[k] for k in likeliest]


def test_a_basket_in_which_nothing_says_anything_is_uncertain(
    scorer: Model, lines: pl.DataFrame
) -> None:
    assert scorer.index is not None
    label = scorer.index.select(PROD_CODE, "class")
    silent = lines.join(label, on=PROD_CODE).group_by(BASKET_ID)
    expected = silent.agg((pl.col("class") == "Unclassified").all()).sort(BASKET_ID)["class"]
    by_vendor = lines.join(label.filter(pl.col("class") == "Unclassified"), on=PROD_CODE)
    muted = by_vendor.unique(BASKET_ID)
    for given in (lines, muted):
        result = scorer.score(given)["certainty"]
        certain = expected if given is lines else pl.Series([True] * muted.height)
        names = ["Unclassified" if all_silent else "Classified" for all_silent in certain]
        assert result.to_list() == names
    # Nothing else changes: the class and the probabilities are those that the model gives.
    assert scorer.score(muted).select(PROBABILITIES).null_count().sum_horizontal().item() == 0


def test_the_label_is_not_looked_at(scorer: Model, lines: pl.DataFrame) -> None:
    blind = lines.with_columns(pl.lit(None, lines.schema[LABEL]).alias(LABEL))
    assert scorer.score(blind).equals(scorer.score(lines))
    assert scorer.score(lines.drop(LABEL)).equals(scorer.score(lines))


def test_a_basket_scores_the_same_alone_as_among_others(scorer: Model, lines: pl.DataFrame) -> None:
    whole = scorer.score(lines)
    for basket in whole["basket_id"].head(20):
        alone = scorer.score(lines.filter(pl.col(BASKET_ID) == basket))
        assert alone.equals(whole.filter(pl.col("basket_id") == basket))


def test_the_order_of_the_baskets_does_not_matter(scorer: Model, lines: pl.DataFrame) -> None:
    turned = pl.concat(reversed(lines.partition_by(BASKET_ID, maintain_order=True)))
    assert scorer.score(turned).equals(scorer.score(lines))


def test_the_largest_numbers_that_are_accepted_are_scored(
    scorer: Model, lines: pl.DataFrame
) -> None:
    largest = lines.with_columns(
        SPEND=pl.Series([1e30, -1e30]).gather(pl.int_range(lines.height, eager=True) % 2),
        QUANTITY=pl.lit(1e30),
    )
    table = scorer.score(largest.with_columns(SPEND=pl.lit(1e30)))
    assert np.isfinite(table.select(PROBABILITIES).to_numpy()).all()
    assert scorer.score(largest).height == table.height


def test_products_and_shops_never_seen_are_scored_all_the_same(
    scorer: Model, lines: pl.DataFrame
) -> None:
    new = lines.with_columns(
        ("NEW" + pl.col(PROD_CODE)).alias(PROD_CODE),
        *(pl.lit("NEW").alias(name) for name in ("STORE_FORMAT", "STORE_REGION")),
        *(pl.lit(None, pl.String).alias(f"PROD_CODE_{level}") for level in (10, 20, 30, 40)),
    )
    table = scorer.score(new)
    assert table.height == lines[BASKET_ID].n_unique()
    assert table.null_count().sum_horizontal().item() == 0
    np.testing.assert_allclose(table.select(PROBABILITIES).sum_horizontal(), 1, rtol=1e-6)
    # Nothing is known of any product, so hardly anything tells the baskets apart.
    assert table[PREDICTED].value_counts(sort=True)[0, "count"] > 0.6 * table.height


def test_a_product_with_a_new_code_is_scored_by_its_group(
    scorer: Model, lines: pl.DataFrame
) -> None:
    assert scorer.index is not None
    # A shop whose finest groups hold products of one class each.
    own = scorer.index.drop(PRIORS)
    grouped = completed(own.with_columns(("OF-" + pl.col("class")).alias("PROD_CODE_10")))
    similar = lines.drop("PROD_CODE_10").join(
        grouped.select(PROD_CODE, "PROD_CODE_10"), on=PROD_CODE, maintain_order="left"
    )
    renamed = similar.with_columns(("NEW" + pl.col(PROD_CODE)).alias(PROD_CODE))
    known = scorer.score(lines)
    result = Model(
        scorer.estimator, scorer.calibration, scorer.metadata, IndexLookup(grouped)
    ).score(renamed)
    agree = (known[PREDICTED] == result[PREDICTED]).sum()
    assert agree > 0.97 * known.height


def test_a_model_is_shown_in_one_line(scorer: Model) -> None:
    shown = repr(scorer)
    assert shown.startswith(f"Model({type(scorer.estimator).__name__}, basket + product, ")
    assert f"{scorer.metadata.products:,} products)" in shown


def test_no_lines_give_no_rows(scorer: Model, lines: pl.DataFrame) -> None:
    nothing = scorer.score(lines.clear())
    assert nothing.schema == scorer.score(lines).schema
    assert nothing.is_empty()


def test_a_basket_of_dropped_outliers_alone_has_no_row(scorer: Model, lines: pl.DataFrame) -> None:
    outliers = scorer.metadata.outliers.model_copy(update={"treatment": "drop"})
    metadata = scorer.metadata.model_copy(update={"outliers": outliers})
    dropping = Model(scorer.estimator, scorer.calibration, metadata, scorer.lookup)
    basket = lines[BASKET_ID][0]
    dear = pl.when(pl.col(BASKET_ID) == basket).then(1e6).otherwise(pl.col("SPEND"))
    table = dropping.score(lines.with_columns(dear.alias("SPEND")))
    assert basket not in table["basket_id"]
    assert dropping.score(lines.with_columns(pl.lit(1e6).alias("SPEND"))).is_empty()


def test_a_folder_of_the_files_is_as_good_as_the_archive(
    scorer: Model, lines: pl.DataFrame, evaluated: Evaluated, tmp_path: Path
) -> None:
    assert load_model_archive(opened(evaluated, tmp_path)).score(lines).equals(scorer.score(lines))


def test_an_archive_can_go_once_it_is_loaded(
    lines: pl.DataFrame, evaluated: Evaluated, tmp_path: Path
) -> None:
    archive = tmp_path / "model.tar.gz"
    shutil.copyfile(evaluated.archive, archive)
    loaded = load_model_archive(archive)
    archive.unlink()
    assert loaded.score(lines).height


def test_no_model_is_an_error_that_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no model at .*absent") as caught:
        load_model_archive(tmp_path / "absent.tar.gz")
    assert "champion" in caught.value.hint


def test_a_changed_folder_is_refused(evaluated: Evaluated, tmp_path: Path) -> None:
    folder = opened(evaluated, tmp_path)
    (folder / "metadata.json").write_text("{}")
    with pytest.raises(InputError, match=r"'metadata\.json' is not what the manifest says"):
        load_model_archive(folder)


def test_the_folder_of_a_run_is_not_said_to_be_damaged(
    evaluated: Evaluated, tmp_path: Path
) -> None:
    run = evaluated.archive.parent
    with pytest.raises(InputError, match="is the folder of a run") as caught:
        load_model_archive(run)
    assert str(run / "model.tar.gz") in caught.value.hint


@pytest.mark.parametrize("baskets", ["994100100000001", 994100100000001])
def test_one_id_is_not_taken_for_several(scorer: Model, baskets: Any) -> None:
    line = {"BASKET_ID": 994100100000001, "PROD_CODE": "P", "SPEND": 1, "QUANTITY": 1}
    for method in (scorer.explain, scorer.contributions):
        with pytest.raises(InputError, match="baskets is") as caught:
            method([line], baskets)
        assert caught.value.hint == f"Give a list of ids: [{baskets!r}]."


def test_ids_of_baskets_are_no_floats_and_may_be_padded(scorer: Model) -> None:
    line = {"BASKET_ID": 994100100000001, "PROD_CODE": "P", "SPEND": 1, "QUANTITY": 1}
    floats: list[Any] = [994100100000001.0]
    for method in (scorer.explain, scorer.contributions):
        with pytest.raises(InputError, match=r"contains 994100100000001\.0, which is a float"):
            method([line], floats)
    with pytest.warns(UserWarning, match="never seen"):
        assert scorer.explain([line], [" 994100100000001 "]).height == 1


def repacked(folder: Path, **facts: Any) -> Path:
    """Pack a folder again, with a manifest that agrees with it."""
    write_manifest(folder, facts)
    archive = folder.parent / "model.tar.gz"
    pack(folder, archive)
    return archive


NEEDED = ["metadata.json", "product_index.parquet", "model.skops"]


@pytest.mark.parametrize(
    ("name", "data"),
    [(name, data) for name in [*NEEDED, CALIBRATION_FILE] for data in (b"", b"{}")]
    + [(name, None) for name in NEEDED],
)
def test_an_archive_that_lacks_or_garbles_what_scoring_needs_is_refused(
    evaluated: Evaluated, tmp_path: Path, name: str, data: bytes | None
) -> None:
    folder = opened(evaluated, tmp_path)
    (folder / name).unlink()
    if data is not None:
        (folder / name).write_bytes(data)
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        load_model_archive(repacked(folder))


def test_an_archive_of_an_older_version_is_scored_as_the_algorithm_gives_it(
    scorer: Model, lines: pl.DataFrame, evaluated: Evaluated, tmp_path: Path
) -> None:
    folder = opened(evaluated, tmp_path)
    (folder / CALIBRATION_FILE).unlink()
    older = load_model_archive(repacked(folder)).score(lines)
    for name in PROBABILITIES:
        expected = evaluated.predictions[f"{evaluated.record.winner}_{name}"].alias(name)
        assert older[name].cast(pl.Float32).equals(expected)


def test_the_calibration_of_the_archive_is_applied(
    scorer: Model, lines: pl.DataFrame, evaluated: Evaluated, tmp_path: Path
) -> None:
    folder = opened(evaluated, tmp_path)
    softer = Calibration(method="temperature", temperature=4.0, description="")
    (folder / CALIBRATION_FILE).write_text(softer.model_dump_json(), encoding="utf-8")
    scored = load_model_archive(repacked(folder)).score(lines)
    plain = Model(scorer.estimator, UNCALIBRATED, scorer.metadata, scorer.lookup).score(lines)
    assert scored[PREDICTED].equals(plain[PREDICTED])
    given, shipped = (item.select(PROBABILITIES).to_numpy() for item in (plain, scored))
    np.testing.assert_array_equal(shipped, calibrate(given, softer))
    assert (shipped.max(axis=1) < given.max(axis=1)).all()


def logistic(evaluated: Evaluated, gold: Path) -> Any:
    """Fit a model that is no tree, so it is scikit-learn's own loader that has to take it."""
    train = read_examples(gold / "train_features.parquet", evaluated.record.feature_columns)
    return build("logistic", CONFIG.training, train.y.size).fit(train.X, train.y)


def test_what_is_loaded_is_what_was_read_once(
    evaluated: Evaluated, sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, names = opened(evaluated, tmp_path), []
    (folder / MODEL).write_bytes(dump_model(logistic(evaluated, sample_run.gold)))
    archive = repacked(folder)

    def noted(path: Path) -> bytes:
        names.append(path.name)
        return read_model(path)

    monkeypatch.setattr(module, "read_model", noted)
    load_model_archive(archive)
    assert names == [MODEL, NOVELTY]


def test_a_model_of_another_scikit_learn_is_refused_before_it_is_loaded(
    evaluated: Evaluated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, train = opened(evaluated, tmp_path), made_up(300)
    (folder / MODEL).write_bytes(
        dump_model(build("logistic", CONFIG.training, train.y.size).fit(train.X, train.y))
    )
    monkeypatch.setattr(module, "loads_model", None)
    with pytest.raises(InputError, match=r"trained with scikit-learn 1\.2\.3; installed is 1"):
        load_model_archive(repacked(folder, versions={"scikit-learn": "1.2.3"}))


def test_a_tree_needs_no_version_of_scikit_learn(
    evaluated: Evaluated, sample_run: Run, tmp_path: Path, lines: pl.DataFrame
) -> None:
    archive = tree_archive(evaluated, sample_run.gold, tmp_path)
    expected = load_model_archive(archive).score(lines)
    (tmp_path / "again").mkdir()
    unpack(archive, tmp_path / "again")
    older = repacked(tmp_path / "again", versions={"scikit-learn": "1.2.3"})
    assert load_model_archive(older).score(lines).equals(expected)


def test_another_patch_of_scikit_learn_loads_without_a_warning(
    evaluated: Evaluated, sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, model = opened(evaluated, tmp_path), logistic(evaluated, sample_run.gold)
    with monkeypatch.context() as patched:
        patched.setattr("sklearn.base.__version__", f"{sklearn.__version__}.post9")
        (folder / MODEL).write_bytes(dump_model(model))
    load_model_archive(repacked(folder))


def test_a_model_with_untrusted_types_is_refused_at_the_door(
    evaluated: Evaluated, tmp_path: Path
) -> None:
    folder = opened(evaluated, tmp_path)
    skops.io.dump({"path": Path("anywhere")}, folder / "model.skops")
    with pytest.raises(InputError, match="not trusted"):
        load_model_archive(repacked(folder))


def test_a_model_of_another_version_says_which_feature_is_unknown(
    evaluated: Evaluated, tmp_path: Path, scorer: Model
) -> None:
    folder = opened(evaluated, tmp_path)
    columns: list[Any] = [*scorer.metadata.feature_columns, "basket_mood"]
    metadata = scorer.metadata.model_copy(update={"feature_columns": columns})
    (folder / "metadata.json").write_text(metadata.model_dump_json(), encoding="utf-8")
    with pytest.raises(InputError, match="'basket_mood', which this version"):
        load_model_archive(repacked(folder))
