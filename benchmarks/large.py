"""``basketwise etl`` on hundreds of millions of lines.

``python -m benchmarks.large --cache DIR`` makes 117 weeks of some 2.6 million lines once, as
Parquet files, and keeps them there. What is measured is one run, with the room on the disk that
its silver and gold layers take.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.data import DONE, LINES_PER_BASKET
from benchmarks.etl import add_options
from benchmarks.measuring import basketwise, machine, measure, python, table

_MB = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where the sample is kept")
    parser.add_argument("--lines", type=int, default=300_000_000, help="about")
    parser.add_argument("--weeks", type=int, default=117)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--make", action="store_true", help="make the sample, and nothing else")
    add_options(parser)
    given = parser.parse_args()
    folder = given.cache / f"{given.lines}-lines-{given.weeks}-weeks-seed-{given.seed}-parquet"
    if given.make:
        _make(folder, round(given.lines / LINES_PER_BASKET), given.weeks, given.seed)
        return
    if not (folder / DONE).exists():
        # In a process of its own: a child's peak memory starts at what its parent holds.
        measure([*python("benchmarks.large", *sys.argv[1:]), "--make"])
    made = json.loads((folder / DONE).read_text())
    with tempfile.TemporaryDirectory(dir=given.cache) as temporary:
        workspace = Path(temporary) / "workspace"
        files = str(folder / "*.parquet")
        run = measure(
            basketwise("etl", "--data", files, "--workspace", workspace, settings=given.settings)
        )
        silver, gold = (_megabytes(workspace / name) for name in ("silver", "gold"))
    header = ("lines", "weeks", "raw MB", "wall s", "CPU s", "lines/s", "peak MB")
    row = (
        f"{made['lines']:,}",
        given.weeks,
        f"{_megabytes(folder):,.0f}",
        f"{run.wall:.1f}",
        f"{run.cpu:.1f}",
        f"{made['lines'] / run.wall:,.0f}",
        f"{run.peak_mb:,.0f}",
        f"{silver:,.0f}",
        f"{gold:,.0f}",
    )
    print(table((*header, "silver MB", "gold MB"), [row]))
    print(f"\n{machine()}")


def _make(folder: Path, baskets: int, weeks: int, seed: int) -> None:
    """Write a file a week."""
    from basketwise.concurrency import side_by_side
    from basketwise.sampling.drawing import NOISE, begin_sample
    from basketwise.sampling.weeks import fiscal_week

    folder.mkdir(parents=True, exist_ok=True)
    sample = begin_sample(baskets=baskets, seed=seed, weeks=weeks, products=None, noise=NOISE)

    def write(number: int) -> int:
        lines = sample.draw(number).lines
        lines.write_parquet(folder / f"transactions_{fiscal_week(number)}.parquet")
        return lines.height

    lines = sum(side_by_side(write, range(weeks)))
    (folder / DONE).write_text(json.dumps({"lines": lines}))


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / _MB


if __name__ == "__main__":
    main()
