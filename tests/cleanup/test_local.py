"""What is removed of a workspace in a folder, and what never is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from basketwise.cleanup.leftovers import Leftover
from basketwise.cleanup.local import remove_leftovers
from basketwise.config import Config, RegistryConfig
from basketwise.errors import InputError, WorkspaceError
from basketwise.files import REMOVED
from basketwise.registry.protocol import ApprovalState
from basketwise.scratch import scratch
from basketwise.storage.local import LocalStorage
from tests.cleanup.scene import Scene, named
from tests.mlflow_server import free_port

PENDING, APPROVED, REJECTED = ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.REJECTED

OTHER_GROUP, LATEST = named(6), named(9)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Runs that are an approved, a pending, two rejected and no version; not to be changed."""
    scene = Scene(tmp_path_factory.mktemp("template") / "ws")
    for day in range(1, 10):
        scene.run(named(day))
    scene.register(named(1), APPROVED)
    scene.register(named(2), PENDING)
    scene.register(named(3), REJECTED)
    scene.register(named(3), REJECTED)
    scene.register(named(4), APPROVED)
    scene.register(named(4), REJECTED)
    scene.register(OTHER_GROUP, APPROVED, group="spain")
    scene.put("silver/step-silver.json", "gold/metadata.json")
    return scene


@pytest.fixture
def scene(template: Scene, tmp_path: Path) -> Scene:
    """Give a copy of it."""
    shutil.copytree(template.folder, tmp_path / "ws")
    return Scene(tmp_path / "ws")


REMOVABLE = [f"artifacts/{named(day)}" for day in (3, 5, 7, 8)]


def test_runs_without_a_version_that_may_be_used_are_listed(scene: Scene) -> None:
    listing = scene.listing()
    assert [leftover.name for leftover in listing.leftovers] == REMOVABLE
    assert [leftover.why for leftover in listing.leftovers][:2] == [
        "versions 3, 4 rejected",
        "its run never became a version",
    ]
    size = sum(path.stat().st_size for path in (scene.folder / REMOVABLE[0]).iterdir())
    assert listing.leftovers[0].size == size
    assert listing.notes == []


def test_only_what_was_listed_is_removed(scene: Scene) -> None:
    before = scene.files()
    cleaned = scene.clean()
    assert [leftover.name for leftover in cleaned.removed] == REMOVABLE
    gone = {name.rpartition("/")[0] for name in set(before) - set(scene.files())}
    assert gone == set(REMOVABLE)
    assert set(scene.files()) < set(before)
    # Rejected versions stay in the registry, and can be approved again.
    for version in scene.registry().versions():
        assert Path(version.model_data_url).is_file()
    assert scene.listing().leftovers == []


def test_the_newest_runs_and_what_is_young_are_kept(scene: Scene) -> None:
    assert scene.names(scene.limits(runs=3)) == REMOVABLE[:2]
    assert scene.names(scene.limits(older_than=41)) == []
    scene.age(f"{REMOVABLE[0]}/report.html", -20)
    assert scene.names() == REMOVABLE[1:]


