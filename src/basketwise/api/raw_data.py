"""Raw lines as people hand them over in Python: paths, or a table in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeGuard

import polars as pl

from basketwise.config import OwnColumns
from basketwise.disk import write_parquet
from basketwise.errors import InputError
from basketwise.etl.raw.header import standard_names
from basketwise.schema import READ_NAMES
from basketwise.scratch import scratch
from basketwise.tables import SPARK_FRAME, frame_source, is_spark_frame, read_table

PathLike = str | os.PathLike[str]


@contextmanager
def as_path(data: Any, columns: OwnColumns) -> Iterator[tuple[str, str]]:
    """Yield the path and the name of raw lines; a table is written to a temporary file.

    A Spark frame has neither: its name stands for both. ``columns`` are a retailer's own names by
    ours: objects of Python, which no file can hold, are left out where they are not read.

    Raises
    ------
    InputError
        If there is no such file, two have one name, or a table cannot be used.
    """
    if isinstance(data, str | os.PathLike):
        yield os.fspath(data), os.fspath(data)
        return
    if is_spark_frame(data):
        yield SPARK_FRAME, SPARK_FRAME
        return
    with scratch() as folder:
        if _are_paths(data):
            yield str(folder), _link(data, folder)
            return
        table = _without_objects(read_table(data), columns)
        try:
            write_parquet(table, folder / "table.parquet")
        except pl.exceptions.PolarsError as error:
            raise InputError(
                f"The table cannot be used: {error}.", "Each column needs text, numbers or dates."
            ) from error
        yield str(folder), frame_source(table.height)


def _without_objects(table: pl.DataFrame, columns: OwnColumns) -> pl.DataFrame:
    names = standard_names(table.columns, columns)
    objects = [own for own, dtype in table.schema.items() if dtype == pl.Object]
    needed = [own for own, ours in zip(table.columns, names, strict=True) if ours in READ_NAMES]
    for own in objects:
        if own in needed:
            raise InputError(
                f"The table has the column {own} as objects of Python.",
                "Each line needs one text, number or date there.",
            )
    return table.drop(objects)


def _are_paths(data: Any) -> TypeGuard[Sequence[PathLike]]:
    return (
        isinstance(data, list | tuple)
        and bool(data)
        and all(isinstance(item, str | os.PathLike) for item in data)
    )


def _link(paths: Sequence[PathLike], folder: Path) -> str:
    """Link the files into one folder, under their own names."""
    for item in paths:
        path = Path(item).expanduser().absolute()
        link = folder / path.name
        if link.is_symlink():
            raise InputError(f"Two files are called {path.name!r}.", "Rename one of them.")
        if not path.is_file():
            raise InputError(f"There is no file {os.fspath(item)!r}.", "Give files in the list.")
        link.symlink_to(path)
    return ", ".join(os.fspath(item) for item in paths)
