from __future__ import annotations

import csv
import io

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from basketwise.etl.raw import record_splitting as module
from basketwise.etl.raw.record_splitting import split_records
from basketwise.etl.raw.records import MALFORMED, Records

FIELDS = 3


def split(text: bytes, *, final: bool = True) -> Records:
    return split_records(text, ",", FIELDS, final=final)


def refused(records: Records) -> list[tuple[int, str]]:
    return [(record.line, record.reason) for record in records.malformed]


def rows(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline=""), strict=True))


@pytest.mark.parametrize(
    "text",
    [
        b"a,b,c\n",
        b"a,b,c\r\nd,e,f\r\n",
        b'"a","b","c"\n',
        b'"a, b",c,"d ""e"""\n',
        b",,\n",
        b'"","",""\r\n',
        b'"""a",b,c\n',
    ],
)
def test_well_formed_text_is_handed_on_as_it_is(text: bytes) -> None:
    records = split(text)
    assert records.text is text
    assert (records.lines, records.malformed) == (None, [])
    assert records.count == records.height == text.count(b"\n")


@pytest.mark.parametrize(
    ("text", "blanks"),
    [
        (b"a,b c,d\n", False),
        (b"a,b c,d\r\n", False),
        (b'"a b",b,""\r\n', False),
        (b" a,b,c\n", True),
        (b"a,b ,c\n", True),
        (b"a,b,\tc\n", True),
        (b"a,b,c \n", True),
        (b"a,b,c \r\n", True),
        (b'a," b",c\n', True),
        (b'a,"b ",c\n', True),
        (b"a,\r,c\n", True),
        (b"a,b,c\nd, e,f\n", True),
        (b"a,b,c\r\r\n", True),
        ("a,caf\u00e9,c\n".encode(), False),
        ("a,b\u00a0,c\n".encode(), True),
        ('"a","\u3000b","c"\n'.encode(), True),
    ],
)
def test_blanks_around_values_are_told(text: bytes, blanks: bool) -> None:
    assert split(text).blanks is blanks


def test_a_missing_last_line_feed_is_added() -> None:
    assert split(b"a,b,c\nd,e,f").text == b"a,b,c\nd,e,f\n"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"a,b,c,d", "too_many_fields"),
        (b"a,b,c" + b"," * 256, "too_many_fields"),
        (b"a,b", "too_few_fields"),
        (b"a", "too_few_fields"),
        (b'"a,b,c', "unclosed_quote"),
        (b'a,b,"', "unclosed_quote"),
        (b'a,"b" b,c', "text_after_quote"),
        (b'a,"5\\" b",c', "text_after_quote"),
        (b'a,"5\\""x,c', "unclosed_quote"),
        (b'"a\\",b",c,d', "too_many_fields"),
    ],
)
def test_a_malformed_line_is_refused_and_the_others_are_not(line: bytes, reason: str) -> None:
    records = split(b"1,2,3\n" + line + b"\n4,5,6\n")
    assert records.text == b"1,2,3\n4,5,6\n"
    assert refused(records) == [(1, reason)]
    assert records.lines is not None
    assert records.lines.tolist() == [0, 2]
    assert records.count == 2
    assert reason in MALFORMED


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b'a,5" b,c', ["a", '5" b', "c"]),
        (b'a,b "c",d', ["a", 'b "c"', "d"]),
        (b'a,b,c"', ["a", "b", 'c"']),
        (b'a,5" x,6" y\r', ["a", '5" x', '6" y']),
    ],
)
def test_a_quote_within_an_unquoted_field_is_text(line: bytes, row: list[str]) -> None:
    records = split(b"1,2,3\n" + line + b"\n4,5,6\n")
    assert rows(records.text) == [["1", "2", "3"], row, ["4", "5", "6"]]
    assert records.malformed == []


def test_blank_lines_are_no_records() -> None:
    records = split(b"1,2,3\n\n\r\n  \n4,5,6\n\n")
    assert rows(records.text) == [["1", "2", "3"], ["4", "5", "6"]]
    assert records.lines is not None
    assert records.lines.tolist() == [0, 4]
    assert (records.malformed, records.height) == ([], 6)


