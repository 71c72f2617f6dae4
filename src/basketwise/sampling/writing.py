"""Writes a made-up sample as weekly files."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
import polars as pl

from basketwise.concurrency import side_by_side
from basketwise.errors import InputError, writing
from basketwise.sampling.drawing import NOISE, WEEKS, begin_sample
from basketwise.sampling.labels import LABELS
from basketwise.sampling.weeks import fiscal_week

_GZIP_LEVEL = 4


@dataclass(frozen=True)
class SampleSummary:
    """What was written: the files in the order of their weeks, and how many of everything.

    ``customers`` are those with a card, ``products`` those on offer; weeks are fiscal, YYYYWW;
    ``labels`` are baskets per label (LA, MM, UM, XX), ``size_bytes`` those of all files together.
    """

    folder: Path
    files: tuple[Path, ...]
    baskets: int
    lines: int
    products: int
    customers: int
    shops: int
    first_week: int
    last_week: int
    labels: dict[str, int]
    size_bytes: int


def generate(
    folder: Path,
    *,
    baskets: int,
    seed: int,
    weeks: int = WEEKS,
    products: int | None = None,
    noise: float = NOISE,
    progress: Callable[[int, int], None] | None = None,
    compress: bool = True,
    overwrite: bool = False,
) -> SampleSummary:
    """Write made-up till lines as ``transactions_YYYYWW.csv.gz``, one file a week from 200607.

    One row is one product of one basket, with dunnhumby's 22 columns in dunnhumby's order. All of
    it is made up; how a basket gets its label is in :mod:`basketwise.sampling.labels`. The same
    arguments give the same files, byte for byte, with the same NumPy, Polars and zlib. One week
    a core is held in memory at a time.

    Parameters
    ----------
    folder
        Where to write; made if it does not exist.
    baskets
        How many baskets over all weeks, at least one a week. A basket has 6.4 lines on average.
    seed
        0 … 2**32 - 1.
    weeks
        1 … 520.
    products
        Products on offer, 20 … 100,000. By default one for every 33 baskets, but 60 … 5,000, so
        that each is bought often enough to learn what it says.
    noise
        Share of baskets, 0 … 0.5, whose label is not the one that the rule gives.
    progress
        Called with (weeks written, weeks in all) after each week.
    compress
        ``False`` writes ``.csv`` instead of ``.csv.gz``.
    overwrite
        Replace the files of an earlier sample. Files of other weeks are never replaced, and
        never left among the new ones: then nothing is written.

    Returns
    -------
    SampleSummary

    Raises
    ------
    InputError
        When an argument is out of its range, or the folder contains transactions files.
    WorkspaceError
        When the folder cannot be written to. Files already finished stay; none is left half
        written.
    """
    sample = begin_sample(baskets=baskets, seed=seed, weeks=weeks, products=products, noise=noise)
    ending = "csv.gz" if compress else "csv"
    files = tuple(folder / f"transactions_{fiscal_week(n)}.{ending}" for n in range(weeks))
    with writing(
        f"The sample could not be written to {folder}",
        "Give a folder that you may write to, on a disk with room "
        "(about 1 KB per basket, a tenth of that when compressed).",
    ):
        _prepare(folder, files, overwrite=overwrite)
        labels = np.zeros(len(LABELS), dtype=np.int64)
        lines = 0

        def write(number: int) -> tuple[int, tuple[int, ...]]:
            week = sample.draw(number)
            _write(week.text, files[number], compress=compress)
            return week.height, week.labels

        for done, (height, own) in enumerate(side_by_side(write, range(weeks)), start=1):
            labels += own
            lines += height
            if progress is not None:
                progress(done, weeks)
        size_bytes = sum(file.stat().st_size for file in files)
    return SampleSummary(
        folder=folder,
        files=files,
        baskets=baskets,
        lines=lines,
        products=sample.products,
        customers=sample.shops.cards,
        shops=sample.shops.shops.rows.height,
        first_week=fiscal_week(0),
        last_week=fiscal_week(weeks - 1),
        labels={name: int(count) for name, count in zip(LABELS, labels, strict=True)},
        size_bytes=size_bytes,
    )


def _prepare(folder: Path, files: tuple[Path, ...], *, overwrite: bool) -> None:
    """Make the folder, and refuse one that contains what is not ours to replace."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file.", "Give a folder for the sample.")
    folder.mkdir(parents=True, exist_ok=True)
    present = sorted(folder.glob("transactions_*"))
    if present and not overwrite:
        raise InputError(
            f"{folder} already contains {present[0].name}"
            + (f" and {len(present) - 1} more transactions files." if len(present) > 1 else "."),
            "Choose an empty folder, or pass --overwrite (overwrite=True).",
        )
    foreign = [path for path in present if path not in files]
    if foreign:
        raise InputError(
            f"{folder} contains {foreign[0].name}, which is not one of the files to be written.",
            "Old and new weeks would be mixed. Give an empty folder, or remove the file.",
        )


def _write(text: pl.DataFrame, file: Path, *, compress: bool) -> None:
    """Write one week whole or not at all."""
    part = file.with_name(f".{file.name}.part")
    try:
        with part.open("wb") as raw:
            if compress:
                # Neither name nor time may go into the header: the same sample, the same bytes.
                with gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as packed:
                    _write_csv(text, cast(IO[bytes], packed))
            else:
                _write_csv(text, raw)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _write_csv(text: pl.DataFrame, stream: IO[bytes]) -> None:
    # None of the words made up needs quotes; the commas between them are those of the file.
    text.write_csv(stream, quote_style="never")
