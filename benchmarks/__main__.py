"""``python -m benchmarks [--data DIR]``: features and the whole run, on the same data."""

from __future__ import annotations

import argparse

from benchmarks.data import add_data_options, given_or_made
from benchmarks.etl import add_options, compare
from benchmarks.measuring import CommandFailedError, machine
from benchmarks.run import whole_run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add_data_options(parser)
    add_options(parser)
    given = parser.parse_args()
    with given_or_made(given) as data:
        print(compare(data, settings=given.settings, repeats=given.repeats), end="\n\n")
        print(whole_run(data, settings=given.settings, repeats=given.repeats), end="\n\n")
    print(machine())


if __name__ == "__main__":
    try:
        main()
    except CommandFailedError as error:
        raise SystemExit(str(error)) from None
