"""Shared fixtures: a small made-up sample, and what the ETL stage makes of it."""

from pathlib import Path

import pytest
from hypothesis import settings

from basketwise.sampling import generate
from tests.gold.running import Run, run

# The same examples on every machine, and no time limit that a busy one could break.
settings.register_profile("basketwise", derandomize=True, deadline=None, database=None)
settings.load_profile("basketwise")


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six weeks of 3,000 baskets, some 19,000 lines, 90 products; not to be changed."""
    folder = tmp_path_factory.mktemp("sample")
    generate(folder, baskets=3_000, seed=3, weeks=6)
    return folder


@pytest.fixture(scope="session")
def sample_run(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What the ETL stage makes of the sample by default; not to be changed."""
    return run(sample, tmp_path_factory.mktemp("sample_run"))
