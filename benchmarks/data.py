"""Made-up data for the benchmarks, written by a process of its own and kept while asked to."""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.measuring import measure, python

LINES_PER_BASKET = 6.4
DONE = "sample.json"
"""Written last, beside the weeks: a folder without it was left half way."""


def sample(folder: Path, *, baskets: int, weeks: int, seed: int, compress: bool) -> dict[str, int]:
    """Write a sample into ``folder`` unless it is there already.

    Returns
    -------
    dict
        ``baskets``, ``lines``, ``weeks``, ``size_bytes`` as written.
    """
    done = folder / DONE
    if not done.exists():
        options = ["--seed", str(seed), *(["--compress"] if compress else [])]
        measure(
            python(
                "benchmarks.data",
                folder,
                "--baskets",
                str(baskets),
                "--weeks",
                str(weeks),
                *options,
            )
        )
    document = json.loads(done.read_text())
    return {"weeks": len(document["files"])} | {
        name: document[name] for name in ("baskets", "lines", "size_bytes")
    }


@contextlib.contextmanager
def given_or_made(arguments: argparse.Namespace) -> Iterator[Path]:
    """Yield the folder of ``--data``, or one with a sample that goes away afterwards."""
    if arguments.data is not None:
        yield arguments.data
        return
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "raw"
        sample(data, baskets=arguments.baskets, weeks=26, seed=arguments.seed, compress=True)
        (data / DONE).unlink()
        yield data


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`given_or_made` reads."""
    parser.add_argument("--data", type=Path, help="folder of CSV files (default: made up)")
    parser.add_argument("--baskets", type=int, default=50_000, help="how many to make up")
    parser.add_argument("--seed", type=int, default=1)


def csv_files(folder: Path) -> list[Path]:
    """Return the CSV files of a folder, packed or not, by name."""
    files = sorted(path for path in folder.iterdir() if path.name.endswith((".csv", ".csv.gz")))
    if not files:
        raise SystemExit(f"{folder} holds no .csv or .csv.gz files.")
    return files


def _write() -> None:
    from basketwise.sampling import generate

    parser = argparse.ArgumentParser(description=_write.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--baskets", type=int, required=True)
    parser.add_argument("--weeks", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--compress", action="store_true")
    given = parser.parse_args()
    summary = generate(
        given.folder,
        baskets=given.baskets,
        weeks=given.weeks,
        seed=given.seed,
        compress=given.compress,
        overwrite=True,
    )
    (given.folder / DONE).write_text(json.dumps(asdict(summary), default=str))


if __name__ == "__main__":
    _write()
