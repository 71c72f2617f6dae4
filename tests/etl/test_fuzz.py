"""Damaged files of every format: only documented errors, and records that always add up.

``make fuzz`` runs many more examples than ``make test``.
"""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from basketwise.errors import BasketwiseError
from basketwise.etl.lines.cleaning import clean, settle
from basketwise.etl.lines.layout import settle_frame
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw.discovery import discover
from basketwise.etl.raw.reading import read_raw
from tests.raw_lines import csv_text, line

EXAMPLES = int(os.environ.get("BASKETWISE_TEST_FUZZ", "500"))
"""Number of examples of each format."""

LINES = [
    line(BASKET_ID=f"{n // 3}", PROD_CODE=f'P"{n}' if n % 4 == 0 else f"P{n}", SPEND=f"{n},50")
    for n in range(12)
]
TEXT = csv_text(LINES).encode()
TOKENS = [
    b'"',
    b'""',
    b",",
    b"\n",
    b"\r\n",
    b"\r",
    b'\\"',
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"0,5",
    b";",
]

Mutation = tuple[int, int, bytes]
MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, 2**16),
        st.integers(0, 40),
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=6)),
    ),
    max_size=6,
)


def mutated(content: bytes, mutations: list[Mutation]) -> bytes:
    """Replace some bytes, at positions modulo the length, by others."""
    for position, length, token in mutations:
        start = position % (len(content) + 1)
        content = content[:start] + token + content[start + length :]
    return content


def parquet() -> bytes:
    out = io.BytesIO()
    pl.DataFrame(LINES).with_columns(pl.col("QUANTITY").cast(pl.Float64)).write_parquet(out)
    return out.getvalue()


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        # With a time of its own, so that every run damages the same bytes.
        archive.writestr(zipfile.ZipInfo("a.csv", (2024, 1, 1, 0, 0, 0)), content)
    return out.getvalue()


PARQUET = parquet()
FORMATS: dict[str, Callable[[list[Mutation]], bytes]] = {
    "a.csv": lambda m: mutated(TEXT, m),
    "c.csv.gz": lambda m: mutated(gzip.compress(TEXT, mtime=0), m),
    "d.zip": lambda m: mutated(zipped(TEXT), m),
    "e.parquet": lambda m: mutated(PARQUET, m),
}


def records(path: Path) -> int:
    """Read and clean a file as every door does; return how many records it has."""
    total = 0
    rules = Rules(labelled=True)
    for source in discover(str(path)):
        for raw in read_raw(source):
            judged = settle_frame(raw.frame, rules)
            cleaned = clean(
                raw.frame,
                judged,
                source=source.name,
                rows=raw.rows,
                malformed=raw.malformed,
                blanks=raw.blanks,
            )
            settled = settle(cleaned, judged)
            assert settled.lines.height + settled.rejected.height == raw.records
            assert settled.rejected["reason"].null_count() == 0
            total += raw.records
    return total


@pytest.mark.parametrize("name", FORMATS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(mutations=MUTATIONS)
def test_damage_is_refused_or_counted(name: str, mutations: list[Mutation], tmp_path: Path) -> None:
    content = FORMATS[name](mutations)
    path = tmp_path / name
    path.write_bytes(content)
    hint = "none is needed"
    try:
        total = records(path)
    except BasketwiseError as refusal:
        hint, total = refusal.hint, 0
    assert hint
    if name == "a.csv":
        assert total <= sum(bool(text.strip()) for text in content.splitlines())


def test_undamaged_files_are_read_whole(tmp_path: Path) -> None:
    for name, write in FORMATS.items():
        path = tmp_path / name
        path.write_bytes(write([]))
        assert records(path) == len(LINES)
