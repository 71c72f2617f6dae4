"""Eight contenders for one lock on a real server: always exactly one gets it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from basketwise.aws.s3 import Bucket
from basketwise.aws.storage.lock import Lease, read_lock
from basketwise.errors import WorkspaceError
from tests.hostile.scale import tried
from tests.seaweed import S3Server

pytestmark = pytest.mark.skipif(tried(0, 1) == 0, reason="make hostile")

ROUNDS = 25
CONTENDERS = 8


@pytest.fixture(scope="module")
def machines(s3_server: S3Server) -> list[Any]:
    """Clients, one for each contender."""
    return [s3_server.client() for _ in range(CONTENDERS)]


def contend(server: S3Server, machines: list[Any], prefix: str) -> None:
    """Let all want the lock at the same moment; check that one has it."""
    buckets = [Bucket(machine, server.bucket, prefix) for machine in machines]
    start = Barrier(CONTENDERS)

    def attempt(bucket: Bucket) -> str | None:
        lease = Lease(bucket)
        start.wait()
        try:
            lease.acquire()
        except WorkspaceError as error:
            if "Another run is using" not in error.headline:
                raise
            return None
        return lease.holder.token

    with ThreadPoolExecutor(CONTENDERS) as pool:
        tokens = list(pool.map(attempt, buckets))
    (winner,) = filter(None, tokens)
    stored = read_lock(buckets[0])
    assert stored is not None
    assert stored.record.holder.token == winner


def test_a_lock_that_is_free(s3_server: S3Server, machines: list[Any]) -> None:
    for number in range(ROUNDS):
        prefix = s3_server.new_prefix()
        if number % 2:
            former = Lease(Bucket(machines[0], s3_server.bucket, prefix))
            former.acquire()
            former.release()
        contend(s3_server, machines, prefix)


def test_a_lock_that_has_expired(s3_server: S3Server, machines: list[Any]) -> None:
    prefixes = [s3_server.new_prefix() for _ in range(ROUNDS)]
    for prefix in prefixes:
        Lease(Bucket(machines[0], s3_server.bucket, prefix), 0.5).acquire()
    time.sleep(3)
    for prefix in prefixes:
        contend(s3_server, machines, prefix)
