from __future__ import annotations

import time

import pytest

from basketwise.features.code_formats import describe_codes, find_difference

NUMBERS = [str(number) for number in range(900_050, 900_350)]
PADDED = [f"{number:08d}" for number in range(50, 350)]
LETTERED = [f"PRD0{number}" for number in NUMBERS]


@pytest.mark.parametrize(
    ("codes", "known", "expected"),
    [
        ([f"{code}.0" for code in NUMBERS], NUMBERS, "the data has '.0' appended"),
        (NUMBERS, [f"{code}.0" for code in NUMBERS], "the model has '.0' appended"),
        ([code.lstrip("0") for code in PADDED], PADDED, "the data has lost leading zeros"),
        ([f"00{code}" for code in NUMBERS], NUMBERS, "the data has more leading zeros"),
        ([code.lower() for code in LETTERED], LETTERED, "upper and lower case differ"),
        ([f"{c[:3]} {c[3:]}" for c in NUMBERS], NUMBERS, "blanks or punctuation differ"),
        ([f"{c[:3]}-{c[3:]}" for c in LETTERED], LETTERED, "blanks or punctuation differ"),
        ([f"SKU-{code}" for code in NUMBERS], NUMBERS, "the data has the prefix 'SKU-'"),
        (NUMBERS, [f"SKU{code}" for code in NUMBERS], "the data lacks the prefix 'SKU'"),
        ([f"77{code}" for code in NUMBERS], NUMBERS, "the data has the prefix '77'"),
        ([f"X{c}" for c in NUMBERS], [f"Y{c}" for c in NUMBERS], "prefix 'X', the model 'Y'"),
        (
            [f"{code.lstrip('0')}.0" for code in PADDED],
            PADDED,
            "the data has '.0' appended and the data has lost leading zeros",
        ),
    ],
)
def test_a_difference_of_form_is_named_with_a_pair_of_examples(
    codes: list[str], known: list[str], expected: str
) -> None:
    difference = find_difference(codes, known)
    assert difference is not None
    assert expected in str(difference)
    assert repr(codes[0]) in str(difference)
    assert repr(known[0]) in str(difference)


def test_few_codes_do_not_make_a_difference() -> None:
    codes = [f"{code}.0" for code in NUMBERS[:40]] + [f"other-{n}x" for n in range(60)]
    assert find_difference(codes, NUMBERS) is None


@pytest.mark.parametrize(
    ("codes", "known"),
    [
        (["MILK", "BREAD", "EGGS"], ["TEA", "JAM", "OATS"]),
        (["0"], ["1"]),
        (["-"], ["+"]),
        ([""], ["PRD"]),
        ([], NUMBERS),
        (NUMBERS, []),
    ],
)
def test_other_products_are_other_products(codes: list[str], known: list[str]) -> None:
    assert find_difference(codes, known) is None


def test_without_a_difference_examples_of_both_are_shown() -> None:
    text = describe_codes(["MILK", "BREAD", "EGGS", "SALT"], ["TEA", "JAM"])
    assert text == (
        "PROD_CODE in the data looks like 'MILK', 'BREAD', 'EGGS'; the model knows 'TEA', 'JAM'."
    )


@pytest.mark.no_cover
def test_a_large_catalogue_is_compared_in_bearable_time() -> None:
    known = [f"ARTICLE{number:09d}" for number in range(8_000)]
    started = time.process_time()
    assert find_difference([f"Q{number}Z" for number in range(300)], known) is None
    assert time.process_time() - started < 10
