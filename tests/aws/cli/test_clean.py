"""``aws clean``: asks, removes, says what it did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from basketwise.registry.protocol import ApprovalState
from tests.aws.leftover_scene import Scene, running_scene
from tests.cli.calling import Outcome, call, called, typing
from tests.seaweed import S3Server

BAD, FORGOTTEN = "run-20260202-120005", "run-20260204-120005"


@pytest.fixture
def scene(s3_server: S3Server, tmp_path: Path) -> Iterator[Scene]:
    """Give an account with three left-overs of 27 bytes, as they look 40 days later."""
    later = datetime.now(UTC) + timedelta(days=40, hours=1)
    with running_scene(s3_server, tmp_path) as running:
        running.put(f"artifacts/{BAD}/manifest.json", f"artifacts/{FORGOTTEN}/manifest.json")
        running.register(BAD, ApprovalState.REJECTED)
        running.model("retail-a", "run-x")
        with mock.patch("basketwise.cli.cleaning.current_time", return_value=later):
            yield running


def clean(scene: Scene, *arguments: str) -> Outcome:
    return call("aws", "clean", "--workspace", scene.cloud.workspace, *arguments)


def typed(text: str, scene: Scene, *arguments: str) -> Outcome:
    """Call with somebody at the keyboard."""
    with typing(text):
        return clean(scene, *arguments)


def remaining(scene: Scene) -> tuple[list[str], list[str]]:
    return scene.cloud.keys("artifacts"), scene.resources.names("Model")


def test_a_dry_run_lists_and_removes_nothing(scene: Scene) -> None:
    before = remaining(scene)
    outcome = clean(scene, "--dry-run")
    assert outcome.code == 0, outcome
    header, archive, bad, forgotten, model, total, *note = outcome.out.splitlines()
    assert header.split() == ["kind", "name", "days", "size", "reason"]
    prefix = f"artifacts/registered-{BAD}/"
    assert " ".join(archive.split()) == f"artifacts {prefix} 40 7 B version 1 rejected"
    assert " ".join(bad.split()) == f"artifacts artifacts/{BAD}/ 40 10 B version 1 rejected"
    assert forgotten.endswith("  its run never became a version")
    assert " ".join(model.split()) == "model retail-a 40 – no remaining config uses it"
    assert total == "4 items, 27\u202fB (27 bytes), older than 30 days."
    assert "90 days" in " ".join(note)
    assert outcome.out.splitlines()[-1] == "Nothing was removed."
    assert remaining(scene) == before


def test_it_asks_first_and_lists_what_was_removed(scene: Scene) -> None:
    before = remaining(scene)
    refused = typed("n\n", scene)
    assert (refused.code, remaining(scene)) == (0, before)
    assert "Remove them?" in refused.err
    assert refused.out.splitlines()[-1] == "Nothing was removed."
    outcome = typed("y\n", scene)
    assert outcome.code == 0, outcome
    assert outcome.out.splitlines()[-5:] == [
        f"removed   artifacts/registered-{BAD}/  7\u202fB",
        f"removed   artifacts/{BAD}/  10\u202fB",
        f"removed   artifacts/{FORGOTTEN}/  10\u202fB",
        "removed   model retail-a",
        "Removed 4 items, 27\u202fB (27 bytes).",
    ]
    assert remaining(scene) == ([], [])
    again = called("aws", "clean", "--yes", "--workspace", scene.cloud.workspace)
    assert again.out == "There are no leftovers older than 30 days.\n"


def test_days_are_chosen(scene: Scene) -> None:
    assert "no leftovers older than" in clean(scene, "--yes", "--older-than", "41").out
    assert clean(scene, "--yes", "--older-than", "39").out.endswith("(27 bytes).\n")
    assert clean(scene, "--yes", "--older-than", "0").code == 2


def test_a_version_approved_during_the_prompt_is_kept(scene: Scene) -> None:
    def approve(_: str) -> bool:
        scene.registry.set_state("1", ApprovalState.APPROVED, who="ann", why="good")
        return True

    with mock.patch("basketwise.cli.cleaning.confirmed", approve):
        outcome = typed("", scene)
    assert outcome.code == 0, outcome
    assert f"kept      artifacts/{BAD}/  10\u202fB: it is needed again" in outcome.out
    assert "Removed 2 items" in outcome.out
    assert {key.split("/")[1] for key in scene.cloud.keys("artifacts")} == {
        BAD,
        f"registered-{BAD}",
    }


def test_json_is_one_object(scene: Scene) -> None:
    document = clean(scene, "--dry-run", "--json").json
    assert document["left_over"][0] == {
        "kind": "artifacts",
        "name": f"artifacts/registered-{BAD}",
        "age_days": 40,
        "bytes": 7,
        "why": "version 1 rejected",
    }
    assert (document["removed"], document["bytes_removed"]) == ([], 0)
    outcome = typed("y\n", scene, "--json")
    assert outcome.json["removed"] == [
        f"artifacts/registered-{BAD}",
        f"artifacts/{BAD}",
        f"artifacts/{FORGOTTEN}",
        "retail-a",
    ]
    assert outcome.json["bytes_removed"] == 27
    assert outcome.json["restorable_days"] == 90
    # Whoever is asked has to see what about.
    assert "its run never became a version" in outcome.err


def test_without_a_terminal_it_refuses_to_ask(scene: Scene) -> None:
    before = remaining(scene)
    outcome = clean(scene)
    assert outcome.code == 2
    assert "--yes" in outcome.err
    assert remaining(scene) == before


def test_the_projects_bucket_is_the_default(scene: Scene) -> None:
    bucket = ("--set", f"aws.bucket={scene.cloud.names.bucket}")
    outcome = called("aws", "clean", "--dry-run", "--json", *bucket)
    # The workspace at the bucket's top is another one: only what SageMaker serves is shared.
    assert {item["name"] for item in outcome.json["left_over"]} == {"retail-a"}
    assert call("aws", "clean", "--yes", "--workspace", "folder").code == 2
