"""Counts of a task, and what the driver adds up of them."""

from __future__ import annotations

import json

import polars as pl
import pytest

from basketwise.engines.spark.reading import Piece
from basketwise.engines.spark.tally import Tally, cleaned, shown
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw.raw_frame import RawFrame, row_numbers

RULES = Rules(duplicates="auto", labelled=False)


def tally_of(*lines: tuple[str, str]) -> Tally:
    """Count lines of a basket's id and a quantity, in a piece of their own."""
    columns = {
        "BASKET_ID": [basket for basket, _ in lines],
        "PROD_CODE": "A",
        "SPEND": "1.5",
        "QUANTITY": [quantity for _, quantity in lines],
    }
    raw = RawFrame(pl.DataFrame(columns), row_numbers(len(lines)))
    piece, tally = Piece(0, 0, "000000/a.csv", raw), Tally()
    tally.take(piece, cleaned(piece, RULES))
    return tally


def test_what_tasks_count_is_added_up() -> None:
    total = Tally()
    for part in (tally_of(("1", "1"), ("2", "0")), tally_of(("3", "1"), ("4", "0"), ("5", "x"))):
        total.add(json.loads(json.dumps(part.document())))
    assert total.lines == 5
    assert total.rejected == {"quantity_not_positive": 2, "quantity_not_a_number": 1}
    assert (total.pieces, total.whole_ids) == (True, True)


@pytest.mark.parametrize(
    ("other", "pieces", "whole_ids"),
    [(("2", "1"), True, True), (("2", "3"), False, True), (("B", "1"), True, False)],
)
def test_one_task_decides_for_all(other: tuple[str, str], pieces: bool, whole_ids: bool) -> None:
    total = Tally()
    for part in (tally_of(("1", "1")), tally_of(other)):
        total.add(part.document())
    assert (total.pieces, total.whole_ids) == (pieces, whole_ids)
    assert total.settled(RULES).duplicates == ("pieces" if pieces else "reject")


def test_a_table_is_shown_without_the_number_of_its_file() -> None:
    assert (shown("000003/week/a.csv"), shown("shop.lines")) == ("week/a.csv", "shop.lines")
