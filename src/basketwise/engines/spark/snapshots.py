"""Tables of a catalogue, and the snapshot that all passes over one read.

Delta numbers the versions of a table, Iceberg gives its snapshots ids. Both are asked for in plain
SQL, which classic sessions and Spark Connect have alike. Sail reads old snapshots, but cannot be
asked for the latest: there, it is looked up where the formats store it.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from basketwise.engines.spark.reading import unreadable
from basketwise.etl.raw.table_name import TableName

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DESCRIPTION = "DESCRIBE TABLE EXTENDED {table}"
HISTORY = "DESCRIBE HISTORY {table} LIMIT 1"
MAIN_BRANCH = "SELECT snapshot_id FROM {table}.refs WHERE name = 'main'"
AT_SNAPSHOT = "SELECT * FROM {table} VERSION AS OF {snapshot}"

DETAILS = "# Detailed Table Information"
"""The row of ``DESCRIBE TABLE EXTENDED`` after which columns are no longer those of the table."""

_COMMIT = re.compile(r"(?:.*/)?(\d{20})\.(?:json|checkpoint\..+)")
_METADATA = re.compile(r"(?:^|[\[, ])metadata_location=([^,\]]+)")


def pinned(session: SparkSession, table: TableName) -> TableName:
    """Name the snapshot that a table has now.

    Parameters
    ----------
    session : SparkSession
        Whose catalogue has the table.
    table : TableName
        The table; a snapshot that it names stays.

    Returns
    -------
    TableName
        Without a snapshot if the table is of another format than Delta and Iceberg, if it is a
        view, or if the catalogue does not tell.
    """
    from pyspark.errors import PySparkException

    if table.snapshot is not None:
        return table
    try:
        details = _details(session, table)
        find = {"delta": _delta, "iceberg": _iceberg}.get(details.get("Provider", "").lower())
        snapshot = find(session, table, details) if find else None
    except PySparkException:
        # Also a table that is not there: reading it says so.
        snapshot = None
    return replace(table, snapshot=snapshot)


def open_table(session: SparkSession, table: TableName) -> DataFrame:
    """Open a table, at its snapshot if it names one.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        if table.snapshot is None:
            frame = session.table(table.quoted)
        else:
            query = AT_SNAPSHOT.format(table=table.quoted, snapshot=int(table.snapshot))
            frame = session.sql(query)
        _ = frame.dtypes
    except Exception as error:
        raise unreadable(str(table), error) from error
    return frame


def _details(session: SparkSession, table: TableName) -> dict[str, str]:
    rows = session.sql(DESCRIPTION.format(table=table.quoted)).collect()
    names = [row[0] for row in rows]
    start = names.index(DETAILS) + 1 if DETAILS in names else len(names)
    return {row[0]: row[1] or "" for row in rows[start:]}


def _delta(session: SparkSession, table: TableName, details: dict[str, str]) -> str | None:
    from pyspark.errors import IllegalArgumentException, ParseException

    try:
        rows = session.sql(HISTORY.format(table=table.quoted)).collect()
    except (ParseException, IllegalArgumentException):
        # Sail has no such statement. Any other error is the table's: a catalogue may store commits
        # elsewhere, and the log would be behind.
        return _latest_commit(session, details.get("Location", ""))
    return str(rows[0]["version"]) if rows else None


def _latest_commit(session: SparkSession, location: str) -> str | None:
    """Return the latest version in a Delta table's log, by the names of its files."""
    files = session.read.format("binaryFile").load(f"{location}/_delta_log").select("path")
    commits = (_COMMIT.fullmatch(row[0]) for row in files.collect())
    versions = [int(commit[1]) for commit in commits if commit]
    return str(max(versions)) if versions else None


def _iceberg(session: SparkSession, table: TableName, details: dict[str, str]) -> str | None:
    from pyspark.errors import PySparkException

    try:
        rows = session.sql(MAIN_BRANCH.format(table=table.quoted)).collect()
    except PySparkException:
        # Sail has no tables of metadata, but names the file that is current.
        return _current_snapshot(session, details.get("Table Properties", ""))
    return str(rows[0][0]) if rows else None


def _current_snapshot(session: SparkSession, properties: str) -> str | None:
    """Return the snapshot in the metadata file that a table's properties name."""
    location = _METADATA.search(properties)
    if not location:
        return None
    rows = session.read.option("wholetext", True).text(location[1]).collect()
    try:
        snapshot = json.loads(rows[0][0]).get("current-snapshot-id")
    except (ValueError, IndexError):
        # It may be compressed.
        return None
    # An empty table has -1, or none.
    return str(snapshot) if snapshot and snapshot > 0 else None
