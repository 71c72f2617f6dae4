"""Batch scoring: raw files in, one row per basket out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import polars as pl

from basketwise.config import Config
from basketwise.errors import ConfigError, WorkspaceError
from basketwise.schema import CLASSES
from basketwise.serving.scorer import PREDICTED, Scorer
from basketwise.silver.chunks import read_chunks, weeks
from basketwise.silver.intake import Rules, Tick, build_silver
from basketwise.silver.sources import discover

FORMATS = (".csv", ".parquet")


@dataclass(frozen=True)
class BatchResult:
    """What was scored.

    Attributes
    ----------
    out
        The file written.
    baskets
        Rows in it.
    predicted
        Baskets by predicted class.
    lines, rejected
        Lines read; of them refused, by reason. A basket of refused lines alone has no row.
    """

    out: Path
    baskets: int
    predicted: dict[str, int]
    lines: int
    rejected: dict[str, int]


def predict(data: str, out: Path, scorer: Scorer, config: Config, tick: Tick) -> BatchResult:
    """Score raw files.

    Parameters
    ----------
    data : str
        A file, folder or glob; the label column is not needed, and not looked at.
    out : Path
        ``.csv`` or ``.parquet``; written whole or not at all. One row per basket: ``basket_id``
        letter by letter as in the input, ``predicted_sensitivity``, ``p_low``, ``p_medium``,
        ``p_high``.
    scorer : Scorer
        The model.
    config : Config
        How files are read.
    tick : callable
        Told of progress.

    Raises
    ------
    InputError
        If the data cannot be used.
    ConfigError
        If ``out`` is of another format.
    WorkspaceError
        If it cannot be written.
    """
    if out.suffix.lower() not in FORMATS:
        raise ConfigError(
            f"--out {str(out)!r} ends in {out.suffix or 'nothing'!r}.",
            f"Give a file ending in {' or '.join(FORMATS)}.",
        )
    rules = Rules(
        config.data.labels,
        labelled=False,
        encoding=config.data.encoding,
        keep_duplicates=config.etl.duplicates == "keep",
    )
    sources = discover(data)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".basketwise-", dir=out.parent) as folder:
            silver, scratch, scored = (Path(folder) / n for n in ("silver", "scratch", "scored"))
            for path in (silver, scratch, scored):
                path.mkdir()
            intake, _ = build_silver(sources, silver, scratch, rules, tick)
            predicted = _score(scorer, silver, scored, tick)
            finished = Path(folder) / f"{uuid4().hex}{out.suffix}"
            _write(scored, finished)
            finished.replace(out)
    except OSError as error:
        raise WorkspaceError(
            f"{str(out)!r} cannot be written: {error.strerror or error}.",
            "Free some space, mend the permissions, or choose another --out.",
        ) from error
    return BatchResult(
        out, sum(predicted.values()), predicted, intake.lines, dict(sorted(intake.rejected.items()))
    )


def _score(scorer: Scorer, silver: Path, scored: Path, tick: Tick) -> dict[str, int]:
    counts = dict.fromkeys(CLASSES, 0)
    total, done = len(weeks(silver)), 0
    for chunk in read_chunks(silver):
        table = scorer.score(chunk.lines)
        table.write_parquet(scored / f"{chunk.weeks[0]:06d}.parquet")
        for label, number in table[PREDICTED].value_counts().iter_rows():
            counts[label] += number
        done += len(chunk.weeks)
        tick("scoring", done, total)
    return counts


def _write(scored: Path, out: Path) -> None:
    lazy = pl.scan_parquet(scored / "*.parquet")
    if out.suffix.lower() == ".csv":
        lazy.sink_csv(out)
    else:
        lazy.sink_parquet(out)
