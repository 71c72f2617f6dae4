"""What an evaluation on this machine takes, as the lines grow: bytes that it reads, time, memory.

``aws.evaluate = "auto"`` weighs these against the start of a job: on SageMaker, gold, and silver
where a champion has to be scored, are downloaded before.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.data import LINES_PER_BASKET
from benchmarks.etl import add_options
from benchmarks.measuring import basketwise, machine, measure, table

_MB = 1_000_000
_MBIT = 125_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", default="640000,2560000,10240000", help="about, each")
    parser.add_argument("--models", default="xgboost", help="the candidate that is trained")
    parser.add_argument("--mbit", type=float, default=50, help="per second, of the download")
    parser.add_argument("--seed", type=int, default=1)
    add_options(parser)
    given = parser.parse_args()
    header = ("lines", "silver MB", "gold MB", "download s", "wall s", "CPU s", "peak MB")
    rows = [
        row
        for lines in map(int, given.lines.split(","))
        for row in _rows(lines, given.models, given.seed, given.mbit, given.settings)
    ]
    print(table(header, rows))
    print(f"\nDownload: computed, at {given.mbit:g} Mbit/s. {machine()}")


def _rows(
    lines: int, models: str, seed: int, mbit: float, settings: Sequence[str]
) -> Iterator[Sequence[object]]:
    with tempfile.TemporaryDirectory() as temporary:
        raw, workspace = Path(temporary) / "raw", Path(temporary) / "workspace"
        baskets = round(lines / LINES_PER_BASKET)
        measure(basketwise("sample", "--out", raw, "--baskets", str(baskets), "--seed", str(seed)))
        place = ("--workspace", workspace)
        # The first model becomes the champion, which the second one is compared with.
        run = ("--data", raw, "--models", models, *place)
        measure(basketwise("run", *run, settings=settings))
        other = [*settings, "training.random_state=7"]
        measure(basketwise("train", "--models", models, *place, settings=other))
        evaluated = measure(basketwise("evaluate", "--force", *place, settings=other))
        made = json.loads((workspace / "gold" / "metadata.json").read_text())
        silver, gold = (_bytes(workspace / name) for name in ("silver", "gold"))
    yield (
        f"{made['lines']['accepted']:,}",
        f"{silver / _MB:,.0f}",
        f"{gold / _MB:,.0f}",
        f"{(silver + gold) / (mbit * _MBIT):,.0f}",
        f"{evaluated.wall:.1f}",
        f"{evaluated.cpu:.1f}",
        f"{evaluated.peak_mb:,.0f}",
    )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
