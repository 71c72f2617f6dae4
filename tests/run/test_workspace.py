"""A run's outputs get into the workspace all together, or none of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from basketwise.errors import ConfigError, InputError, WorkspaceError
from basketwise.run.workspace import (
    ARTIFACTS,
    CHECKPOINTS,
    GOLD,
    STAGING,
    Workspace,
    open_workspace,
)

NOON = datetime(2026, 2, 3, 12, 0, 5, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(str(tmp_path / "w"))


def artifacts(workspace: Workspace, *runs: str) -> None:
    for run in runs:
        workspace.storage.write(f"{ARTIFACTS}/{run}/training.json", b"{}")


def test_staging_gives_empty_folders_and_takes_them_away(workspace: Workspace) -> None:
    with workspace.staged() as staging:
        folders = (staging.silver, staging.gold, staging.artifacts, staging.scratch)
        assert all(folder.is_dir() and not list(folder.iterdir()) for folder in folders)
        (staging.scratch / "left").write_text("x")

    assert not (workspace.storage.scratch / STAGING).exists()


@pytest.mark.parametrize("error", [InputError("bad"), KeyboardInterrupt(), MemoryError()])
def test_whatever_ends_a_run_leaves_nothing_staged(
    workspace: Workspace, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        end_half_way(workspace, error)

    assert not (workspace.storage.scratch / STAGING).exists()
    assert not workspace.folder(GOLD).exists()


def end_half_way(workspace: Workspace, error: BaseException) -> None:
    with workspace.staged() as staging:
        (staging.gold / "half").write_text("x")
        raise error


def test_what_a_killed_run_left_is_cleared(workspace: Workspace) -> None:
    left = workspace.storage.scratch / STAGING / "gold" / "half"
    left.parent.mkdir(parents=True)
    left.write_text("x")

    with workspace.staged() as staging:
        assert list(staging.gold.iterdir()) == []


def test_two_runs_do_not_share_a_workspace(workspace: Workspace) -> None:
    with (
        workspace.staged() as staging,
        pytest.raises(WorkspaceError, match="Another run"),
        workspace.staged(),
    ):
        pass
    assert not staging.gold.exists()


def test_publishing_moves_a_folder_to_its_place(workspace: Workspace) -> None:
    with workspace.staged() as staging:
        (staging.gold / "metadata.json").write_text("new")
        workspace.publish(staging.gold, GOLD)

    assert workspace.storage.read("gold/metadata.json") == b"new"


def test_a_run_is_named_after_its_start_in_utc(workspace: Workspace) -> None:
    berlin = NOON.astimezone(timezone(timedelta(hours=1)))

    assert workspace.new_run(NOON) == workspace.new_run(berlin) == "run-20260203-120005"


def test_two_runs_of_one_second_have_two_names(workspace: Workspace) -> None:
    artifacts(workspace, "run-20260203-120005")
    assert workspace.new_run(NOON) == "run-20260203-120005-2"
    artifacts(workspace, "run-20260203-120005-2")
    assert workspace.new_run(NOON) == "run-20260203-120005-3"


def test_a_run_comes_after_all_others_though_the_clock_went_back(workspace: Workspace) -> None:
    made = ["run-20260203-120005"]
    artifacts(workspace, *made, "run-week-7")
    for back in (timedelta(), timedelta(hours=1), timedelta(days=365)) * 4:
        made.append(workspace.new_run(NOON - back, [made[-1]]))
        artifacts(workspace, made[-1])
    assert made[-1] == "run-20260203-120005-13"
    assert workspace.runs() == [*made, "run-week-7"]
    later = NOON + timedelta(seconds=1)
    assert workspace.new_run(later) == "run-20260203-120006"
    assert workspace.new_run(NOON, ["run-20270101-000000"]) == "run-20270101-000000-2"


def test_a_clock_that_was_never_set_is_told(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="clock says 1970-01-01 00:00 UTC"):
        workspace.new_run(datetime.fromtimestamp(0, UTC))


def test_the_latest_run_is_the_default(workspace: Workspace) -> None:
    artifacts(workspace, "run-20260203-120005", "run-20260101-120005", "run-20260203-120005-2")
    (workspace.folder(ARTIFACTS) / "notes.txt").write_text("mine")

    assert workspace.run_folder(None)[0] == "run-20260203-120005-2"
    name, folder = workspace.run_folder("run-20260101-120005")
    assert folder == workspace.folder(ARTIFACTS) / name


def test_a_run_that_is_not_there_names_those_that_are(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="contains no training"):
        workspace.run_folder(None)
    artifacts(workspace, "run-20260101-120005")
    for name in ("run-1", "../../etc", "."):
        with pytest.raises(InputError, match="There is no run") as caught:
            workspace.run_folder(name)
        assert "run-20260101-120005" in caught.value.hint


def test_checkpoints_outlive_what_interrupts_the_training(workspace: Workspace) -> None:
    def interrupted() -> None:
        with workspace.checkpoints("run-1") as folder:
            (folder / "piece").write_text("finished")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    with workspace.checkpoints("run-2") as taken_over:
        assert (taken_over / "piece").read_text() == "finished"
        assert taken_over == workspace.folder(CHECKPOINTS) / "run-2"
        assert not taken_over.with_name("run-1").exists()

    assert not workspace.folder(CHECKPOINTS).exists()


def test_of_several_interrupted_runs_the_latest_is_gone_on_with(workspace: Workspace) -> None:
    for name in ("run-1", "run-2"):
        (workspace.folder(CHECKPOINTS) / name).mkdir(parents=True)
        (workspace.folder(CHECKPOINTS) / name / "piece").write_text(name)

    with workspace.checkpoints("run-3") as folder:
        assert (folder / "piece").read_text() == "run-2"
        assert [path.name for path in workspace.folder(CHECKPOINTS).iterdir()] == ["run-3"]


def test_what_a_killed_run_had_staged_is_there_for_the_next_and_no_longer(
    workspace: Workspace,
) -> None:
    killed = workspace.folder(STAGING) / GOLD
    killed.mkdir(parents=True)
    (killed / "metadata.json").write_text("finished")
    (killed / "step-gold.json").write_text("{}")

    with workspace.staged() as staging:
        assert list(staging.gold.iterdir()) == []
        assert (staging.left / GOLD / "metadata.json").read_text() == "finished"

    assert not staging.left.exists()
    assert not workspace.folder(STAGING).exists()


def test_what_a_killed_run_had_not_finished_does_not_replace_what_one_before_it_had(
    workspace: Workspace,
) -> None:
    finished = workspace.folder(".interrupted") / GOLD
    finished.mkdir(parents=True)
    (finished / "step-gold.json").write_text("{}")
    (workspace.folder(STAGING) / GOLD).mkdir(parents=True)

    with workspace.staged() as staging:
        assert (staging.left / GOLD / "step-gold.json").is_file()


def test_other_peoples_files_beside_the_workspaces_own_stay(workspace: Workspace) -> None:
    for name in ("checkpoints/mine.pt", ".old-data/c", "sub/.old-notes/a", "sub/notes/b"):
        workspace.storage.write(name, b"mine")

    with workspace.staged(), workspace.checkpoints("run-1"):
        pass

    for name in ("checkpoints/mine.pt", ".old-data/c", "sub/.old-notes/a", "sub/notes/b"):
        assert workspace.storage.read(name) == b"mine"


def test_opening_makes_nothing(tmp_path: Path) -> None:
    open_workspace(str(tmp_path / "new"))

    assert not (tmp_path / "new").exists()


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    assert open_workspace("~/w").storage.scratch == tmp_path / "w"


def test_places_that_are_no_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(InputError, match="is a file, not a folder"):
        open_workspace(str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="s3://bucket"):
        open_workspace("ftp://host/folder")
