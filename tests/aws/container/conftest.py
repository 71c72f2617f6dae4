"""The small sample, trained and evaluated once for all tests; a container's folders."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from basketwise.serving.scorer import Scorer, load_scorer
from tests.aws.container.asking import served
from tests.etl.running import Run
from tests.evaluation.running import Evaluated, evaluated_once


@pytest.fixture(scope="session")
def evaluated(sample_run: Run) -> Evaluated:
    return evaluated_once(sample_run.gold)


@pytest.fixture(scope="session")
def scorer(evaluated: Evaluated) -> Scorer:
    return load_scorer(evaluated.archive)


@pytest.fixture(scope="session")
def port(scorer: Scorer) -> Iterator[int]:
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
