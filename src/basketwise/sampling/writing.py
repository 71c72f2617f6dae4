"""Writes a made-up sample as weekly files."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
import polars as pl

from basketwise.errors import InputError, WorkspaceError
from basketwise.sampling.catalogue import make_catalogue
from basketwise.sampling.labels import LABELS
from basketwise.sampling.shops import make_shops
from basketwise.sampling.weeks import draw_week, fiscal_week

_BASKETS_PER_PRODUCT = 33
_DEFAULT_PRODUCTS = (60, 5_000)
_LIMITS = {
    "baskets": (1, 99_999_999),
    "weeks": (1, 520),
    "products": (20, 50_000),
    "seed": (0, 2**32 - 1),
}
_MAX_NOISE = 0.5
_GZIP_LEVEL = 4


@dataclass(frozen=True)
class SampleSummary:
    """What was written.

    Attributes
    ----------
    folder
        Where the files are.
    files
        The files in the order of their weeks.
    baskets, lines, products, customers, shops
        How many of each; ``customers`` are those with a card, ``products`` those on offer.
    first_week, last_week
        YYYYWW, fiscal.
    labels
        Baskets per label (LA, MM, UM, XX).
    size_bytes
        Of all files together.
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
    weeks: int = 26,
    products: int | None = None,
    noise: float = 0.005,
    progress: Callable[[int, int], None] | None = None,
    compress: bool = True,
    overwrite: bool = False,
) -> SampleSummary:
    """Write made-up till lines as ``transactions_YYYYWW.csv.gz``, one file a week from 200607.

    One row is one product of one basket, with dunnhumby's 22 columns in dunnhumby's order. All of
    it is made up; how a basket gets its label is in :mod:`basketwise.sampling.labels`. The same
    arguments give the same files, byte for byte, with the same NumPy, Polars and zlib. Only one
    week is held in memory at a time.

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
        Products on offer, 20 … 50,000. By default one for every 33 baskets, but 60 … 5,000, so
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
        When an argument is out of its range, or the folder holds transactions files.
    WorkspaceError
        When the folder cannot be written to. Files already finished stay; none is left half
        written.
    """
    if products is None:
        products = int(np.clip(baskets // _BASKETS_PER_PRODUCT, *_DEFAULT_PRODUCTS))
    _check_arguments(baskets=baskets, weeks=weeks, products=products, seed=seed, noise=noise)
    ending = "csv.gz" if compress else "csv"
    files = tuple(folder / f"transactions_{fiscal_week(n)}.{ending}" for n in range(weeks))
    try:
        _prepare(folder, files, overwrite=overwrite)
        catalogue = make_catalogue(_generator(seed, 0), products)
        shops = make_shops(_generator(seed, 1), baskets)
        labels = np.zeros(len(LABELS), dtype=np.int64)
        lines = 0
        for number, file in enumerate(files):
            week = draw_week(
                _generator(seed, 2, number),
                number,
                baskets=baskets * (number + 1) // weeks - baskets * number // weeks,
                catalogue=catalogue,
                shops=shops,
                noise=noise,
            )
            _write(week.lines, file, compress=compress)
            labels += week.labels
            lines += week.lines.height
            if progress is not None:
                progress(number + 1, weeks)
        size_bytes = sum(file.stat().st_size for file in files)
    except OSError as error:
        raise WorkspaceError(
            f"The sample could not be written to {folder}: {error.strerror or error}",
            "Give a folder that you may write to, on a disk with room "
            "(about 1 KB per basket, a tenth of that when compressed).",
        ) from error
    return SampleSummary(
        folder=folder,
        files=files,
        baskets=baskets,
        lines=lines,
        products=products,
        customers=shops.cards,
        shops=shops.shops.height,
        first_week=fiscal_week(0),
        last_week=fiscal_week(weeks - 1),
        labels={name: int(count) for name, count in zip(LABELS, labels, strict=True)},
        size_bytes=size_bytes,
    )


def _generator(seed: int, *stream: int) -> np.random.Generator:
    """Return a stream of its own, so that a week does not depend on the weeks before it."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=stream))


def _check_arguments(*, noise: float, **numbers: int) -> None:
    for name, value in numbers.items():
        low, high = _LIMITS[name]
        if not low <= value <= high:
            raise InputError(
                f"A sample cannot have {name} = {value}.", f"Give a number from {low} to {high}."
            )
    if not 0 <= noise <= _MAX_NOISE:
        raise InputError(
            f"A sample cannot have noise = {noise}.", f"Give a share from 0 to {_MAX_NOISE}."
        )
    if numbers["baskets"] < numbers["weeks"]:
        raise InputError(
            f"{numbers['baskets']} baskets are too few for {numbers['weeks']} weeks.",
            "Give at least one basket a week, or fewer weeks.",
        )


def _prepare(folder: Path, files: tuple[Path, ...], *, overwrite: bool) -> None:
    """Make the folder, and refuse one that holds what is not ours to replace."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file.", "Give a folder for the sample.")
    folder.mkdir(parents=True, exist_ok=True)
    found = sorted(folder.glob("transactions_*"))
    if found and not overwrite:
        raise InputError(
            f"{folder} already holds {found[0].name}"
            + (f" and {len(found) - 1} more transactions files." if len(found) > 1 else "."),
            "Give an empty folder, or ask for the files to be overwritten.",
        )
    foreign = [path for path in found if path not in files]
    if foreign:
        raise InputError(
            f"{folder} holds {foreign[0].name}, which is not one of the files to be written.",
            "Old and new weeks would be mixed. Give an empty folder, or remove the file.",
        )


def _write(lines: pl.DataFrame, file: Path, *, compress: bool) -> None:
    """Write one week whole or not at all."""
    part = file.with_name(f".{file.name}.part")
    try:
        with part.open("wb") as raw:
            if compress:
                # Neither name nor time may go into the header: the same sample, the same bytes.
                with gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as packed:
                    lines.write_csv(cast(IO[bytes], packed), float_precision=2)
            else:
                lines.write_csv(raw, float_precision=2)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
