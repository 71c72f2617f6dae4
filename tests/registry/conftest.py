"""The small sample, trained and evaluated once for all tests."""

import pytest

from tests.evaluation.running import Evaluated, evaluated_once
from tests.gold.running import Run


@pytest.fixture(scope="session")
def evaluated(sample_run: Run) -> Evaluated:
    return evaluated_once(sample_run.gold)
