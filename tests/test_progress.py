"""Bars on a terminal, plain lines elsewhere, and the result kept word for word."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from basketwise.progress import Reporter


def console(*, terminal: bool, width: int = 80) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system=None)


def shown(reporter: Reporter, result: str) -> str:
    with reporter.stage("training") as log:
        for done in range(1, 4):
            log.tick("cross-validation", done, 3)
        log.finish(result)
    file = reporter.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_elsewhere_a_stage_is_one_plain_line() -> None:
    text = shown(Reporter(console(terminal=False)), "2 candidates")

    assert re.fullmatch(r"training +\d+\.\d s   2 candidates\n", text)


def test_elsewhere_a_long_result_stays_one_line() -> None:
    text = shown(Reporter(console(terminal=False, width=40)), "word " * 50 + "end")

    assert text.count("\n") == 1


def test_on_a_terminal_a_bar_says_what_is_done() -> None:
    text = shown(Reporter(console(terminal=True)), "2 candidates")

    assert "━" in text
    assert "cross-validation 3/3" in text
    assert re.search(r"training +\d+\.\d s   2 candidates\n$", text)


@pytest.mark.parametrize("width", [80, 120])
def test_on_a_terminal_words_are_kept_whole(width: int) -> None:
    result = "19,363 lines read, 0 rejected; 1,960 training and 983 test baskets, 90 products"

    text = shown(Reporter(console(terminal=True, width=width)), result)

    last = text[text.rindex("training  ") :].splitlines()
    assert " ".join(" ".join(last).split()).endswith(result)
    assert max(map(len, last)) <= width
    assert all(line.startswith(" " * 24) for line in last[1:])


@pytest.mark.parametrize("terminal", [True, False])
def test_brackets_and_colons_are_no_markup(terminal: bool) -> None:
    assert "files[0] is :smile: [bold]" in shown(
        Reporter(console(terminal=terminal)), "files[0] is :smile: [bold]"
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_a_stage_that_fails_reports_no_result(terminal: bool) -> None:
    reporter = Reporter(console(terminal=terminal))

    with pytest.raises(ValueError, match="broken"):
        fail(reporter)

    assert isinstance(reporter.console.file, io.StringIO)
    assert "never true" not in reporter.console.file.getvalue()


def fail(reporter: Reporter) -> None:
    with reporter.stage("training") as log:
        log.finish("never true")
        raise ValueError("broken")


def test_quiet_is_quiet() -> None:
    assert shown(Reporter(console(terminal=True), quiet=True), "2 candidates") == ""


@pytest.mark.parametrize("width", [20, 40])
def test_on_a_narrow_terminal_words_are_kept_whole_too(width: int) -> None:
    result = "19,363 lines read, 0 rejected; 1,960 training and 983 test baskets, 90 products"

    text = shown(Reporter(console(terminal=True, width=width)), result)

    last = re.split(r"training +\d+\.\d s\n", text)[-1].splitlines()
    assert " ".join(" ".join(last).split()) == result
    assert max(map(len, last)) <= width
    assert all(line.startswith("    ") for line in last)


def test_a_dumb_terminal_gets_a_line_a_stage_and_no_blank_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "60")
    reporter = Reporter(Console(file=io.StringIO(), force_terminal=True, color_system=None))

    text = shown(reporter, "2 candidates") + shown(reporter, "3 candidates")

    assert "\n\n" not in text
    assert "\x1b" not in text
    assert re.match(r"training +\d+\.\d s   2 candidates\n", text)
