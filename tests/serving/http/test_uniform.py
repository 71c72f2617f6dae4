"""Many lines read at once are what they are when they are read one by one."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import basketwise as bw
from basketwise.errors import InputError
from basketwise.etl.lines.cleaning import clean, settle
from basketwise.etl.lines.layout import settle_frame
from basketwise.etl.lines.numbers import Mark
from basketwise.etl.lines.rules import Rules
from basketwise.schema import BASKET_ID, QUANTITY, REASON, ROW, SHOP_DATE, SPEND
from basketwise.serving.http import baskets
from basketwise.serving.http.baskets import Request, Table, read_request, table_of
from basketwise.serving.http.lines import names_of
from basketwise.serving.http.media_types import JSON, JSON_LINES
from basketwise.serving.http.uniform import Uniform, read_uniform

LINE: dict[str, Any] = {"PROD_CODE": "PRD1", "spend": 1.5, "QUANTITY": 1, "FOO": "bar"}
NAMES = names_of({})
MARKS: tuple[Mark, ...] = ("", ",")

texts = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ['"', "\\", "1", "", " a", "a ", "a\t", "NA", "\xa0a"]
)
numbers = st.integers(-3, 9_999) | st.floats(-9, 1e6) | st.sampled_from([2.0, 1e-7])
odd: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 7, 2.5, 1e22, 2**54, "a:b", [1], {"a": 1}]
)
columns: dict[str, st.SearchStrategy[Any]] = {
    "PROD_CODE": texts | st.none(),
    "spend": numbers,
    "QUANTITY": st.integers(-1, 3),
    "CUST_CODE": st.none() | texts,
    "SHOP_HOUR": st.integers(0, 24),
    "FOO": texts,
}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Baskets of mostly uniform lines, in which something may be odd."""
    chosen = draw(st.lists(st.sampled_from(sorted(columns)), unique=True, min_size=1))
    heights = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    line = st.fixed_dictionaries({name: columns[name] for name in chosen})
    as_number = draw(st.booleans())
    made = []
    for number, height in enumerate(heights):
        key: Any = number + 1 if as_number else f"b{number}"
        made.append({"basket_id": key, "lines": [draw(line) for _ in range(height)]})
    if draw(st.booleans()):
        basket = draw(st.sampled_from(made))
        where = draw(st.sampled_from(["line", "basket", "value", "column", "id"]))
        own = draw(st.sampled_from(basket["lines"]))
        if where == "line":
            basket["lines"].append(draw(odd))
        elif where == "basket":
            made.append(draw(odd))
        elif where == "value":
            own[draw(st.sampled_from(sorted(own)))] = draw(odd)
        elif where == "column":
            own[draw(st.sampled_from(["Spend", "store_code", BASKET_ID, "BAR"]))] = draw(odd)
            own.pop(draw(st.sampled_from(sorted(own))))
        else:
            basket["basket_id"] = draw(odd)
    return {"baskets": made}


def uniform(*items: dict[str, Any]) -> Uniform | None:
    return read_uniform(json.dumps({"baskets": items}).encode(), NAMES)


def basket(*lines: dict[str, Any], key: object = "1") -> dict[str, Any]:
    return {"basket_id": key, "lines": list(lines)}


def cleaned(request: Request, usual: Mark = "") -> tuple[pl.DataFrame, pl.DataFrame]:
    own = request.lines
    table = own if isinstance(own, Table) else Table(table_of(own))
    rules = settle_frame(table.frame, Rules(usual_decimal=usual))
    made = settle(clean(table.frame, rules, source="body", blanks=table.blanks), rules)
    return made.lines, made.rejected.select(ROW, BASKET_ID, REASON)


def outcome(read: Any) -> Any:
    try:
        return read()
    except InputError as error:
        return error.headline


