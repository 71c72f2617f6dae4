"""The embedded registry read without MLflow, and of an unknown layout with it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.store.db.utils import _get_latest_schema_revision

from basketwise.config import RegistryConfig
from basketwise.digests import sha256
from basketwise.errors import DependencyError
from basketwise.registry.mlflow import database
from basketwise.registry.mlflow.calls import connect
from basketwise.registry.mlflow.database import DATABASE, KNOWN, StateWriter, create, read_records
from basketwise.registry.mlflow.runs import search_records
from basketwise.registry.opening import open_registry
from basketwise.registry.protocol import Submission

GROUP = RegistryConfig().group


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of three versions, of which the second was deleted with MLflow's own tools."""
    folder = tmp_path_factory.mktemp("shop") / "a b#ü" / "registry"
    archive = tmp_path_factory.mktemp("trained") / "model.tar.gz"
    archive.write_bytes(b"a model")
    registry = open_registry(RegistryConfig(), folder)
    submission = Submission("run", archive, sha256(archive), "a model", {"f1": 0.5}, {}, {"t": "ü"})
    for _ in range(3):
        registry.register(submission, who="ann")
    connect(f"sqlite:///{folder / DATABASE}").delete_model_version(GROUP, "2")
    return folder


def test_this_mlflow_writes_a_layout_that_is_known() -> None:
    """If it fails: see that the three tables are as before, then add the revision to the list."""
    assert _get_latest_schema_revision() in KNOWN  # type: ignore[no-untyped-call]


def test_it_reads_what_mlflow_reads(folder: Path) -> None:
    own = read_records(folder / DATABASE, GROUP)
    from_mlflow = search_records(connect(f"sqlite:///{folder / DATABASE}"), GROUP)
    assert own is not None
    assert [record.version for record in own] == ["1", "3"]
    assert sorted(own, key=lambda r: r.version) == sorted(from_mlflow, key=lambda r: r.version)


def test_of_an_unknown_layout_mlflow_is_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = open_registry(RegistryConfig(), folder).versions()
    monkeypatch.setattr(database, "KNOWN", frozenset())
    assert read_records(folder / DATABASE, GROUP) is None
    assert open_registry(RegistryConfig(), folder).versions() == known


def test_a_file_without_mlflows_tables_is_never_taken_for_a_new_registry(tmp_path: Path) -> None:
    database = tmp_path / DATABASE
    database.write_bytes(b"")
    for use in (StateWriter.suits, create, lambda path: read_records(path, GROUP)):
        with pytest.raises(sqlite3.DatabaseError, match="no registry"):
            use(database)
    assert database.read_bytes() == b""


def state_tables(path: Path) -> list[tuple[object, ...]]:
    """Return what the tables say that a state is written to, without times."""
    queries = (
        "SELECT * FROM model_version_tags ORDER BY name, version, key",
        "SELECT workspace, name, version, description FROM model_versions ORDER BY name, version",
        "SELECT last_updated_time > creation_time FROM model_versions ORDER BY name, version",
        "SELECT * FROM registered_model_aliases ORDER BY name, alias",
    )
    with closing(sqlite3.connect(path)) as connection:
        return [row for query in queries for row in connection.execute(query)]


def write_states(writer: StateWriter | MlflowClient) -> None:
    for value in ("first", "ü 🛒 'quoted'"):
        writer.set_model_version_tag(GROUP, "1", "basketwise.state", value)
    writer.set_model_version_tag(GROUP, "3", "new", "")
    writer.update_model_version(GROUP, "3", "changed\n\ntwice")
    writer.delete_registered_model_alias(GROUP, "absent")
    for version in ("1", "3"):
        for alias in ("champion", "gone"):
            writer.set_registered_model_alias(GROUP, alias, version)
    writer.delete_registered_model_alias(GROUP, "gone")


def test_it_writes_what_mlflow_writes(folder: Path, tmp_path: Path) -> None:
    own, theirs = (
        Path(shutil.copyfile(folder / DATABASE, tmp_path / f"{name}.db"))
        for name in ("own", "theirs")
    )
    assert StateWriter.suits(own)
    write_states(StateWriter(own))
    write_states(connect(f"sqlite:///{theirs}"))
    assert state_tables(own) == state_tables(theirs)


def test_a_layout_without_workspaces_is_left_to_mlflow(folder: Path, tmp_path: Path) -> None:
    older = Path(shutil.copyfile(folder / DATABASE, tmp_path / DATABASE))
    with closing(sqlite3.connect(older)) as connection:
        connection.execute("DROP TABLE model_versions")
        connection.execute("CREATE TABLE model_versions (name TEXT, version INTEGER)")
    assert not StateWriter.suits(older)


def test_reading_changes_nothing(folder: Path) -> None:
    before = (folder / DATABASE).read_bytes()
    registry = open_registry(RegistryConfig(), folder)
    registry.versions(), registry.history(), registry.champion()
    assert (folder / DATABASE).read_bytes() == before


def test_a_registry_that_is_not_there_is_empty_and_not_created(tmp_path: Path) -> None:
    registry = open_registry(RegistryConfig(), tmp_path / "registry")
    assert registry.versions() == []
    assert registry.history() == []
    assert registry.champion() is None
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_stays_locked_is_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("basketwise.registry.mlflow.calls.LOCKED_FOR", 0.1)
    with closing(sqlite3.connect(folder / DATABASE)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DependencyError, match="locked") as caught:
            open_registry(RegistryConfig(), folder).versions()
    assert "Another process" in caught.value.hint


def test_versions_are_listed_approved_and_fetched_without_mlflow(
    folder: Path, tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from basketwise.config import RegistryConfig\n"
        "from basketwise.registry.opening import open_registry\n"
        "from basketwise.registry.protocol import ApprovalState\n"
        "registry = open_registry(RegistryConfig(), Path(sys.argv[1]))\n"
        "registry.versions(), registry.history(), registry.champion(), registry.get('1')\n"
        "for state in ApprovalState:\n"
        "    registry.set_state('1', state, who='ann', why='good')\n"
        "registry.fetch('1', Path(sys.argv[2]))\n"
        "heavy = {'mlflow', 'sqlalchemy', 'alembic', 'requests', 'sklearn', 'polars'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")
