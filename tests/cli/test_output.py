"""The summary of a run, and what to do next."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from basketwise.cli.output import impact_lines, print_next
from tests.report.example import example_report

if TYPE_CHECKING:
    from basketwise.run.pipeline import RunResult


def result(*, approved: bool) -> RunResult:
    version = SimpleNamespace(version="7")
    made = SimpleNamespace(approved=approved, version=version, folder=Path("ws/artifacts/r"))
    return cast("RunResult", made)


def test_what_is_approved_scores_as_the_champion(capsys: pytest.CaptureFixture[str]) -> None:
    print_next(result(approved=True), "my raw", "ws", "own.toml")
    options = "--workspace ws --config own.toml"
    assert capsys.readouterr().out.splitlines()[2:] == [
        f"  basketwise predict --data 'my raw' --out scores.csv {options}",
        f"  basketwise models list {options}",
    ]


def test_what_is_not_approved_is_to_be_looked_at_and_scores_by_its_version(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_next(result(approved=False), "raw", "ws")
    assert capsys.readouterr().out.splitlines()[2:] == [
        "  open ws/artifacts/r/report.html to see why it is not approved",
        "  basketwise predict --data raw --out scores.csv --model 7 --workspace ws",
        "  basketwise models list --workspace ws",
    ]


def test_money_stands_beside_the_baseline_and_the_assumptions() -> None:
    lines = impact_lines(example_report())
    assert any(line.startswith("majority class") for line in lines)
    assert "assumed: " in " ".join(lines)
