"""A workspace in a bucket of a real S3 server."""

from __future__ import annotations

from pathlib import Path

import pytest

from basketwise.aws.storage.storage import S3Storage
from tests.aws.storage.access import Open
from tests.seaweed import S3Server


@pytest.fixture
def opened(s3_server: S3Server, tmp_path: Path) -> Open:
    """Open the same workspace again and again, each time with a cache of its own."""
    prefix = s3_server.new_prefix()

    def item(lease: float = 60.0) -> S3Storage:
        number = len(list(tmp_path.glob("cache-*")))
        cache = tmp_path / f"cache-{number}"
        cache.mkdir()
        return S3Storage(s3_server.client(), s3_server.bucket, prefix, cache=cache, lease=lease)

    return item


@pytest.fixture
def storage(opened: Open) -> S3Storage:
    return opened()
