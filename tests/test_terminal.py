"""What reaches a terminal: values can neither move its cursor nor begin a line."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import click
import pytest

from basketwise.terminal import (
    CleanStream,
    clean_output,
    drawable,
    escaped_json,
    printable,
    replaced,
)
from tests.cli.calling import call, called

ATTACKS = ("\x1b]0;PWN\x07", "\x1b[2J", "\x9b31m", "\u202egnp", "\u2066x", "a\nversion 9 champion")


def shown(text: str) -> str:
    out = io.StringIO()
    CleanStream(out).write(text)
    return out.getvalue()


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_value_is_shown_escaped(attack: str) -> None:
    assert printable(attack).isprintable()
    assert shown(f"{printable(attack)}\n").count("\n") == 1


def test_a_stream_keeps_our_lines_and_bold_alone() -> None:
    bold = click.style("title", bold=True)
    assert shown(f"{bold}\n\tok\x1b[8mhidden\r\x07") == f"{bold}\n\tok\\x1b[8mhidden\\r\\x07"


def test_what_draws_moves_the_cursor_but_shows_no_secret() -> None:
    out = io.StringIO()
    stream = drawable(CleanStream(out))  # type: ignore[arg-type]
    stream.write("\x1b[1A\rhttp://ann:secret@h")
    assert out.getvalue() == "\x1b[1A\rhttp://h"


def test_streams_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with clean_output():
        with clean_output():
            sys.stdout.writelines(["http://ann:secret@h\n", "\x07"])
        assert sys.stdout is not out
    assert sys.stdout is out
    assert out.getvalue() == "http://h\n\\x07"


@pytest.mark.parametrize("attack", [*ATTACKS, "\ud800", "a\tb", "\u2028"], ids=ascii)
def test_an_attack_is_replaced_where_an_escape_would_be_taken_for_content(attack: str) -> None:
    assert replaced(attack).isprintable()
    assert len(replaced(attack)) == len(attack)
    assert set(replaced(attack, mark="?")) - set(attack) == {"?"}
    kept = replaced(attack, lines=True)
    assert ("\n" in attack, "\t" in attack) == ("\n" in kept, "\t" in kept)


def test_what_is_shown_of_a_value_is_limited() -> None:
    assert replaced("12345", 5) == "12345"
    assert replaced("123456", 5) == "1234…"
    # A joiner belongs to a name in some scripts.
    assert replaced("a\u200cb") == "a\u200cb"


def test_json_stays_json_with_the_same_content() -> None:
    document = {"name": list(ATTACKS)}
    text = escaped_json(json.dumps(document, indent=2, ensure_ascii=False))
    assert json.loads(text) == document
    assert text.replace("\n", "").isprintable()


def test_column_names_product_names_and_reasons_are_escaped(sample: Path, tmp_path: Path) -> None:
    file = tmp_path / "till.csv"
    names = ",".join(f'"{attack}"' for attack in ATTACKS)
    file.write_text(f"BASKET_ID,{names}\n1{',x' * len(ATTACKS)}\n", encoding="utf-8")
    for arguments in (
        ("etl", "--data", file, "--workspace", tmp_path / "ws"),
        ("init", "--data", file),
        ("doctor", "--data", file, "--workspace", tmp_path / "ws"),
        ("doctor", "--data", file, "--workspace", tmp_path / "ws", "--json"),
        ("models", "show", "\x1b[2J\n9", "--workspace", tmp_path / "ws"),
    ):
        outcome = call("--debug", *arguments)
        for line in (outcome.out + outcome.err).split("\n"):
            assert line.replace("\t", "").isprintable(), line
            assert not line.startswith("version 9 champion")
    assert called("sample", "--out", tmp_path / "s", "--baskets", "100", "--json").json
