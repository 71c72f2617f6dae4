"""The small sample, trained and evaluated once for all tests."""

import pytest

from tests.etl.running import Run
from tests.evaluation.running import Evaluated, evaluated_once


@pytest.fixture(scope="session")
def evaluated(sample_run: Run) -> Evaluated:
    return evaluated_once(sample_run.gold)
