"""Hostile archives are refused, or are models that answer: no crash, no hang, no gigabytes.

``make test`` tries a hundred; ``make hostile`` all of them (BASKETWISE_TEST_HOSTILE=1).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import skops.io

from basketwise.artifact.archive import unpack
from basketwise.config import ModelName
from basketwise.files import MODEL
from basketwise.training.candidates import build
from basketwise.training.examples import read_examples
from basketwise.training.persistence import _normalised, dump_model
from tests.etl.running import Run
from tests.evaluation.running import CONFIG, Evaluated
from tests.hostile.archives import corpus
from tests.hostile.archives.corpus import Case, Files
from tests.hostile.archives.opening import open_all, wrong

ALL = bool(os.environ.get("BASKETWISE_TEST_HOSTILE"))
MOST_MEMORY = 600
"""MiB that an archive may take until it is refused."""
MOST_SECONDS = 20


@pytest.fixture(scope="module")
def models(
    sample_run: Run, evaluated: Evaluated, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Files]:
    """The files of a sound archive of every candidate, and of XGBoost's in its former form."""
    folder = tmp_path_factory.mktemp("sound")
    unpack(evaluated.archive, folder)
    needed = ("calibration.json", corpus.METADATA, corpus.INDEX, MODEL)
    files = {name: (folder / name).read_bytes() for name in needed}
    train = read_examples(
        sample_run.gold / "train_features.parquet", evaluated.record.feature_columns
    )

    def fitted(name: ModelName) -> object:
        return build(name, CONFIG.training, train.y.size).fit(train.X, train.y)

    booster = fitted("xgboost")
    names: tuple[ModelName, ...] = ("logistic", "decision_tree", "random_forest")
    made = {name: dump_model(fitted(name)) for name in names}  # type: ignore[arg-type]
    made["xgboost"] = dump_model(booster)  # type: ignore[arg-type]
    made["pickled"] = _normalised(skops.io.dumps(booster))
    return {name: {**files, MODEL: data} for name, data in made.items()}


def tried(cases: list[Case], folder: Path) -> None:
    outcomes = open_all(cases, folder)
    if ALL:
        for outcome in outcomes:
            print(outcome)  # noqa: T201
    assert wrong(cases, outcomes) == []
    assert max(outcome.seconds for outcome in outcomes) < MOST_SECONDS
    assert max(outcome.peak for outcome in outcomes) < MOST_MEMORY


def test_sound_models_of_every_form_answer(models: dict[str, Files], tmp_path: Path) -> None:
    chosen = models if ALL else {name: models[name] for name in ("logistic", "pickled")}
    cases = [Case(name, corpus.pack(files)) for name, files in chosen.items()]
    assert [outcome.what for outcome in open_all(cases, tmp_path)] == ["answers"] * len(cases)


def test_bombs(models: dict[str, Files], tmp_path: Path) -> None:
    tried(list(corpus.bombs(models["decision_tree"])), tmp_path)


def test_nodes_of_trees(models: dict[str, Files], tmp_path: Path) -> None:
    cases = [
        case
        for name in ("decision_tree", "random_forest")
        for case in corpus.trees(models[name], name)
    ]
    tried(cases if ALL else cases[::3], tmp_path)


def test_lies_and_other_objects(models: dict[str, Files], tmp_path: Path) -> None:
    files = models["decision_tree"]
    cases = [*corpus.lies(files), *corpus.other_objects(files)]
    tried(cases if ALL else cases[::4], tmp_path)


def test_damage(models: dict[str, Files], tmp_path: Path) -> None:
    files = models["decision_tree"]
    cases = [
        *corpus.damage(files, 1, 100 if ALL else 4),
        *corpus.mutated(files, corpus.METADATA, "metadata", 2, 50 if ALL else 2),
        *corpus.mutated(files, corpus.INDEX, "index", 3, 150 if ALL else 4),
        *corpus.mutated(files, MODEL, "model", 4, 50 if ALL else 2),
        *corpus.members_mutated(files, "tree", 5, 100 if ALL else 4),
        *corpus.members_mutated(models["random_forest"], "forest", 6, 100 if ALL else 2),
        *corpus.members_mutated(models["logistic"], "logistic", 7, 100 if ALL else 2),
        *corpus.members_mutated(models["xgboost"], "xgboost", 8, 220 if ALL else 2),
        *corpus.members_mutated(models["pickled"], "pickled", 9, 220 if ALL else 1),
    ]
    tried(cases, tmp_path)
