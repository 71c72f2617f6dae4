"""Parquet files as frames, whose values keep their types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.raw.header import Header, check_columns, standard_names
from basketwise.etl.raw.hive import added_columns, with_added
from basketwise.etl.raw.raw_frame import RawFrame, row_numbers
from basketwise.etl.raw.sources import Source

BATCH_ROWS = 3_000_000
WHOLE_BELOW = 16 * 2**20
"""Files of fewer bytes are read in one piece."""


def read_parquet(
    source: Source,
    data: DataConfig,
    *,
    labelled: bool,
    required: Sequence[str],
    own_names: bool,
    first_rows: int | None,
) -> Iterator[RawFrame]:
    """Read a Parquet file; see :func:`basketwise.etl.raw.reading.read_raw`."""
    lines = 0
    try:
        lazy = pl.scan_parquet(source.path, glob=False, n_rows=first_rows)
        given = lazy.collect_schema().names()
        header = Header(",", standard_names(given, data.own_columns))
        if header.is_calendar:
            return
        added: Mapping[str, str | None]
        if own_names:
            known = lazy
            added = {n: value for n, value in source.partitions.items() if n not in given}
        else:
            added = added_columns(source.partitions, header.names, data.own_columns)
            check_columns(
                source.name,
                (*header.names, *added),
                labelled=labelled,
                columns=data.own_columns,
                required=required,
                given=(*given, *source.partitions),
            )
            known = lazy.select(pl.col(given[i]).alias(n) for n, i in header.positions().items())
        if first_rows is not None or source.size * 4 < WHOLE_BELOW:
            frames: Iterator[pl.DataFrame] = iter([known.collect()])
        else:
            frames = known.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)
        for frame in frames:
            yield RawFrame(with_added(frame, added), row_numbers(frame.height, lines + 1))
            lines += frame.height
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise InputError(
            f"{source.name!r} cannot be read as Parquet: {str(error).splitlines()[0]}.",
            "Write the file again.",
        ) from error
