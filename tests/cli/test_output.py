"""The summary of a run, and what to do next."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from basketwise.cli.options import Common
from basketwise.cli.output import emit, impact_lines, leaderboard_lines, print_next
from tests.report.example import example_report, impact_of

if TYPE_CHECKING:
    from basketwise.run.pipeline import RunResult


def result(*, approved: bool, champion: bool = True, registered: bool = True) -> RunResult:
    version = SimpleNamespace(version="7", champion=champion) if registered else None
    report = example_report()
    report["verdict"]["reasons"][0]["passed"] = approved
    made = SimpleNamespace(
        approved=approved,
        version=version,
        folder=Path("ws/artifacts/r 1"),
        run_id="r 1",
        report=report,
    )
    return cast("RunResult", made)


def test_what_is_approved_scores_as_the_champion(capsys: pytest.CaptureFixture[str]) -> None:
    print_next(result(approved=True), "my raw", "ws", "own.toml")
    options = "--workspace ws --config own.toml"
    assert capsys.readouterr().out.splitlines()[2:] == [
        f"  basketwise predict --data 'my raw' --out scores.csv {options}",
        f"  basketwise models list {options}",
        f"  basketwise serve {options}",
    ]


def test_what_is_not_approved_is_to_be_looked_at_and_scores_by_its_version(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_next(result(approved=False), "raw", "ws")
    assert capsys.readouterr().out.splitlines()[2:] == [
        "  open ws/artifacts/r 1/report.html to see why it is not approved",
        f"  ✗ min_accuracy: {example_report()['verdict']['reasons'][0]['text']}",
        "  basketwise predict --data raw --out scores.csv --model 7 --workspace ws",
        "  basketwise models list --workspace ws",
    ]


def test_what_is_approved_and_does_not_lead_scores_by_its_version(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_next(result(approved=True, champion=False), "raw", "ws")
    assert "--out scores.csv --model 7 --workspace ws" in capsys.readouterr().out


def test_an_experiment_scores_by_its_archive_and_may_be_registered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_next(result(approved=True, registered=False), "raw", "ws")
    archive = "'ws/artifacts/r 1/model.tar.gz'"
    assert capsys.readouterr().out.splitlines()[2:4] == [
        f"  basketwise predict --data raw --out scores.csv --model {archive} --workspace ws",
        "  basketwise register --run 'r 1' --workspace ws",
    ]


def test_assumptions_that_nobody_stated_are_examples() -> None:
    report = example_report()
    impact_of(report)["assumptions"][0]["value"] = 7
    impact_of(report)["currency"] = ""
    text = " ".join(" ".join(impact_lines(impact_of(report))).split())
    assert "predictions_per_day=7" in text
    examples = text.partition("examples, not yours: ")[2]
    assert examples.startswith("days_per_month, ")
    assert "predictions_per_day" not in examples
    assert "USD" not in text


@pytest.mark.parametrize("columns", ["20", "40", "60", "78", "200"])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_broken(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    rows = example_report()["leaderboard"]
    lines = leaderboard_lines(rows)
    emit(Common(None, "ws", as_json=False, flags=()), {}, *lines, "a sentence of words " * 9)
    shown = capsys.readouterr().out.splitlines()
    limit = int(columns)
    if limit < 78:
        assert all(len(line) <= limit or " " not in line.strip() for line in shown)
    words = {word for line in [*lines, "a sentence of words"] for word in line.split()}
    assert {word for line in shown for word in line.split()} == words
    assert all(line.strip() for line in shown)


def test_money_stands_beside_the_baseline_and_the_assumptions() -> None:
    lines = impact_lines(impact_of(example_report()))
    assert any(line.startswith("majority class") for line in lines)
    assert "assumed: " in " ".join(lines)
