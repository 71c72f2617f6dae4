"""The embedded registry's database: made whole or not at all, read without MLflow.

``import mlflow`` takes seconds, and a list of versions is two queries. So versions are read with
the standard library wherever the database has a layout that is known to be the one read here; of
any other, MLflow itself is asked. Only MLflow writes.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from basketwise.errors import writing

DATABASE = "registry.db"

CREATE_SECONDS = 120.0
"""So long is another process waited for that creates the same database."""

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


def create(database: Path) -> None:
    """Create the database, unless it is there: whole or not at all.

    MLflow builds the tables in some fifty steps of seconds in all. Two processes that do so in one
    file break it, and so does a Ctrl-C between two steps.
    """
    if database.exists():
        return
    from filelock import FileLock

    from basketwise.registry.mlflow.calls import connect

    with writing(
        f"The registry folder {database.parent} cannot be created",
        "Choose a workspace that this user may write to.",
    ):
        database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(database.with_suffix(".lock"), timeout=CREATE_SECONDS):
        if database.exists():
            return
        # MLflow keeps the file open for good, so a copy gets the name, not the file itself.
        with TemporaryDirectory(prefix="basketwise-", ignore_cleanup_errors=True) as scratch:
            draft = Path(scratch) / database.name
            connect(f"sqlite:///{draft.as_posix()}")
            copied = Path(shutil.copyfile(draft, database.with_suffix(".new")))
            copied.replace(database)


def read_records(database: Path, group: str) -> list[Record] | None:
    """Read a group's versions from an existing SQLite file, in no order.

    None if the layout is not known, and MLflow must be asked.
    """
    with _opened(database) as connection:
        tables = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master")}
        if "alembic_version" not in tables:
            return None
        revisions = {row[0] for row in connection.execute("SELECT * FROM alembic_version")}
        if not revisions or not revisions <= KNOWN:
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


@contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for one consistent look at it; the file is never created."""
    # Not mode=ro: a journal that a killed process left could not be rolled back.
    uri = f"{database.resolve().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        yield connection


def _rows(connection: sqlite3.Connection, query: str, group: str) -> list[sqlite3.Row]:
    rows = connection.execute(query, (group,)).fetchall()
    # Databases of MLflow before 3.10 know no workspaces.
    return [
        row
        for row in rows
        if "workspace" not in row.keys() or row["workspace"] == DEFAULT_SPACE  # noqa: SIM118
    ]
