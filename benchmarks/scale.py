"""``basketwise etl`` on N and on ten times N lines.

``python -m benchmarks.scale --cache DIR`` makes both samples once and keeps them there.

Both have the same number of weeks, so a week of the larger sample has ten times the lines. Weeks
are what Basketwise holds in memory one at a time: with the files as many, the growth of the peak
memory shows what a larger week costs, and a time ratio other than 10 shows what does not depend on
the lines (below) or grows faster than they do (above). With ``--weeks 52
--large-weeks 520`` the weeks stay as they are and only become more: then memory should hardly grow.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.data import LINES_PER_BASKET, csv_files, sample
from benchmarks.etl import add_options
from benchmarks.measuring import (
    CommandFailedError,
    Measured,
    basketwise,
    machine,
    measure,
    python,
    table,
    warm_up,
)

_FACTOR = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where the samples are kept")
    parser.add_argument("--lines", type=int, default=3_400_000, help="of the smaller sample, about")
    parser.add_argument("--weeks", type=int, default=117)
    parser.add_argument("--large-weeks", type=int, help="of the larger sample (default: --weeks)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compress", action="store_true", help="read .csv.gz instead of .csv")
    add_options(parser)
    given = parser.parse_args()

    measured: list[Measured] = []
    rows: list[tuple[object, ...]] = []
    weeks = (given.weeks, given.large_weeks or given.weeks)
    for lines, count in zip((given.lines, given.lines * _FACTOR), weeks, strict=True):
        data, made = _sample(given, lines, count)
        run = _etl(data, given.settings, given.repeats)
        measured.append(run)
        rows.append(_row("`basketwise etl`", made, run))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "floor.parquet"
        floor = measure(
            python("benchmarks.floor", "--data", data, "--out", out), repeats=given.repeats
        )
    rows.append(_row("hand-written Polars (lower bound)", made, floor))

    header = ("", "lines", "weeks", "CSV MB", "wall s", "CPU s", "lines/s", "peak MB")
    print(table(header, rows))
    small, large = measured
    print(
        f"\nTen times the lines: {large.wall / small.wall:.1f} times the time, "
        f"{large.peak_mb / small.peak_mb:.1f} times the memory; "
        f"{large.wall / floor.wall:.1f} times the lower bound.\n\n{machine()}"
    )


def _sample(given: argparse.Namespace, lines: int, weeks: int) -> tuple[Path, dict[str, int]]:
    ending = "csv.gz" if given.compress else "csv"
    folder = given.cache / f"{lines}-lines-{weeks}-weeks-seed-{given.seed}-{ending}"
    made = sample(
        folder,
        baskets=round(lines / LINES_PER_BASKET),
        weeks=weeks,
        seed=given.seed,
        compress=given.compress,
    )
    csv_files(folder)
    return folder, made


def _etl(data: Path, settings: list[str], repeats: int) -> Measured:
    warm_up(data)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace"
        command = basketwise("etl", "--data", data, "--workspace", workspace, settings=settings)
        return measure(command, repeats=repeats, fresh=workspace)


def _row(name: str, made: dict[str, int], run: Measured) -> tuple[object, ...]:
    return (
        name,
        f"{made['lines']:,}",
        made["weeks"],
        f"{made['size_bytes'] / 1e6:,.0f}",
        f"{run.wall:.1f}",
        f"{run.cpu:.1f}",
        f"{made['lines'] / run.wall:,.0f}",
        f"{run.peak_mb:,.0f}",
    )


if __name__ == "__main__":
    try:
        main()
    except CommandFailedError as error:
        raise SystemExit(str(error)) from None
