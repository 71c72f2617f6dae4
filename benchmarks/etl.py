"""Raw lines to features: Basketwise, pandas and a lower bound.

``python -m benchmarks.etl [--data DIR]`` measures, each as a process of its own,

- the fourteen ``basket`` features in pandas with one Python function per column,
- the same with pandas' built-in aggregations,
- the same in hand-written Polars that trusts its input: the lower bound,
- ``basketwise etl``, which does more: it checks every line, keeps a silver layer, learns the
  product index out of fold, parts training from test and writes all features.

The fourteen columns of all of them are compared before a figure is printed.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.data import add_data_options, given_or_made
from benchmarks.measuring import (
    CommandFailedError,
    basketwise,
    machine,
    measure,
    python,
    table,
    warm_up,
)

_SCRIPTS = {
    "pandas, a Python function per column": "benchmarks.naive",
    "pandas, built-in aggregations": "benchmarks.builtin",
    "hand-written Polars (lower bound)": "benchmarks.floor",
}
_OURS = "`basketwise etl`"


def compare(data: Path, *, settings: list[str], repeats: int) -> str:
    """Measure all of them on one folder and return the Markdown table."""
    warm_up(data)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace"
        measured = {
            _OURS: measure(
                basketwise("etl", "--data", data, "--workspace", workspace, settings=settings),
                repeats=repeats,
                fresh=workspace,
            )
        }
        for name, module in _SCRIPTS.items():
            out = Path(folder) / f"{module}.parquet"
            measured[name] = measure(python(module, "--data", data, "--out", out), repeats=repeats)
            measure(python("benchmarks.agree", workspace / "gold", out))
    ours = measured[_OURS]
    return table(
        ("raw lines to features", "wall s", "CPU s", "peak MB", "× our time", "× our memory"),
        [
            (
                name,
                f"{run.wall:.1f}",
                f"{run.cpu:.1f}",
                f"{run.peak_mb:.0f}",
                f"{run.wall / ours.wall:.2f}",
                f"{run.peak_mb / ours.peak_mb:.2f}",
            )
            for name, run in measured.items()
        ],
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every benchmark that starts ``basketwise``."""
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="SECTION.KEY=VALUE"
    )
    parser.add_argument("--repeats", type=int, default=1, help="the quickest run counts")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_data_options(parser)
    add_options(parser)
    given = parser.parse_args()
    with given_or_made(given) as data:
        print(compare(data, settings=given.settings, repeats=given.repeats))
    print(f"\n{machine()}")


if __name__ == "__main__":
    try:
        main()
    except CommandFailedError as error:
        raise SystemExit(str(error)) from None