def test_records_of_an_old_mac_among_others_are_records() -> None:
    records = split(b"1,a,b\n2,a,b\r3,a\r4,a,b\r5,a,b\n6,a,b\n")
    assert records.text == b"1,a,b\n2,a,b\n4,a,b\n5,a,b\n6,a,b\n"
    assert records.lines is not None
    assert records.lines.tolist() == [0, 1, 3, 4, 5]
    assert [(m.line, m.reason) for m in records.malformed] == [(2, "too_few_fields")]


def test_a_text_of_old_macs_records_alone_is_handed_on_with_line_feeds() -> None:
    assert split(b"1,a,b\r2,a,b\r3,a,b\r\n").text == b"1,a,b\n2,a,b\n3,a,b\r\n"


def test_a_carriage_return_within_quotes_stays() -> None:
    records = split(b'1,"a\rb",c\n2,5" x,"a\rb"\n')
    assert (records.count, records.height, records.malformed) == (2, 2, [])
    assert records.text.startswith(b'1,"a\rb",c\n2,"5"" x",')


def test_a_field_with_line_ends_is_refused_as_one_record() -> None:
    records = split(b'1,2,3\na,"b\nb\nb",c\n4,5,6\n')
    assert records.text == b"1,2,3\n4,5,6\n"
    assert refused(records) == [(1, "line_break_in_field")]


@pytest.mark.parametrize("closing", [b'x,"Big y,z', b'x,Big y",z', b'x,"Big" y",z'])
def test_an_open_quote_swallows_no_record(closing: bytes) -> None:
    between = b"1,2,3\n" * 500
    records = split(b'a,"Big x,c\n' + between + closing + b"\n4,5,6\n")
    assert refused(records)[0] == (0, "unclosed_quote")
    assert records.count + len(records.malformed) == 503
    assert records.count >= 501


def test_a_quote_that_is_never_closed_costs_its_line_alone() -> None:
    text = b'1,"2,3\n' + b"word\n" * 1_000
    assert refused(split(text)) == [(0, "unclosed_quote")] + [
        (n, "too_few_fields") for n in range(1, 1_001)
    ]


def test_a_record_that_more_text_may_complete_is_left_pending() -> None:
    records = split(b'1,2,3\na,"b\n', final=False)
    assert (records.text, records.count, records.height) == (b"1,2,3\n", 1, 1)
    assert records.pending == b'a,"b\n'


def test_pieces_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b'1,2,3\na,"b\nb",c\n\nx,5" y,z\n"a",b\n' * 50 + b'a,"b\n'
    whole = split(text)
    for size in (1, 7, 40, 200):
        monkeypatch.setattr(module, "PIECE", size)
        pieces = split(text)
        assert pieces.text == whole.text
        assert pieces.malformed == whole.malformed
        assert pieces.lines is not None
        assert whole.lines is not None
        assert pieces.lines.tolist() == whole.lines.tolist()


LINE = st.builds(
    lambda line, end: line.encode() + end,
    st.text(alphabet='a," \\é', max_size=12),
    st.sampled_from([b"", b"\r"]),
)


@settings(max_examples=500)
@given(lines=st.lists(LINE, max_size=12), final=st.booleans())
@example(lines=[b'a,"b', b'b",c'], final=True)
@example(lines=[b'"', b'"'], final=False)
def test_every_line_is_a_record_or_refused_or_part_of_one(lines: list[bytes], final: bool) -> None:
    text = b"\n".join(lines) + b"\n"
    records = split(text, final=final)
    parsed = list(csv.reader(records.text.decode().splitlines(keepends=True), strict=True))
    assert all(len(row) == FIELDS for row in parsed)
    assert records.count == len(parsed)
    accepted = range(records.height) if records.lines is None else records.lines.tolist()
    assert len(accepted) == records.count
    reasons = dict(refused(records))
    assert not set(accepted) & set(reasons)
    if "line_break_in_field" not in reasons.values():
        given = text.split(b"\n")[: records.height]
        rest = set(range(records.height)) - set(accepted) - set(reasons)
        assert all(not given[line].strip() for line in rest)
    assert final or not records.pending or text.endswith(records.pending)
    assert not (final and records.pending)
