"""The fourteen features in pandas, one Python function per column: the reference of the tests."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.data import csv_files


def main() -> None:
    from tests.oracle import read_raw, reference

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    table = reference(read_raw(csv_files(given.data)))
    table.astype({"basket_id": "int64"}).to_parquet(given.out)


if __name__ == "__main__":
    main()
