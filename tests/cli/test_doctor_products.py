from __future__ import annotations

from pathlib import Path

import pytest

from basketwise.model import load_model_archive
from basketwise.serving import versions
from tests.cli.calling import Outcome, call
from tests.evaluation.running import Evaluated
from tests.raw_lines import line, write_csv


def doctor(*arguments: str) -> Outcome:
    return call("doctor", *arguments)


@pytest.mark.parametrize(
    ("change", "state", "expected"),
    [
        ("{}", "ok", "the model knows 20 of 20 products in the first lines (100 % of these lines)"),
        ("{}.0", "warning", "(0 % of these lines). PROD_CODE in the data looks like"),
        ("OTHER{}X", "warning", "knows 0 of 20 products"),
    ],
)
def test_products_are_compared_with_those_of_a_model(
    tmp_path: Path, evaluated: Evaluated, change: str, state: str, expected: str
) -> None:
    products = load_model_archive(evaluated.archive).products[:20]
    codes = [change.format(code) for code in products]
    lines = [line(BASKET_ID=str(n), PROD_CODE=code) for n, code in enumerate(codes)]
    write_csv(tmp_path / "lines.csv", lines)
    given = ("--data", str(tmp_path / "lines.csv"), "--set", "split.strategy=stratified")
    location = ("--workspace", str(tmp_path / "ws"))
    checks = doctor(*given, *location, "--model", str(evaluated.archive), "--json").json["checks"]
    (compared,) = [check for check in checks if check["name"] == "products"]
    assert compared["state"] == state
    assert expected in compared["text"]
    assert bool(compared["fix"]) == (state == "warning")
    # There is no champion to compare with, and that is fine.
    without = doctor(*given, *location, "--json").json["checks"]
    assert "products" not in [check["name"] for check in without]
    assert not (tmp_path / "ws").exists()


def test_a_model_that_cannot_be_opened_is_a_failed_check(tmp_path: Path) -> None:
    write_csv(tmp_path / "lines.csv", [line()])
    done = doctor("--data", str(tmp_path), "--workspace", str(tmp_path / "w"), "--model", "absent")
    assert done.code == 2
    assert "✗ products   There is no model at 'absent'." in done.out


def test_the_champion_is_compared_without_being_named(
    tmp_path: Path, evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = load_model_archive(evaluated.archive)
    monkeypatch.setattr(versions, "load_version", lambda config, storage, version: champion)
    write_csv(tmp_path / "lines.csv", [line(PROD_CODE=f"{champion.products[0]}.0")])
    (tmp_path / "ws" / "registry").mkdir(parents=True)
    given = ("--data", str(tmp_path / "lines.csv"), "--workspace", str(tmp_path / "ws"))
    assert "the data has '.0' appended" in doctor(*given, "--set", "split.strategy=stratified").out
