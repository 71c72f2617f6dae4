"""The first lines of raw files, every column under its own name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import polars as pl

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.lines.layout import FIRST_TABLES, KIND, spaced, whole
from basketwise.etl.raw.raw_frame import RawFrame
from basketwise.etl.raw.reading import read_raw
from basketwise.etl.raw.sources import Source
from basketwise.etl.raw.text import EncodingError
from basketwise.progress import counted
from basketwise.proposal.types import Proposal

BUDGET = 8 * 2**20
"""So many bytes of text are looked at first, over all tables."""

LEAST = 2**16
MOST_LINES = 100_000

_ENCODINGS: tuple[Literal["utf-8", "cp1252", "latin-1"], ...] = ("utf-8", "cp1252", "latin-1")


def first_lines(sources: Sequence[Source]) -> tuple[str, pl.DataFrame, str, list[str]]:
    """Read the first lines of some tables, every column under its own name.

    Returns their encoding, the lines, which these are, and the tables that were left out.
    """
    for encoding in _ENCODINGS:
        try:
            looked, complete = _looked_at(sources, DataConfig(encoding=encoding))
        except EncodingError:
            if encoding == _ENCODINGS[-1]:
                raise
            continue
        break
    frames, others = _of_one_kind(looked)
    lines = pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()
    if lines.is_empty():
        raise InputError(
            f"{sources[0].name!r} contains no lines.", "Export it again with its header and lines."
        )
    scope = f"{'all' if complete else 'the first'} {counted(lines.height, 'line')} of "
    if len(frames) < len(sources):
        scope += f"{len(frames):,} of "
    return encoding, lines, scope + counted(len(sources), "file"), others


def _of_one_kind(looked: dict[str, pl.DataFrame]) -> tuple[list[pl.DataFrame], list[str]]:
    """Leave out tables, such as one of products, that have not half of the largest's columns."""
    if not looked:
        return [], []
    columns = set(max(looked.values(), key=lambda frame: frame.height).columns)
    others = [
        name
        for name, frame in looked.items()
        if len(columns.intersection(frame.columns)) * 2 < len(columns)
    ]
    return [frame for name, frame in looked.items() if name not in others], others


def block_size(sources: Sequence[Source]) -> int:
    """Return how many bytes of each table are looked at first."""
    return max(LEAST, BUDGET // min(len(sources), FIRST_TABLES))


def _looked_at(sources: Sequence[Source], data: DataConfig) -> tuple[dict[str, pl.DataFrame], bool]:
    """Return the first lines of some tables by name, and whether these are all lines."""
    looked = spaced(sources, KIND)
    frames, complete = {}, len(looked) == len(sources)
    for source in looked:
        block, rows = block_size(sources), MOST_LINES + 1
        raws = read_raw(source, data, labelled=False, block=block, own_names=True, first_rows=rows)
        first = next(raws, None)
        if first is not None:
            frames[source.name] = first.frame.head(MOST_LINES)
            complete &= first.frame.height <= MOST_LINES and next(raws, None) is None
    return frames, complete


def own_frames(sources: Sequence[Source], proposal: Proposal) -> Iterator[RawFrame]:
    """Read all tables with the encoding that is proposed."""
    data = DataConfig(encoding=proposal.settings.get("data", {}).get("encoding", "utf-8"))
    return whole(sources, data, labelled=False, own_names=True)
