"""The embedded registry's database: made whole or not at all; states and reads without MLflow.

``import mlflow`` takes seconds, a list of versions is two queries, and an approval four rows. So
both go through the standard library wherever the database has a layout that is known to be the one
used here; any other is left to MLflow itself, as is everything else that is written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

from basketwise import clock
from basketwise.errors import writing
from basketwise.locking import locked
from basketwise.registry.ledger import read_entries
from basketwise.registry.protocol import Change
from basketwise.scratch import scratch

DATABASE = "registry.db"

CREATE_SECONDS = 120.0
"""So long is another process waited for that creates the same database."""

RUN = "basketwise.run_id"
"""The tag of an MLflow run, and of a version, that names the run which trained it."""

DELETED = "Deleted_Internal"
"""The stage in which MLflow leaves a version that was deleted."""

DEFAULT_SPACE = "default"
"""The only one of MLflow's own workspaces that Basketwise uses."""

REVISIONS = """
    6953534de441 bda7b8c39065 cbc13b556ace 770bee3ae1dd a1b2c3d4e5f6 de4033877273 1a0cddfcaa16
    534353b11cbc 71994744cf8e 3da73c924c2f bf29a5ff90ea 1bd49d398cd23 b7c8d9e0f1a2 5d2d30f0abce
    c9d4e5f6a7b8 2c33131f4dae d3e4f5a6b7c8 d0e1f2a3b4c5 c8d9e0f1a2b3 1b5f0d9ad7c1 e1f2a3b4c5d6
    76601a5f987d c3d6457b6d8a a5b4c3d2e1f0 ae8bbe7743c9 7d34483879f0 da6fb0208061 89d3d66ed43f
    b7e4c1a90f23 a8b9c0d1e2f3 c1d2e3f4a5b6 c3d9e7f1a2b4 6f8d9c3b2a1e 1971f2d9a75b 17e22815139b
    b7e2c1a4d9f3 75868b020152 dc11669786a5
"""
KNOWN = frozenset(REVISIONS.split())
"""Alembic revisions, of MLflow 3.1 to 3.17, whose tables of versions and tags are as read here."""


@dataclass(frozen=True)
class Record:
    """A version as MLflow stores it; ``created`` is in milliseconds since 1970."""

    version: str
    run_id: str
    source: str
    created: int
    description: str
    tags: Mapping[str, str]

    @cached_property
    def history(self) -> list[Change]:
        """Its changes, oldest first."""
        return read_entries(self.version, self.tags)


class Unregistered(NamedTuple):
    """A run of MLflow, and its logged models, that became no version."""

    run: str
    models: tuple[str, ...]


def create(database: Path) -> None:
    """Create the database, unless it is there: whole or not at all.

    MLflow builds the tables in some fifty steps of seconds in all. Two processes that do so in one
    file break it, and so does a Ctrl-C between two steps.
    """
    if database.exists():
        with _opened(database) as connection:
            _is_known(connection)
        return
    with writing(
        f"The registry folder {database.parent} cannot be created",
        "Choose a workspace that this user may write to.",
    ):
        database.parent.mkdir(parents=True, exist_ok=True)
    with locked(database.with_suffix(".lock"), timeout=CREATE_SECONDS):
        if database.exists():
            return
        new = database.with_suffix(".new")
        new.write_bytes(_empty())
        new.replace(database)


def load(database: Path | None) -> None:
    """Load MLflow, and build the tables that a database which is still to be created needs."""
    if database is not None and not database.exists():
        _empty()
    else:
        from basketwise.registry.mlflow.calls import load_client

        load_client()


@cache
def _empty() -> bytes:
    """Return a database without versions; MLflow builds its tables once per process."""
    from basketwise.registry.mlflow.calls import connect

    # MLflow keeps the file open for good, so a copy gets the name, not the file itself.
    with scratch() as folder:
        draft = folder / DATABASE
        connect(f"sqlite:///{draft.as_posix()}")
        return draft.read_bytes()


def read_records(database: Path, group: str) -> list[Record] | None:
    """Read a group's versions from an existing SQLite file, in no order.

    None if the layout is not known, and MLflow must be asked.
    """
    with _opened(database) as connection:
        if not _is_known(connection):
            return None
        versions = _rows(connection, "SELECT * FROM model_versions WHERE name = ?", group)
        tags = _rows(connection, "SELECT * FROM model_version_tags WHERE name = ?", group)
    by_version: dict[int, dict[str, str]] = {}
    for row in tags:
        by_version.setdefault(row["version"], {})[row["key"]] = row["value"]
    return [
        Record(
            version=str(row["version"]),
            run_id=row["run_id"] or "",
            source=row["source"] or "",
            created=row["creation_time"],
            description=row["description"] or "",
            tags=by_version.get(row["version"], {}),
        )
        for row in versions
        if row["current_stage"] != DELETED
    ]


