"""The table: ``python -m benchmarks.rules FOLDER [--complete-journey FOLDER] [--rows a,c1]``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.measuring import CommandFailedError, machine, table
from benchmarks.rules import __doc__ as description
from benchmarks.rules.lines import Source, UnusableDataError
from benchmarks.rules.peers import PEERS
from benchmarks.rules.product import Scores, run, truth
from benchmarks.rules.rows import Row, rows_of
from benchmarks.rules.split import split

OURS = ("accuracy", "macro-F1", "log loss", "ECE", "CV accuracy", "winner")
HEADER = ("row", "data", "test baskets", *OURS, *PEERS)

NOT_ASKED = "–"
NOT_AVAILABLE = "not available"


def measured(
    row: Row, source: Source, *, peers: bool, product: bool, models: str = ""
) -> Iterator[str]:
    """Make a data set, and yield the row's cells from the number of test baskets on.

    Raises
    ------
    UnusableDataError
        If the files do not contain what the row needs.
    CommandFailedError
        If ``basketwise run`` fails.
    """
    if not row.available:
        yield from [NOT_AVAILABLE] * len(HEADER[2:])
        return
    made = row.make(source)
    train, test = split(made)
    yield f"{test.y.size:,}"
    if product:
        chosen = [f"training.models={models}"] if models else []
        scored = run(made, [*row.settings, *chosen])
        assert scored.ids.equals(test.ids), "Basketwise has another test set"
        yield from _cells(scored)
    else:
        yield from [NOT_ASKED] * len(OURS)
    true = test.y if made.clean is None else truth(test.ids, made.clean)
    for peer in PEERS.values():
        with threadpool_limits(1):
            yield f"{np.mean(peer(train, test) == true):.4f}" if peers else NOT_ASKED


def _cells(scored: Scores) -> list[str]:
    values = (scored.accuracy, scored.macro_f1, scored.log_loss, scored.ece, scored.cv_accuracy)
    return [*(f"{value:.4f}" for value in values), scored.winner]


def chosen_rows(text: str, rows: dict[str, Row]) -> dict[str, Row]:
    """Return the rows that are named in a comma-separated list; all of them if it is empty."""
    names = [name for name in text.split(",") if name] or list(rows)
    unknown = [name for name in names if name not in rows]
    if unknown:
        raise UnusableDataError(
            f"{unknown[0]!r} is not a row; there are {', '.join(rows)}, and with "
            "--complete-journey also journey."
        )
    return {name: rows[name] for name in names}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rules",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="the weekly LGSR files")
    parser.add_argument(
        "--complete-journey", type=Path, help="folder of its transactions.parquet, products.parquet"
    )
    parser.add_argument("--rows", default="", help="only these, comma-separated")
    parser.add_argument("--models", default="", help="only these candidates, comma-separated")
    parser.add_argument("--only", choices=("basketwise", "peers"), help="leave the others out")
    given = parser.parse_args(arguments)
    rows = chosen_rows(given.rows, rows_of(given.complete_journey))
    source = Source(given.folder)
    print(table(HEADER, []), flush=True)
    for name, row in rows.items():
        cells = measured(
            row,
            source,
            peers=given.only != "basketwise",
            product=given.only != "peers",
            models=given.models,
        )
        # One line at a time: all rows take an hour.
        print(f"| `{name}` | {' | '.join((row.title, *cells))} |", flush=True)
    print(f"\n{machine()}")


if __name__ == "__main__":
    try:
        main()
    except (CommandFailedError, UnusableDataError) as error:
        raise SystemExit(str(error)) from None