def assert_same(body: bytes, kind: str) -> bool:
    """Compare what is read at once with what is read one by one; whether it was read at once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(baskets, "LEAST", 2**60)
        by_line = outcome(lambda: read_request(body, kind))
        patched.setattr(baskets, "LEAST", 0)
        at_once = outcome(lambda: read_request(body, kind))
    if isinstance(by_line, str):
        assert at_once == by_line
        return False
    assert at_once.baskets == by_line.baskets
    assert at_once.kind == by_line.kind
    for usual in MARKS:
        first, second = (outcome(partial(cleaned, own, usual)) for own in (at_once, by_line))
        if isinstance(second, str):
            assert first == second
        else:
            for own, other in zip(first, second, strict=True):
                assert_frame_equal(own, other)
    return isinstance(at_once.lines, Table)


@settings(max_examples=250)
@given(documents(), st.booleans(), st.sampled_from([JSON, JSON_LINES]))
def test_lines_are_the_same_at_once_and_one_by_one(
    document: dict[str, Any], ascii_only: bool, kind: str
) -> None:
    items = document["baskets"]
    sent = [json.dumps(item, ensure_ascii=ascii_only) for item in items]
    body = "\n".join(sent) if kind == JSON_LINES else f'{{"baskets": [{", ".join(sent)}]}}'
    assert_same(body.encode(), kind)


@pytest.mark.parametrize("spends", [[1.234], [1.234, 2], [1.234, 2.5], [2, 7.0]])
def test_the_point_of_a_number_is_no_separator_of_thousands(spends: list[float]) -> None:
    lines = [LINE | {"spend": spend, "price": spend} for spend in spends]
    body = json.dumps({"baskets": [basket(*lines, key=key) for key in "ab"]}).encode()
    assert assert_same(body, JSON)
    for columns in ({}, {SPEND: "Price"}):
        (accepted, _) = cleaned(read_request(body, JSON, columns=columns), ",")
        assert accepted[SPEND].to_list() == spends * 2


STYLES: list[dict[str, Any]] = [{}, {"separators": (",", ":")}, {"indent": 1}, {"indent": "\t"}]
SENT = {
    "baskets": [
        {
            "basket_id": key,
            "lines": [LINE | {"CUST_CODE": None}, LINE | {"CUST_CODE": "é", "spend": 12}],
        }
        for key in ("1", "2")
    ]
}


@pytest.mark.parametrize("style", STYLES)
def test_blanks_may_be_anywhere_if_they_are_the_same_in_all_lines(style: dict[str, Any]) -> None:
    assert assert_same(json.dumps(SENT, **style, ensure_ascii=False).encode(), JSON)
    assert assert_same(json.dumps(SENT, **style).encode(), JSON)


def test_blanks_before_colons_are_read_one_by_one() -> None:
    assert not assert_same(json.dumps(SENT, separators=(",", " :")).encode(), JSON)


changes = st.tuples(
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 6),
    st.sampled_from([b"", *(bytes([code]) for code in b'"\\,:{}[] \n\t\0-+.01eEnulx\xc3\xa9')])
    | st.sampled_from([b'\\"', b"null", b"true", b"1e5", b"01", b'"a": 1, ', b"}, {", b'""'])
    | st.binary(max_size=2),
)


@settings(max_examples=400)
@given(st.sampled_from(STYLES), st.booleans(), st.lists(changes, min_size=1, max_size=2))
def test_a_damaged_body_is_read_or_refused_as_one_by_one(
    style: dict[str, Any], ascii_only: bool, damage: list[tuple[float, int, bytes]]
) -> None:
    body = json.dumps(SENT, **style, ensure_ascii=ascii_only).encode()
    for place, size, text in damage:
        start = int(place * len(body))
        body = body[:start] + text + body[start + size :]
    assert_same(body, JSON)


def test_a_sample_is_read_at_once() -> None:
    lines = bw.sample(baskets=200, seed=4)
    items = [
        basket(*own.drop(BASKET_ID).to_dicts(), key=str(key))
        for (key,), own in lines.group_by(BASKET_ID, maintain_order=True)
    ]
    for body, kind in (
        (json.dumps({"baskets": items}), JSON),
        ("\n".join(map(json.dumps, items)), JSON_LINES),
    ):
        request = read_request(body.encode(), kind)
        assert isinstance(request.lines, Table)
        assert request.lines.frame.height == lines.height
        assert len(request.baskets) == 200
        assert request.lines.frame.schema[SHOP_DATE] == pl.Int64


def test_every_number_is_read_to_the_last_bit() -> None:
    source = random.Random(1)
    spends = [source.uniform(0, 10 ** source.randint(-5, 9)) for _ in range(20_000)]
    read = uniform(*(basket(LINE | {"spend": spend}, key=n) for n, spend in enumerate(spends)))
    assert read is not None
    assert read.frame[SPEND].to_list() == spends
    assert read.keys == list(range(20_000))


def test_ids_are_kept_as_they_were_sent() -> None:
    texts = uniform(basket(LINE, LINE, key=" 7 "), basket(LINE, key="8"))
    assert texts is not None
    assert (texts.keys, texts.heights) == ([" 7 ", "8"], [2, 1])
    numbers = uniform(basket(LINE, key=-7), basket(LINE, key=8))
    assert numbers is not None
    assert numbers.keys == [-7, 8]
    assert numbers.frame[BASKET_ID].to_list() == ["-7", "8"]


@pytest.mark.parametrize(
    "items",
    [
        [basket(LINE, LINE | {"QUANTITY": True})],
        [basket(LINE, LINE | {"QUANTITY": "1"})],
        [basket(LINE, LINE | {"QUANTITY": [1]})],
        [basket(LINE, LINE | {"FOO": {"a": 1}})],
        [basket(LINE, {"Spend": 2.5} | {k: v for k, v in LINE.items() if k != "FOO"})],
        [basket(LINE, {k: v for k, v in LINE.items() if k != "FOO"} | {"STORE_CODE": "x"})],
        [basket(LINE | {"SPEND": 1.0}, LINE | {"SPEND": 1.0})],
        [basket(LINE | {"PROD_CODE": "x" * 2_000}, LINE)],
        [basket(LINE | {"QUANTITY": 2**60}, LINE)],
        [basket(LINE | {"PROD_CODE": 1.5}, LINE | {"PROD_CODE": 2.5})],
        [basket(LINE | {BASKET_ID: "2"}, LINE | {BASKET_ID: "1"})],
        [basket(LINE | {"PROD_CODE": "\ud800"}, LINE)],
        [basket(LINE, LINE, key=1), basket(LINE, key="2")],
        [basket(LINE, LINE, key="1"), basket(LINE, key=" 1")],
        [basket(LINE, LINE, key=1.0), basket(LINE, key=2)],
        [basket(LINE, LINE, key=None), basket(LINE, key="2")],
        [basket(LINE, LINE), {"basket_id": "2", "lines": []}],
        [basket(LINE, LINE), {"basket_id": "2", "lines": [None]}],
        [basket(LINE, LINE) | {"till": "3"}],
        [basket({}, {})],
        [basket(LINE)],
        [],
    ],
)
def test_what_is_of_another_shape_is_left_to_be_read_line_by_line(items: list[Any]) -> None:
    assert uniform(*items) is None


def test_of_two_values_of_one_name_none_is_taken_at_once() -> None:
    lines = '{"SPEND": 1, "QUANTITY": 1}, {"SPEND": 2, "SPEND": 3}'
    body = f'{{"baskets": [{{"basket_id": "1", "lines": [{lines}]}}]}}'
    assert read_uniform(body.encode(), NAMES) is None


@pytest.mark.parametrize("body", [b"", b"{", b'{"baskets": 1}', b"[1]", b'{"baskets": [[1]]}'])
def test_what_is_no_request_is_left_as_well(body: bytes) -> None:
    assert read_uniform(body, NAMES) is None


MANY = json.dumps(SENT["baskets"][0]["lines"][1])
"""A line; so many that the columns are known before what is odd."""


@pytest.mark.parametrize(
    "last",
    [
        MANY.replace("PRD1", "\x01"),
        MANY.replace("PRD1", "\\x"),
        MANY.replace("PRD1", "\\ud800"),
        MANY.replace("PRD1", '"'),
        MANY.replace('"bar"', '"bar'),
        MANY.replace("12", "1e"),
        MANY.replace("12", "01"),
        MANY.replace("12", "1.5.2"),
        MANY.replace("12", "1" + 400 * "0"),
        MANY.replace("12", "nul"),
        MANY.replace("12", "nulls"),
        MANY.replace("12", "null1"),
        MANY.replace(": 12", ":12"),
        MANY.replace(": 12", " : 12"),
        MANY.replace("12,", "12 ,"),
        MANY.replace("FOO", "BAR"),
        MANY[:-1],
        MANY[:-2],
        MANY[:-2] + "}",
        MANY + "]}, {" + '"basket_id": "2", "lines": [[' + MANY,
        MANY + "]}, {" + '"basket_id": "2", "lines": [ ' + MANY,
        MANY + "]}, {" + '"basket_id": 1e2, "lines": [' + MANY,
    ],
)
def test_what_is_odd_after_many_lines_is_told_as_one_by_one(last: str) -> None:
    lines = ", ".join([*(MANY for _ in range(800)), last])
    body = f'{{"baskets": [{{"basket_id": "1", "lines": [{lines}]}}]}}'
    assert read_uniform(body.encode(), NAMES) is None
    assert not assert_same(body.encode(), JSON)


def test_text_that_is_not_unicode_is_told_as_one_by_one() -> None:
    lines = ", ".join([*(MANY for _ in range(800)), MANY.replace("PRD1", "?")])
    body = f'{{"baskets": [{{"basket_id": "1", "lines": [{lines}]}}]}}'.encode()
    assert read_uniform(body, NAMES) is not None
    assert not assert_same(body.replace(b"?", b"\xff"), JSON)


@pytest.mark.parametrize(
    ("code", "blanks"),
    [
        *((code, False) for code in ("PRD2", "P 2", "\u00e92", 7, None)),
        *((code, True) for code in (" RD2", "PRD ", " 2", "P2 ", "", "P\t2")),
    ],
)
def test_blanks_around_texts_are_seen(code: Any, blanks: bool) -> None:
    first = 3 if isinstance(code, int) else "PRD1"
    items = basket(LINE | {"PROD_CODE": first}, LINE | {"PROD_CODE": code}), basket(LINE, key="2")
    if isinstance(code, int):
        items = (items[0], basket(LINE | {"PROD_CODE": 4}, key="2"))
    at_once = read_uniform(json.dumps({"baskets": items}, ensure_ascii=False).encode(), NAMES)
    assert at_once is not None
    assert at_once.blanks is blanks


def test_blanks_around_ids_are_seen() -> None:
    for key, blanks in (("2", False), ("2 ", True), (" 2", True)):
        at_once = uniform(basket(LINE, LINE, key="1"), basket(LINE, key=key))
        assert at_once is not None
        assert at_once.blanks is blanks


def test_whole_numbers_are_written_without_a_point() -> None:
    items = [basket(LINE | {"PROD_CODE": 12.0, "QUANTITY": 2.0}, LINE | {"PROD_CODE": 3})]
    body = json.dumps({"baskets": items}).encode()
    request, at_once = read_request(body, JSON), uniform(*items)
    assert not isinstance(request.lines, Table)
    assert at_once is not None
    assert [row["PROD_CODE"] for row in request.lines] == ["12", "3"]
    assert at_once.frame["PROD_CODE"].to_list() == ["12", "3"]
    assert at_once.frame[QUANTITY].to_list() == [2, 1]