def test_a_run_with_somebody_elses_file_is_kept(scene: Scene, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    scene.put(f"{REMOVABLE[0]}/notes.txt")
    (scene.folder / REMOVABLE[1] / "report.json").symlink_to(precious / "file")
    (scene.folder / REMOVABLE[2] / "pictures").symlink_to(precious)
    shutil.move(scene.folder / REMOVABLE[3], precious / "run")
    (scene.folder / REMOVABLE[3]).symlink_to(precious / "run")
    listing = scene.listing()
    assert listing.leftovers == []
    assert [note.partition(" is kept: ")[2] for note in listing.notes] == [
        "notes.txt in it is not of Basketwise",
        "report.json (a link) in it is not of Basketwise",
        "pictures (a link) in it is not of Basketwise",
    ]


def test_folders_of_other_people_are_not_runs(scene: Scene) -> None:
    scene.put("artifacts/mine/manifest.json", "artifacts/run-by-hand/model.tar.gz", "artifacts/x")
    assert scene.names() == REMOVABLE


def test_a_folder_that_is_a_link_is_left_alone(scene: Scene, tmp_path: Path) -> None:
    for name in ("artifacts", "checkpoints", ".staging", ".interrupted"):
        (scene.folder / name).mkdir(exist_ok=True)
        shutil.move(scene.folder / name, tmp_path / name)
        (scene.folder / name).symlink_to(tmp_path / name)
    scene.put("checkpoints/run-1/a.checkpoint", ".staging/gold/step-gold.json")
    listing = scene.listing()
    assert listing.leftovers == []
    assert [note.partition(" ")[0] for note in listing.notes] == ["artifacts", "checkpoints"]


def test_files_that_only_a_record_names_are_a_runs(scene: Scene) -> None:
    folder = scene.folder / REMOVABLE[0]
    (folder / "of_another_version.json").touch()
    assert REMOVABLE[0] not in scene.names()
    record = (
        '{"stage": "training", "inputs": {}, "settings": {}, "code": {}, '
        f'"outputs": {{"of_another_version.json": "{"0" * 64}"}}}}'
    )
    (folder / "step-training.json").write_text(record)
    assert scene.names() == REMOVABLE


def test_leftovers_of_killed_commands(scene: Scene) -> None:
    keys = (
        "checkpoints/run-1/logistic.checkpoint",
        f"checkpoints/run-1/.{'a' * 32}.tmp",
        ".staging/silver/step-silver.json",
        ".interrupted/gold/step-gold.json",
        ".reproduce-abc/silver/lines.parquet",
        f".{'b' * 32}.tmp",
        f"deployment-configs/.{'c' * 32}.tmp",
    )
    scene.put(*keys, "checkpoints/run-2/notes.txt", "checkpoints/mine/a.checkpoint")
    kinds = {leftover.name: leftover.kind for leftover in scene.listing().leftovers}
    assert kinds == {
        **dict.fromkeys(REMOVABLE, "artifacts"),
        "checkpoints/run-1": "checkpoints",
        ".staging": "unfinished",
        ".interrupted": "unfinished",
        ".reproduce-abc": "scratch",
        f".{'b' * 32}.tmp": "scratch",
        f"deployment-configs/.{'c' * 32}.tmp": "scratch",
    }
    # A run may go on from what is young; nobody goes on from a reproduction.
    assert scene.names(scene.limits(days=0)) == [".reproduce-abc"]
    assert len(scene.clean().removed) == len(kinds)
    assert not {*keys} & {*scene.files()}


def test_scratch_folders_that_are_in_use_are_kept(scene: Scene) -> None:
    with scratch(scene.folder) as folder:
        assert scene.names() == REMOVABLE
        held = folder.parent.name
    scene.put(f"{held}/.owner", f"{held}/files/large")
    assert scene.names() == [*REMOVABLE, held]
    scene.clean()
    assert not (scene.folder / held).exists()


def test_registrations_that_left_no_version(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(scene.files())

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("basketwise.registry.mlflow.registry.mlflow_files.discard", lambda *_: None)
        patched.setattr("basketwise.registry.mlflow.registry.mlflow_runs.finish", killed)
        with pytest.raises(KeyboardInterrupt):
            scene.register(named(5), PENDING)
    left = {name for name in set(scene.files()) - before if name.startswith("registry/artifacts/")}
    assert left
    names = scene.names()[len(REMOVABLE) :]
    assert {name.rpartition("/")[0] for name in names} == {
        "registry/artifacts",
        "registry/artifacts/models",
    }
    # It may be going on this very moment, through a server that shows the same files.
    young = scene.names(scene.limits(older_than=0, days=0))
    assert not any(name.startswith("registry") for name in young)
    scene.clean()
    assert not left & set(scene.files())
    assert {name for name in before if name.startswith("registry/artifacts")} <= set(scene.files())


def test_what_a_deployment_configuration_names_is_kept(scene: Scene) -> None:
    model = scene.registry().get("1").model_data_url
    latest = scene.folder / "deployment-configs" / "latest_model_config.json"
    latest.parent.mkdir()
    latest.write_text(f'{{"model_info": {{"model_data_url": "{model}"}}}}')
    # Deleted by MLflow's own tools.
    scene.registry()._client.delete_model_version(RegistryConfig().group, "1")
    assert not any(name.startswith("registry") for name in scene.names())
    latest.unlink()
    assert any(name.startswith("registry") for name in scene.names())
    latest.write_text("{")
    listing = scene.listing()
    assert listing.leftovers == []
    assert "latest_model_config.json" in listing.notes[0]


def test_without_an_answer_of_the_registry_only_other_leftovers_go(scene: Scene) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    config = Config(registry=RegistryConfig(uri=uri))
    scene.put("checkpoints/run-1/logistic.checkpoint")
    listing = scene.listing(config=config)
    assert [leftover.name for leftover in listing.leftovers] == ["checkpoints/run-1"]
    assert "cannot be reached" in listing.notes[0]
    scene.clean(config)
    assert all((scene.folder / name).is_dir() for name in REMOVABLE)


def test_a_damaged_registry_is_no_answer(scene: Scene) -> None:
    (scene.folder / "registry" / "registry.db").write_bytes(b"no database" * 1000)
    listing = scene.listing()
    assert listing.leftovers == []
    assert "nothing is known of their versions" in listing.notes[0]


def test_runs_of_a_registry_that_was_not_asked_are_kept(scene: Scene) -> None:
    scene.run(named(5), uri="http://elsewhere:5000")
    (scene.folder / "artifacts" / named(7) / "manifest.json").write_text("{")
    listing = scene.listing()
    assert [leftover.name for leftover in listing.leftovers] == [REMOVABLE[0], REMOVABLE[3]]
    assert "http://elsewhere:5000" in listing.notes[0]
    assert "an unknown registry" in listing.notes[1]


def test_of_an_unknown_layout_mlflow_is_asked(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("basketwise.registry.mlflow.database.KNOWN", frozenset())
    assert scene.names() == REMOVABLE


def test_an_older_workspace_without_records_and_registry(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for day in (1, 2):
        scene.run(named(day))
        (tmp_path / "artifacts" / named(day) / "manifest.json").write_text("{}")
    (tmp_path / "artifacts" / named(1) / "manifest.json").unlink()
    scene.put(f"artifacts/{named(1)}/step-training.json", "gold/train.parquet")
    assert scene.names() == [f"artifacts/{named(1)}"]
    scene.clean()
    assert not (tmp_path / "registry").exists()


def test_an_empty_folder_has_no_leftovers_and_gets_no_lock(tmp_path: Path) -> None:
    assert Scene(tmp_path).listing().leftovers == []
    assert list(tmp_path.iterdir()) == []


def test_a_first_run_that_was_killed_is_a_workspace(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.put(".staging/silver/part")
    assert scene.names() == [".staging"]


def test_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    for folder in (tmp_path, tmp_path / "absent", tmp_path / "holiday.jpg"):
        with pytest.raises(InputError, match=r"is not a workspace|There is no workspace"):
            Scene(folder).listing()


def test_a_workspace_in_use_is_refused(scene: Scene) -> None:
    limits = scene.limits()
    agreed = scene.listing().leftovers
    with LocalStorage(scene.folder).exclusive():
        with pytest.raises(WorkspaceError, match="Another run is using"):
            scene.listing()
        with pytest.raises(WorkspaceError, match="Another run is using"):
            remove_leftovers(scene.workspace, Config(), limits, agreed, lambda _: None)
    assert scene.names() == REMOVABLE


def test_what_was_approved_after_the_listing_is_kept(scene: Scene) -> None:
    limits, agreed = scene.limits(), scene.listing().leftovers
    scene.registry().set_state("3", APPROVED, who="ann", why="good")
    cleaned = remove_leftovers(scene.workspace, Config(), limits, agreed, lambda _: None)
    assert [leftover.name for leftover in cleaned.skipped] == REMOVABLE[:1]
    assert [leftover.name for leftover in cleaned.removed] == REMOVABLE[1:]


KILLED = """
import os, shutil, sys
from pathlib import Path
from basketwise import files
from basketwise.storage import local

def rmtree(path, **options):
    next(Path(path).iterdir()).unlink()
    os._exit(9)

files.shutil.rmtree = rmtree
storage = local.LocalStorage(Path(sys.argv[1]))
with storage.exclusive():
    storage.delete(sys.argv[2])
"""


def test_a_second_command_finishes_one_that_was_killed(scene: Scene) -> None:
    command = [sys.executable, "-c", KILLED, str(scene.folder), REMOVABLE[0]]
    assert subprocess.run(command, check=False).returncode == 9
    # Nobody sees half a run.
    assert not (scene.folder / REMOVABLE[0]).exists()
    assert list(scene.folder.glob(f"{REMOVED}*"))
    assert scene.names() == REMOVABLE[1:]
    assert not list(scene.folder.glob(f"{REMOVED}*"))
    scene.clean()
    assert scene.listing().leftovers == []


def test_an_error_in_between_leaves_what_was_reported_removed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[str] = []

    def report(leftover: Leftover) -> None:
        reported.append(leftover.name)
        if len(reported) == 2:
            raise KeyboardInterrupt

    limits, agreed = scene.limits(), scene.listing().leftovers
    with pytest.raises(KeyboardInterrupt):
        remove_leftovers(scene.workspace, Config(), limits, agreed, report)
    assert reported == REMOVABLE[:2]
    assert scene.names() == REMOVABLE[2:]


def test_what_vanishes_while_it_is_looked_at_is_no_error(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.walk

    def vanishing(path: Path) -> object:
        shutil.rmtree(path)
        return look(path)

    monkeypatch.setattr("basketwise.cleanup.contents.os.walk", vanishing)
    assert scene.listing().leftovers == []
