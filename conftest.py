"""A folder of its own for the examples in docstrings, with a model that was trained in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = (
    "basketwise/__init__.py",
    "basketwise/api/loading.py",
    "basketwise/api/training.py",
    "basketwise/api/training_run.py",
    "basketwise/model/scoring.py",
)
"""Modules whose examples write to, or read from, the workspace ``ws``."""

SMALL = {
    "FEATURES__TRIED": "[]",
    "TRAINING__FOLDS": "2",
    "TRAINING__RANDOM_FOREST": "{n_estimators = 10}",
    "TRAINING__XGBOOST": "{n_estimators = 10}",
    "EVALUATION__RESAMPLES": "100",
    "EVALUATION__IMPORTANCE_BASKETS": "100",
    "EVALUATION__IMPORTANCE_REPEATS": "1",
}
"""What examples and notebooks find set, so that their training takes a second or two."""


def _set_small(patch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        patch.setenv(f"BASKETWISE_{name}", value)


@pytest.fixture
def small_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every training in the test a small one, in its child processes too."""
    _set_small(monkeypatch)


@pytest.fixture(scope="session")
def trained_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the workspace ``ws`` that the examples train; they find it cached."""
    import basketwise as bw
    from tests.cli.calling import blank_pictures

    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch, blank_pictures():
        _set_small(patch)
        bw.train(bw.sample(baskets=3_000), workspace=folder / "ws", split="customer")
    return folder


@pytest.fixture(autouse=True)
def _in_folder_of_examples(request: pytest.FixtureRequest) -> Iterator[None]:
    if isinstance(request.node, pytest.DoctestItem) and request.path.as_posix().endswith(EXAMPLES):
        folder = request.getfixturevalue("trained_workspace")
        with pytest.MonkeyPatch.context() as patch:
            _set_small(patch)
            patch.chdir(folder)
            yield
    else:
        yield
