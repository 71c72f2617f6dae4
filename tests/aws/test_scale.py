"""What commands ask of AWS does not grow with the runs: a list at most, a page at a time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from basketwise.cli import cleaning
from tests.aws.crowd import Crowd, counted
from tests.aws.leftover_scene import running_scene
from tests.cli.calling import call
from tests.seaweed import S3Server

USES = ("processing job", "training job", "spot training job")
SMALL, LARGE = (8, 100), (20, 1_060)
COMMANDS = {
    "list": ("models", "list"),
    "doctor": ("doctor", "--aws"),
    "clean": ("aws", "clean", "--dry-run", "--older-than", "1"),
    # There are no raw files: it has found the run and holds the lock.
    "resume": ("aws", "run", "--resume"),
}
# The server tells that its buckets are in another region.
CODES = {"doctor": 2, "resume": 2}
MOST = {"list": 12, "doctor": 60, "clean": 40, "resume": 80}


def in_a_week() -> datetime:
    """Return a time at which everything that was just written is old."""
    return datetime.now(UTC) + timedelta(days=7)


@pytest.fixture(scope="module")
def requests(
    s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, int], Counter[str]]:
    """Count the requests of each command at both sizes."""
    found = {}
    for runs, objects in (SMALL, LARGE):
        folder: Path = tmp_path_factory.mktemp(f"crowd-{runs}")
        with running_scene(s3_server, folder) as scene:
            scene.cloud.registry.page = 100
            scene.cloud.account.quotas |= {f"ml.m5.large for {use} usage": 2.0 for use in USES}
            Crowd(scene, runs, objects).fill()
            for name, command in COMMANDS.items():
                with mock.patch.object(cleaning, "current_time", in_a_week), counted() as counts:
                    outcome = call(*command, "--workspace", scene.cloud.workspace)
                assert outcome.code == CODES.get(name, 0), outcome.out + outcome.err
                found[name, runs] = counts
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_more_runs_take_no_more_requests(
    requests: dict[tuple[str, int], Counter[str]], name: str
) -> None:
    few, many = (requests[name, runs] for runs, _ in (SMALL, LARGE))
    # The objects of the large one fill one more page of a list.
    pages = Counter({"ListObjectsV2": 1}) if name == "clean" else Counter()
    assert not many - few - pages
    assert sum(many.values()) <= MOST[name], many
