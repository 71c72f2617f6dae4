from __future__ import annotations

import polars as pl

from basketwise.etl.lines.missing import is_missing, without_missing

WORDS = ("NULL", "N/A")
VALUES = pl.Series("code", ["A", " B ", "", "  ", None, "null", "Null ", "n/a", "NULLS", "N"])


def test_nothing_blanks_and_words_in_any_case_are_missing() -> None:
    assert is_missing(VALUES, WORDS).to_list() == [False, False, *[True] * 6, False, False]


def test_without_words_only_nothing_and_blanks_are() -> None:
    assert is_missing(VALUES, ()).to_list() == [False, False, True, True, True, *[False] * 5]


def test_the_other_values_are_stripped() -> None:
    present = without_missing(VALUES, WORDS).drop_nulls()
    assert (present.name, present.to_list()) == ("code", ["A", "B", "NULLS", "N"])