def read_groups(database: Path) -> list[str] | None:
    """Return the groups that have versions; None if the layout is not known."""
    with _opened(database) as connection:
        if not _is_known(connection):
            return None
        return [row[0] for row in connection.execute("SELECT DISTINCT name FROM model_versions")]


def read_unregistered(database: Path) -> list[Unregistered]:
    """Return the runs that Basketwise began, and that no version is of; none if it is not known.

    Those are of registrations that were cut off, and of versions that were deleted with MLflow.
    """
    with _opened(database) as connection:
        tables = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master")}
        if not _is_known(connection) or not tables >= {"tags", "logged_models"}:
            return []
        models = connection.execute("SELECT model_id, source_run_id FROM logged_models").fetchall()
        versions = connection.execute("SELECT run_id, source FROM model_versions").fetchall()
        runs = connection.execute("SELECT run_uuid FROM tags WHERE key = ?", (RUN,)).fetchall()
    needed = {row["run_id"] for row in versions}
    sources = "\n".join(row["source"] or "" for row in versions)
    unregistered = []
    for (run,) in runs:
        of_run = tuple(row["model_id"] for row in models if row["source_run_id"] == run)
        if run not in needed and not any(name in sources for name in (run, *of_run)):
            unregistered.append(Unregistered(run, of_run))
    return unregistered


class StateWriter:
    """Writes the state of versions as MLflow's client does, by methods of the same names."""

    def __init__(self, database: Path) -> None:
        self._database = database

    @staticmethod
    def suits(database: Path) -> bool:
        """Whether an existing database has a layout that can be written to here."""
        with _opened(database) as connection:
            columns = connection.execute("PRAGMA table_info(model_versions)").fetchall()
            return _is_known(connection) and "workspace" in {row["name"] for row in columns}

    def set_model_version_tag(self, name: str, version: str, key: str, value: str) -> None:
        """Add or replace a tag."""
        self._write(
            "REPLACE INTO model_version_tags (value, workspace, name, version, key) "
            "VALUES (?, ?, ?, ?, ?)",
            *(value, DEFAULT_SPACE, name, int(version), key),
        )

    def update_model_version(self, name: str, version: str, description: str) -> None:
        """Replace a version's description."""
        self._write(
            "UPDATE model_versions SET description = ?, last_updated_time = ? "
            "WHERE workspace = ? AND name = ? AND version = ?",
            *(description, int(clock.now().timestamp() * 1000), DEFAULT_SPACE, name, int(version)),
        )

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Let an alias name a version."""
        self._write(
            "REPLACE INTO registered_model_aliases (version, workspace, name, alias) "
            "VALUES (?, ?, ?, ?)",
            *(int(version), DEFAULT_SPACE, name, alias),
        )

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Remove an alias, if it is there."""
        self._write(
            "DELETE FROM registered_model_aliases WHERE workspace = ? AND name = ? AND alias = ?",
            *(DEFAULT_SPACE, name, alias),
        )

    def _write(self, statement: str, *values: str | int) -> None:
        with _opened(self._database, write=True) as connection:
            connection.execute(statement, values)


@contextmanager
def _opened(database: Path, *, write: bool = False) -> Iterator[sqlite3.Connection]:
    """Open a database for one transaction; the file is never created."""
    # Not mode=ro: a journal that a killed process left could not be rolled back.
    uri = f"{database.resolve().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        # As MLflow does.
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA query_only = {'OFF' if write else 'ON'}")
        try:
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            yield connection
            connection.execute("COMMIT")
        except UnicodeDecodeError as error:
            # Of a damaged file, SQLite's message may be no text either.
            raise _damaged("database disk image is malformed") from error


def _damaged(message: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(message)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _is_known(connection: sqlite3.Connection) -> bool:
    """Whether the layout is one that is read here; an error if it is none of MLflow's."""
    tables = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master")}
    if "alembic_version" not in tables:
        # MLflow would take it for a new registry, as if there had never been a version.
        raise _damaged("the file is no registry of Basketwise")
    revisions = {row[0] for row in connection.execute("SELECT * FROM alembic_version")}
    return bool(revisions) and revisions <= KNOWN


def _rows(connection: sqlite3.Connection, query: str, group: str) -> list[sqlite3.Row]:
    rows = connection.execute(query, (group,)).fetchall()
    # Databases of MLflow before 3.10 know no workspaces.
    return [
        row
        for row in rows
        if "workspace" not in row.keys() or row["workspace"] == DEFAULT_SPACE  # noqa: SIM118
    ]
