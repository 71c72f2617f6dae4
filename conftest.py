"""A folder of its own for the examples in docstrings, with a model that was trained in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = ("basketwise/__init__.py", "basketwise/api.py", "basketwise/model/scoring.py")
"""Modules whose examples write to, or read from, the workspace ``ws``."""


@pytest.fixture(scope="session")
def trained_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the workspace ``ws`` that the examples train; they find it cached."""
    import basketwise as bw

    folder = tmp_path_factory.mktemp("examples")
    bw.train(bw.sample(baskets=3_000), workspace=folder / "ws", split="customer")
    return folder


@pytest.fixture(autouse=True)
def _in_folder_of_examples(request: pytest.FixtureRequest) -> Iterator[None]:
    if isinstance(request.node, pytest.DoctestItem) and request.path.as_posix().endswith(EXAMPLES):
        folder = request.getfixturevalue("trained_workspace")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            yield
    else:
        yield
