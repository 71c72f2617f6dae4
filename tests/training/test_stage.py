from __future__ import annotations

import json
import shutil
from pathlib import Path

import joblib
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from basketwise.arrays import Floats
from basketwise.config import ModelName, TrainingConfig
from basketwise.errors import InputError
from basketwise.etl.gold.metadata import read_metadata
from basketwise.etl.gold.tables import METADATA_FILE
from basketwise.features.groups import columns_of
from basketwise.files import MODEL, OOF_FILE, RECORD_FILE, TEST_PREDICTIONS_FILE
from basketwise.schema import CLASSES
from basketwise.training import fitting, stage
from basketwise.training.calibrating import fit_calibration
from basketwise.training.calibration import calibrate, read_calibration
from basketwise.training.candidates import Classifier, build
from basketwise.training.examples import read_examples
from basketwise.training.fitting import fit
from basketwise.training.persistence import load_model
from basketwise.training.predictions import CALIBRATED, decide, probability_columns
from basketwise.training.record import TrainingRecord
from basketwise.training.stage import run_training
from tests.etl.running import Run, quiet
from tests.evaluation.running import CONFIG, FEW_TREES, Evaluated

QUICK = TrainingConfig(models=("logistic", "decision_tree"))


def probabilities(table: pl.DataFrame, model: str) -> NDArray[np.float32]:
    return table.select(f"{model}_p_{label.lower()}" for label in CLASSES).to_numpy()


def numbers(table: pl.DataFrame) -> NDArray[np.int64]:
    return np.array([CLASSES.index(label) for label in table["price_sensitivity"]])


def out_of_fold(evaluated: Evaluated) -> pl.DataFrame:
    return pl.read_parquet(evaluated.folder / OOF_FILE)


def as_in_the_test_set(run: Run) -> Floats:
    """Weigh the training baskets: the latest week counts as all others; no product is new."""
    assert not any((rows["product_share_new"] > 0).any() for rows in (run.train, run.test))
    late = (run.train["fold"] == 4).to_numpy()
    return np.where(late, (~late).sum() / late.sum(), 1.0)


def test_the_winner_has_the_best_cross_validated_macro_f1(
    sample_run: Run, evaluated: Evaluated
) -> None:
    record, table = evaluated.record, out_of_fold(evaluated)
    late = (table["fold"] == 4).to_numpy()
    weights = as_in_the_test_set(sample_run)
    reference: dict[ModelName, float] = {}
    for candidate in record.candidates:
        name = candidate.algorithm
        predicted = probabilities(table, name).argmax(axis=1)
        own = (numbers(table), predicted)
        reference[name] = f1_score(*own, average="macro", sample_weight=weights)
        assert candidate.cv_f1_mean == pytest.approx(reference[name])
        latest = f1_score(*(classes[late] for classes in own), average="macro")
        assert candidate.forward_f1 == pytest.approx(latest)
    assert record.winner == max(CONFIG.training.models, key=lambda name: reference[name])
    assert [candidate.model for candidate in record.candidates] == list(CONFIG.training.models)


