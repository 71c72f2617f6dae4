"""A model, and a container's folders."""

from pathlib import Path

import pytest

from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from tests.evaluation.running import Evaluated


@pytest.fixture(scope="session")
def scorer(evaluated: Evaluated) -> Model:
    return load_model_archive(evaluated.archive)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ``/opt/ml`` is in a container."""
    folder = tmp_path / "ml"
    folder.mkdir()
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(folder))
    return folder
