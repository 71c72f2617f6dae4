"""A served model."""

from collections.abc import Iterator

import pytest

from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from tests.evaluation.running import Evaluated
from tests.serving.http.client import served


@pytest.fixture(scope="session")
def scorer(evaluated: Evaluated) -> Model:
    return load_model_archive(evaluated.archive)


@pytest.fixture(scope="session")
def port(scorer: Model) -> Iterator[int]:
    """Where a server of that model answers."""
    with served(scorer) as number:
        yield number
