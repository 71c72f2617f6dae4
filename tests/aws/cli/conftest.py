"""Raw files to run on, and an account of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from basketwise.sampling import generate
from tests.aws.cli.running import command
from tests.aws.double.cloud import Cloud, running_cloud
from tests.cli.calling import called
from tests.seaweed import S3Server


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five weeks of 1,500 baskets; not to be changed."""
    folder = tmp_path_factory.mktemp("raw")
    generate(folder, baskets=1500, seed=7, weeks=5)
    return folder


@pytest.fixture
def cloud(s3_server: S3Server, tmp_path: Path) -> Iterator[Cloud]:
    with running_cloud(s3_server, tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def used(
    s3_server: S3Server, raw: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    """An account in which a run has gone through, so that it has a champion; others may follow."""
    with running_cloud(s3_server, tmp_path_factory.mktemp("cloud")) as cloud:
        called(*command(cloud, raw, "first"))
        yield cloud
