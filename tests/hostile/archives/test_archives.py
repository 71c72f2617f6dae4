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
from basketwise.errors import InputError
from basketwise.files import MODEL
from basketwise.model.archive import load_model_archive
from basketwise.training.candidates import build
from basketwise.training.examples import read_examples
from basketwise.training.persistence import _normalised, dump_model
from tests.etl.running import Run
from tests.evaluation.running import CONFIG, Evaluated
from tests.hostile.archives import corpus
from tests.hostile.archives.corpus import Case, Files
from tests.hostile.archives.opening import Outcome, open_all, wrong

ALL = bool(os.environ.get("BASKETWISE_TEST_HOSTILE"))
MOST_MEMORY = 600
"""MiB that an archive may take until it is refused."""
MOST_SECONDS = 20

Opened = dict[str, tuple[list[Case], list[Outcome]]]


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


def cases_of(models: dict[str, Files]) -> dict[str, list[Case]]:
    """All cases, or a sample of each kind."""
    tree = models["decision_tree"]
    sound = models if ALL else {name: models[name] for name in ("logistic", "pickled")}
    nodes = [
        case
        for name in ("decision_tree", "random_forest")
        for case in corpus.trees(models[name], name)
    ]
    lies = [*corpus.lies(tree), *corpus.other_objects(tree)]
    return {
        "sound models": [Case(name, corpus.pack(files)) for name, files in sound.items()],
        "bombs": list(corpus.bombs(tree)),
        "nodes of trees": nodes if ALL else nodes[::3],
        "lies and other objects": lies if ALL else lies[::4],
        "damage": [
            *corpus.damage(tree, 1, 100 if ALL else 4),
            *corpus.mutated(tree, corpus.METADATA, "metadata", 2, 50 if ALL else 2),
            *corpus.mutated(tree, corpus.INDEX, "index", 3, 150 if ALL else 4),
            *corpus.mutated(tree, MODEL, "model", 4, 50 if ALL else 2),
            *corpus.members_mutated(tree, "tree", 5, 100 if ALL else 4),
            *corpus.members_mutated(models["random_forest"], "forest", 6, 100 if ALL else 2),
            *corpus.members_mutated(models["logistic"], "logistic", 7, 100 if ALL else 2),
            *corpus.members_mutated(models["xgboost"], "xgboost", 8, 220 if ALL else 2),
            *corpus.members_mutated(models["pickled"], "pickled", 9, 220 if ALL else 1),
        ],
    }


@pytest.fixture(scope="module")
def opened(models: dict[str, Files], tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Every case and what came of it, by kind; one child opens all, as imports take longest."""
    kinds = cases_of(models)
    outcomes = open_all(
        [case for cases in kinds.values() for case in cases], tmp_path_factory.mktemp("opened")
    )
    opened, start = {}, 0
    for kind, cases in kinds.items():
        opened[kind] = (cases, outcomes[start : start + len(cases)])
        start += len(cases)
    assert start == len(outcomes)
    return opened


def test_sound_models_of_every_form_answer(
    opened: dict[str, tuple[list[Case], list[Outcome]]],
) -> None:
    cases, outcomes = opened["sound models"]
    assert [outcome.what for outcome in outcomes] == ["answers"] * len(cases)


@pytest.mark.parametrize("kind", ["bombs", "nodes of trees", "lies and other objects", "damage"])
def test_hostile_archives_are_refused_or_answer(opened: Opened, kind: str) -> None:
    cases, outcomes = opened[kind]
    if ALL:
        for outcome in outcomes:
            print(outcome)  # noqa: T201
    assert wrong(cases, outcomes) == []
    assert max(outcome.seconds for outcome in outcomes) < MOST_SECONDS
    assert max(outcome.peak for outcome in outcomes) < MOST_MEMORY


def test_refusals_are_input_errors_in_the_process_of_the_caller(
    models: dict[str, Files], tmp_path: Path
) -> None:
    kinds = cases_of(models)
    tree = models["decision_tree"]
    cases = [*kinds["bombs"], *corpus.lies(tree), *corpus.other_objects(tree)]
    cases += list(corpus.trees(models["decision_tree"], "decision_tree"))
    for case in (case for case in cases if case.refused):
        path = tmp_path / "model.tar.gz"
        path.write_bytes(case.data)
        with pytest.raises(InputError) as refusal:
            load_model_archive(path)
        assert refusal.value.hint, case.name
