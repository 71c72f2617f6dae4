"""Hostile archives are refused, or are models that answer: no crash, no hang, no gigabytes.

``make test`` tries a hundred; ``make hostile`` all of them (BASKETWISE_TEST_HOSTILE=1), and prints
the figures with ``-s``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import skops.io

from basketwise.artifact.archive import extract, unpack
from basketwise.config import ModelName
from basketwise.errors import InputError
from basketwise.files import MODEL, NOVELTY
from basketwise.model.archive import load_model_archive
from basketwise.training.calibration import read_calibration
from basketwise.training.candidates import build
from basketwise.training.examples import read_examples
from basketwise.training.persistence import _normalised, dump_model
from tests.etl.running import Run
from tests.evaluation.running import CONFIG, Evaluated
from tests.hostile.archives import lies, models
from tests.hostile.archives.corpus import SOUND, corpus
from tests.hostile.archives.making import CALIBRATION, INDEX, METADATA, Case, Files
from tests.hostile.archives.opening import Outcome, opener
from tests.hostile.scale import tried

FULL = bool(tried(False, True))
MOST_MEMORY = 600
"""MiB that an archive may take until it is refused."""
MOST_SECONDS = 20
LEAST = tried(100, 1_000)
"""Archives, over all areas."""


@pytest.fixture(scope="module")
def sound(
    sample_run: Run, evaluated: Evaluated, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Files]:
    """The files of a sound archive of every candidate, without a second model and with one.

    ``pickled`` is XGBoost's in its former form.
    """
    folder = tmp_path_factory.mktemp("sound")
    unpack(evaluated.archive, folder)
    files = {name: (folder / name).read_bytes() for name in (CALIBRATION, METADATA, INDEX)}
    second = {**files, NOVELTY: (folder / NOVELTY).read_bytes()}
    alone = read_calibration(folder).model_copy(update={"new_products": None})
    files[CALIBRATION] = alone.model_dump_json().encode()
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
    second[MODEL] = made["decision_tree"]
    whole: dict[str, Files] = {name: {**files, MODEL: data} for name, data in made.items()}
    return whole | {"second": second}


@pytest.fixture(scope="module")
def cases(
    sound: dict[str, Files], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Iterable[Case]]:
    """Every case by its area; those of the short form are made once."""
    areas = corpus(sound, tmp_path_factory.mktemp("pickles") / "made", full=FULL)
    return areas if FULL else {area: list(cases) for area, cases in areas.items()}


def test_hostile_archives_are_refused_or_answer(
    cases: Mapping[str, Iterable[Case]],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    opened: dict[str, list[Outcome]] = {}
    # One process for all, as imports take longest; but what an area leaves in memory would count
    # as the next one's.
    areas = [[area] for area in cases] if FULL else [list(cases)]
    for some in areas:
        with opener(tmp_path) as process:
            for area in some:
                opened[area] = process.open_all(cases[area])
                if FULL:
                    print_figures(area, opened[area])
    outcomes = [outcome for some in opened.values() for outcome in some]
    assert len(outcomes) >= LEAST
    assert [outcome for outcome in outcomes if not as_promised(outcome)] == []
    assert all(outcome.what == "answers" for outcome in opened[SOUND])
    # A bomb with a damaged header tests nothing.
    bombs = [outcome for outcome in outcomes if " GiB" in outcome.name or "sparse" in outcome.name]
    assert [bomb for bomb in bombs if "damaged header" in bomb.headline] == []
    assert list(tmp_path_factory.getbasetemp().glob("pickles*/made")) == []


def as_promised(outcome: Outcome) -> bool:
    """Whether an archive was refused, or answers, within bounds."""
    return outcome.right and outcome.seconds < MOST_SECONDS and outcome.peak < MOST_MEMORY


def print_figures(area: str, outcomes: list[Outcome]) -> None:
    """Print the row of an area, and of each of its bombs."""
    failures = [outcome for outcome in outcomes if not as_promised(outcome)]
    peak = max(outcome.peak for outcome in outcomes)
    seconds = max(outcome.seconds for outcome in outcomes)
    facts = (area, len(outcomes), len(outcomes) - len(failures), len(failures), peak, seconds)
    rows = [" | ".join(map(str, facts))]
    for it in outcomes:
        if it in failures or any(unit in it.name for unit in (" GiB", " MiB", " M ", "digits")):
            size = f"{it.size / 1000:,.0f} kB"
            parts = (it.name, size, it.peak, it.seconds, it.what, it.headline[-120:])
            rows.append("    " + " | ".join(map(str, parts)))
    print("", *rows, sep="\n")  # noqa: T201


def test_refusals_are_input_errors_in_the_process_of_the_caller(
    cases: Mapping[str, Iterable[Case]], sound: dict[str, Files], tmp_path: Path
) -> None:
    tree = sound["decision_tree"]
    here = [
        *lies.document_lies(tree),
        *lies.index_lies(tree),
        *models.other_objects(tree),
        *models.trees(tree, "decision_tree"),
        *models.misplaced(sound["random_forest"], sound["logistic"]),
    ]
    if not FULL:
        names = [area for area in cases if "bombs" in area or "tar" in area]
        here += [case for area in names for case in cases[area]]
    path = tmp_path / "model.tar.gz"
    for number, case in enumerate(case for case in here if case.refused):
        path.write_bytes(case.data)
        folder = tmp_path / f"{number}"
        with pytest.raises(InputError) as refusal:
            extract(path, folder, dotted=True) if case.job else load_model_archive(path)
        assert refusal.value.hint, case.name
