"""What is begun before a command knows what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from basketwise.etl.raw.amount import many_below
from basketwise.processes import started_ahead

READER = "basketwise.etl.silver.table_reader"
"""What a process that reads needs."""


@contextmanager
def readers_ahead(data: str, workspace: str, *, engine: str, force: bool) -> Iterator[None]:
    """Start processes that will read raw files, while this one loads what it needs itself.

    None is started if there is little to read, or something to keep: what is valid still is not
    made again.
    """
    made = Path(workspace, "silver").exists()
    if engine != "local" or (made and not force) or not many_below(data):
        yield
        return
    with started_ahead(READER):
        yield
