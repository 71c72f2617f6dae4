from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from basketwise.aws.container import layout, processing
from basketwise.aws.container.command import main


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["basketwise.aws.container", *arguments])
    return main()


def reasons(base: Path) -> list[str]:
    return [(base / "output" / name).read_text() for name in ("failure", "message")]


def test_an_input_error_is_written_where_sagemaker_reads_it(
    base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "processing") == 2
    for reason in (*reasons(base), capsys.readouterr().err):
        assert reason.startswith("No raw files found")
        assert "\n" in reason.strip(), "what to do is missing"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [((), "'' is not a command"), (("fly",), "'fly' is not a command"), (("train", "--x"), "--x")],
)
def test_wrong_arguments_are_the_users_fault(
    base: Path, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str], expected: str
) -> None:
    assert run(monkeypatch, *arguments) == 2
    assert expected in reasons(base)[0]


def test_an_unexpected_error_has_its_traceback_in_the_log(
    base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(arguments: Sequence[str]) -> None:
        raise RuntimeError("x" * 5000)

    monkeypatch.setattr(processing, "main", broken)
    assert run(monkeypatch, "processing") == 4
    assert reasons(base)[0].startswith("This should not have happened: RuntimeError: x")
    assert len(reasons(base)[0]) == 1024
    assert "Traceback" in capsys.readouterr().err


def test_a_reason_that_cannot_be_stored_is_still_printed(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (base / "output").write_text("in the way")
    layout.report_failure("the reason")
    assert capsys.readouterr().err.startswith("the reason\nThe reason cannot be stored")


@pytest.mark.parametrize("reason", ["\u00e9" * 1_000, "ab\U0001f6d2" * 300])
def test_a_reason_is_what_sagemaker_takes(base: Path, reason: str) -> None:
    """At most a kilobyte, of UTF-8: else the job fails with another reason."""
    layout.report_failure(reason)
    for stored in ("failure", "message"):
        written = (base / "output" / stored).read_bytes()
        assert 3 <= len(written) <= 1_024
        assert reason.startswith(written.decode())


def test_progress_is_printed_at_intervals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([100.0, 101.0, 102.0, 111.0, 112.0])
    monkeypatch.setattr("basketwise.aws.container.layout.time.monotonic", lambda: next(times))
    tick = layout.ticker()
    for what, done in (("a", 1), ("a", 2), ("b", 1), ("a", 3), ("a", 4)):
        tick(what, done, 4)
    assert capsys.readouterr().err.splitlines() == ["a 1/4", "b 1/4", "a 3/4", "a 4/4"]
