"""``clean``: asks, removes, says what it did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from basketwise.registry.protocol import ApprovalState
from tests.cleanup.scene import Scene, named
from tests.cli.calling import Outcome, call, typing

OLD = f"artifacts/{named(2)}"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Give a workspace of three runs, the first approved, as it looks 40 days later."""
    scene = Scene(tmp_path / "ws")
    for day in (1, 2, 3):
        scene.run(named(day))
    scene.register(named(1), ApprovalState.APPROVED)
    return scene


def clean(scene: Scene, *arguments: str) -> Outcome:
    later = datetime.now(UTC) + timedelta(days=40, hours=1)
    with mock.patch("basketwise.cli.cleaning.current_time", return_value=later):
        return call("clean", "--workspace", scene.folder, *arguments)


def typed(text: str, scene: Scene, *arguments: str) -> Outcome:
    """Call with somebody at the keyboard."""
    with typing(text):
        return clean(scene, *arguments)


def test_it_lists_asks_and_removes(scene: Scene) -> None:
    assert clean(scene, "--dry-run").out == "There are no leftovers.\n"
    before = scene.files()
    dry = clean(scene, "--dry-run", "--keep", "1")
    header, row, total, last = dry.out.splitlines()
    assert header.split() == ["kind", "name", "days", "size", "reason"]
    assert row.split()[:3] == ["artifacts", f"{OLD}/", "40"]
    assert row.endswith("  its run never became a version")
    assert total.startswith("1 item, ")
    assert (last, scene.files()) == ("Nothing was removed.", before)
    refused = typed("n\n", scene, "--keep", "1")
    assert "Remove them?" in refused.err
    assert (refused.code, scene.files()) == (0, before)
    agreed = typed("y\n", scene, "--keep", "1")
    assert agreed.out.splitlines()[-2].startswith(f"removed   {OLD}/  ")
    assert agreed.out.splitlines()[-1].startswith("Removed 1 item, ")
    assert not (scene.folder / OLD).exists()
    assert clean(scene, "--yes", "--keep", "1").out == "There are no leftovers.\n"


def test_json_is_one_object(scene: Scene) -> None:
    scene.put(f"{OLD}/notes.txt", "checkpoints/run-1/a.checkpoint")
    outcome = clean(scene, "--yes", "--json", "--keep", "1", "--older-than", "0")
    document = outcome.json
    assert document["left_over"] == [
        {
            "kind": "checkpoints",
            "name": "checkpoints/run-1",
            "age_days": 40,
            "bytes": 12,
            "why": "its training has not been resumed",
        }
    ]
    assert document["removed"] == ["checkpoints/run-1"]
    assert (document["spared"], document["bytes_removed"]) == ([], 12)
    assert (document["older_than_days"], document["keep_runs"]) == (0, 1)
    assert document["notes"] == [f"{OLD} is kept: notes.txt in it is not of Basketwise"]
    assert f"note      {OLD} is kept" in outcome.err


def test_without_a_terminal_it_refuses_to_ask(scene: Scene) -> None:
    before = scene.files()
    outcome = clean(scene)
    assert outcome.code == 2
    assert "--yes" in outcome.err
    assert scene.files() == before


def test_a_bucket_is_for_the_other_command() -> None:
    outcome = call("clean", "--yes", "--workspace", "s3://shop-data/retail")
    assert outcome.code == 2
    assert "basketwise aws clean --workspace s3://shop-data/retail" in outcome.err
