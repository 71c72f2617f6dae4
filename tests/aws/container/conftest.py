"""A served model, and a container's folders."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from tests.aws.container.client import served
from tests.evaluation.running import Evaluated


@pytest.fixture(scope="session")
def scorer(evaluated: Evaluated) -> Model:
    return load_model_archive(evaluated.archive)


@pytest.fixture(scope="session")
def port(scorer: Model) -> Iterator[int]:
    """Where an endpoint of that model answers."""
    with served(scorer) as number:
        yield number


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ``/opt/ml`` is in a container."""
    folder = tmp_path / "ml"
    folder.mkdir()
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(folder))
    return folder