def test_of_equals_the_candidate_named_first_wins(
    sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_tree(name: str, config: TrainingConfig, baskets: int) -> Classifier:
        return build("decision_tree", config, baskets)

    monkeypatch.setattr(fitting, "build", one_tree)
    config = TrainingConfig(models=("random_forest", "decision_tree"), forest_stops_early=False)
    assert run_training(sample_run.gold, tmp_path, config, quiet).winner == "random_forest"


def test_every_training_basket_has_a_prediction_by_models_that_did_not_see_it(
    sample_run: Run, evaluated: Evaluated
) -> None:
    table, train = out_of_fold(evaluated), sample_run.train
    assert table["basket_id"].equals(train["basket_id"])
    assert table["price_sensitivity"].equals(train["price_sensitivity"])
    assert table["fold"].equals(train["fold"])
    for name in CONFIG.training.models:
        np.testing.assert_allclose(probabilities(table, name).sum(axis=1), 1, rtol=1e-5)
    examples = read_examples(
        sample_run.gold / "train_features.parquet", evaluated.record.feature_columns
    )
    for fold in range(CONFIG.training.folds):
        others = examples.fold != fold
        tree = fit("decision_tree", examples.take(np.flatnonzero(others)), CONFIG.training)
        expected = tree.predict(examples.X[~others])
        result = probabilities(table.filter(pl.col("fold") == fold), "decision_tree")
        np.testing.assert_array_equal(result, expected.astype(np.float32))


def test_the_scores_of_a_candidate_are_those_of_its_folds(
    sample_run: Run, evaluated: Evaluated
) -> None:
    table = out_of_fold(evaluated)
    right = probabilities(table, "logistic").argmax(axis=1) == numbers(table)
    accuracy = [right[(table["fold"] == fold).to_numpy()].mean() for fold in range(5)]
    logistic = evaluated.record.candidates[0]
    assert logistic.forward_accuracy == pytest.approx(accuracy[-1])
    expected = np.average(right, weights=as_in_the_test_set(sample_run))
    assert logistic.cv_accuracy_mean == pytest.approx(expected)
    assert logistic.cv_accuracy_std == pytest.approx(np.std(accuracy))
    assert 0.8 < logistic.train_accuracy <= 1
    assert logistic.groups == ["basket", "product"]


def test_new_products_in_the_test_set_make_a_candidate_worse_in_cross_validation_too(
    sample_run: Run, tmp_path: Path
) -> None:
    gold = tmp_path / "gold"
    shutil.copytree(sample_run.gold, gold)
    config = TrainingConfig(models=("decision_tree",))

    def cross_validated(new_products: list[float]) -> float:
        metadata = read_metadata(gold).model_copy(update={"new_products": new_products})
        (gold / METADATA_FILE).write_text(metadata.model_dump_json(), encoding="utf-8")
        out = tmp_path / str(new_products)
        out.mkdir()
        accuracy = run_training(gold, out, config, quiet).candidates[0].cv_accuracy_mean
        assert accuracy is not None
        return accuracy

    without, few, many = (
        cross_validated([1 - share, 0.0, 0.0, share, 0.0]) for share in (0.0, 0.2, 0.6)
    )
    # Baskets with hidden products show it: they are in proportion to what the test set has.
    assert without - many == pytest.approx(3 * (without - few))
    assert without > few


def test_the_cap_bounds_what_a_fold_is_fitted_on_but_not_what_is_scored(
    sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []

    def noted(name: str, config: TrainingConfig, baskets: int) -> Classifier:
        fitted.append(baskets)
        return build("decision_tree", config, baskets)

    monkeypatch.setattr(fitting, "build", noted)
    config = TrainingConfig(models=("decision_tree",), cv_max_baskets=500)
    run_training(sample_run.gold, tmp_path, config, quiet)
    # One model of each fold; the others are of the whole training set.
    assert fitted.count(500) == 5
    assert set(fitted) == {500, 1960}
    table = pl.read_parquet(tmp_path / OOF_FILE)
    assert table.height == sample_run.metadata.train_samples
    np.testing.assert_allclose(probabilities(table, "decision_tree").sum(axis=1), 1, rtol=1e-5)


def test_of_many_baskets_evenly_spaced_ones_are_asked_about_out_of_fold(
    sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, bounded = tmp_path / "all", tmp_path / "bounded"
    config = TrainingConfig(models=("decision_tree",))
    for out, most in ((kept, stage.JUDGED), (bounded, 500)):
        out.mkdir()
        monkeypatch.setattr(stage, "JUDGED", most)
        run_training(sample_run.gold, out, config, quiet)
    table, reference = (pl.read_parquet(out / OOF_FILE) for out in (bounded, kept))
    assert table["basket_id"].equals(reference["basket_id"])
    step = -(-table.height // 500)
    assert table.gather_every(step).equals(reference.gather_every(step))
    asked = pl.int_range(table.height, eager=True) % step == 0
    others = table.filter(~asked).select(probability_columns("decision_tree"))
    assert set(others.null_count().row(0)) == {others.height}
    # Candidates learn from all baskets as before.
    assert (bounded / MODEL).read_bytes() == (kept / MODEL).read_bytes()
    assert f"{asked.sum():,} out-of-fold" in read_calibration(bounded).description


def test_the_test_set_is_predicted_by_models_of_the_whole_training_set(
    sample_run: Run, evaluated: Evaluated
) -> None:
    columns = evaluated.record.feature_columns
    train = read_examples(sample_run.gold / "train_features.parquet", columns)
    test = read_examples(sample_run.gold / "test_features.parquet", columns)
    model = fit("decision_tree", train, CONFIG.training)
    result = evaluated.predictions
    assert result["basket_id"].equals(sample_run.test["basket_id"])
    assert result["price_sensitivity"].equals(sample_run.test["price_sensitivity"])
    np.testing.assert_array_equal(
        probabilities(result, "decision_tree"), model.predict(test.X).astype(np.float32)
    )


@pytest.mark.parametrize(
    ("name", "algorithm", "groups", "without"),
    [
        ("without_product", None, ["basket"], "product"),
        ("without_basket", None, ["product"], "basket"),
        ("index_only", "logistic", ["product"], None),
    ],
)
def test_references_see_the_columns_of_their_groups_alone(
    sample_run: Run,
    evaluated: Evaluated,
    name: str,
    algorithm: ModelName | None,
    groups: list[str],
    without: str | None,
) -> None:
    record = evaluated.record
    algorithm = algorithm or record.winner
    columns = columns_of(groups)
    train = read_examples(sample_run.gold / "train_features.parquet", columns)
    test = read_examples(sample_run.gold / "test_features.parquet", columns)
    model = build(algorithm, CONFIG.training, train.y.size).fit(train.X, train.y)
    expected = model.predict_proba(test.X)
    np.testing.assert_array_equal(
        probabilities(evaluated.predictions, name), expected.astype(np.float32)
    )
    reference = next(item for item in record.references if item.model == name)
    assert (reference.algorithm, reference.groups) == (algorithm, groups)
    assert reference.without == without
    assert reference.cv_f1_mean is None


def test_without_what_products_say_little_is_left(evaluated: Evaluated) -> None:
    record = evaluated.record
    best = next(c for c in record.candidates if c.model == record.winner)
    ablation = next(reference for reference in record.references if reference.without == "product")
    assert ablation.train_accuracy < best.train_accuracy - 0.2


def test_the_shipped_probabilities_are_the_winners_corrected_by_what_was_out_of_fold(
    sample_run: Run, evaluated: Evaluated
) -> None:
    table, winner = out_of_fold(evaluated), evaluated.record.winner
    kept = read_calibration(evaluated.folder)
    weights = as_in_the_test_set(sample_run)
    weights *= weights.size / weights.sum()
    refitted = fit_calibration(
        "isotonic",
        table.select(probability_columns(winner)).to_numpy().astype(np.float64),
        numbers(table).astype(np.int8),
        weights=weights,
    )
    assert kept.model_copy(update={"new_products": None}) == refitted
    columns = evaluated.record.feature_columns
    test = read_examples(sample_run.gold / "test_features.parquet", columns)
    raw = load_model(evaluated.folder / MODEL).predict_proba(test.X).astype(np.float64)
    np.testing.assert_array_equal(
        probabilities(evaluated.predictions, CALIBRATED), calibrate(raw, kept).astype(np.float32)
    )


def test_both_model_files_contain_the_winner(sample_run: Run, evaluated: Evaluated) -> None:
    columns = evaluated.record.feature_columns
    test = read_examples(sample_run.gold / "test_features.parquet", columns)
    expected = probabilities(evaluated.predictions, evaluated.record.winner)
    for model in (
        load_model(evaluated.folder / MODEL),
        joblib.load(evaluated.folder / "model.joblib"),
    ):
        result = model.predict_proba(test.X).astype(np.float32)
        np.testing.assert_array_equal(result, expected)


def test_the_record_is_what_was_returned(evaluated: Evaluated) -> None:
    text = (evaluated.folder / RECORD_FILE).read_text(encoding="utf-8")
    assert TrainingRecord.model_validate_json(text) == evaluated.record
    assert "NaN" not in text
    assert json.loads(text)["feature_columns"] == columns_of(["basket", "product"])


def test_two_trainings_agree_to_the_bit(
    sample_run: Run, evaluated: Evaluated, tmp_path: Path
) -> None:
    run_training(sample_run.gold, tmp_path, CONFIG.training, quiet)
    for name in (OOF_FILE, TEST_PREDICTIONS_FILE):
        assert pl.read_parquet(tmp_path / name).equals(pl.read_parquet(evaluated.folder / name))


def test_another_seed_gives_other_models(sample_run: Run, tmp_path: Path) -> None:
    def predicted(seed: int) -> pl.DataFrame:
        out = tmp_path / str(seed)
        out.mkdir()
        config = TrainingConfig(
            models=("random_forest",), random_forest=FEW_TREES, random_state=seed
        )
        run_training(sample_run.gold, out, config, quiet)
        return pl.read_parquet(out / TEST_PREDICTIONS_FILE)

    assert not predicted(1).equals(predicted(2))


def test_folds_other_than_the_indexs_are_refused(sample_run: Run, tmp_path: Path) -> None:
    config = TrainingConfig(models=("decision_tree",), folds=4)
    with pytest.raises(InputError, match=r"contain 5 folds, training\.folds is 4") as caught:
        run_training(sample_run.gold, tmp_path, config, quiet)
    assert "set training.folds to 5" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_missing_gold_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no gold data in .*absent") as caught:
        run_training(tmp_path / "absent", tmp_path, QUICK, quiet)
    assert "basketwise etl" in caught.value.hint


def test_half_a_gold_folder_is_an_error_that_names_the_file(
    sample_run: Run, tmp_path: Path
) -> None:
    gold = tmp_path / "gold"
    gold.mkdir()
    (gold / "metadata.json").write_bytes((sample_run.gold / "metadata.json").read_bytes())
    with pytest.raises(InputError, match=r"There is no train_features\.parquet"):
        run_training(gold, tmp_path, QUICK, quiet)


def test_the_metadata_is_read_as_it_was_written(sample_run: Run) -> None:
    assert read_metadata(sample_run.gold) == sample_run.metadata


def test_the_likeliest_class_is_taken_and_of_equals_the_first() -> None:
    result = decide(np.array([[0.2, 0.3, 0.5], [0.4, 0.2, 0.4], [0.1, 0.45, 0.45]]))
    assert result.tolist() == [2, 0, 1]


def test_progress_counts_up_to_what_there_is_to_do(sample_run: Run, tmp_path: Path) -> None:
    ticks: list[tuple[str, int, int]] = []
    run_training(
        sample_run.gold,
        tmp_path,
        QUICK,
        lambda what, done, total: ticks.append((what, done, total)),
    )
    last = {what: (done, total) for what, done, total in ticks}
    assert last
    assert all(done == total for done, total in last.values())
