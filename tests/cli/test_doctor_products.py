from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from basketwise.model.archive import load_model_archive
from basketwise.serving import versions
from tests.cli.calling import Outcome, call
from tests.evaluation.running import Evaluated
from tests.raw_lines import line, write_csv


def doctor(*arguments: str) -> Outcome:
    return call("doctor", *arguments)


@pytest.mark.parametrize(
    ("change", "state", "expected"),
    [
        ("{}", "ok", "the model knows 20 of 20 products (100 % of the lines)"),
        ("{}.0", "warning", "(0 % of the lines). PROD_CODE in the data looks like"),
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


def test_products_of_all_lines_are_compared(tmp_path: Path, evaluated: Evaluated) -> None:
    known = load_model_archive(evaluated.archive).products[0]
    lines = [line(BASKET_ID=str(n), PROD_CODE=known) for n in range(2_000)]
    # Beyond the first lines, codes are written in another way.
    more = [line(BASKET_ID=str(n), PROD_CODE=f"{known}.0") for n in range(9_000, 15_000)]
    write_csv(tmp_path / "lines.csv", [*lines, *more])
    given = ("--data", str(tmp_path), "--workspace", str(tmp_path / "ws"), "--json")
    model = ("--model", str(evaluated.archive))
    for split in ("stratified", "time"):
        # That split is not possible; without labels, there is another reason.
        checks = doctor(*given, *model, "--set", f"split.strategy={split}").json["checks"]
        (compared,) = [check for check in checks if check["name"] == "products"]
        assert "the model knows 1 of 2 products (25 % of the lines)" in compared["text"]
        assert f"looks like '{known}.0', the model knows '{known}'" in compared["text"]


def test_data_that_only_the_model_can_read_is_compared_too(
    tmp_path: Path, evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model_archive(evaluated.archive)
    known = model.products[0]
    columns = {"PROD_CODE": "Sku"}
    rules = model.metadata.rules.model_copy(update={"columns": columns})
    own = replace(model, metadata=model.metadata.model_copy(update={"rules": rules}))
    monkeypatch.setattr(versions, "load_model_archive", lambda path, **_: own)
    write_csv(tmp_path / "lines.csv", [line(PROD_CODE=known), line(PROD_CODE="NEW")])
    text = (tmp_path / "lines.csv").read_text().replace("PROD_CODE,", "Sku,", 1)
    (tmp_path / "lines.csv").write_text(text)
    done = doctor("--data", str(tmp_path), "--workspace", str(tmp_path / "ws"), "--model", "own")
    assert "lines.csv' lacks" in " ".join(done.out.split())
    assert "✓ products   the model knows 1 of 2 products (50 % of the lines)" in done.out


def test_a_model_that_cannot_be_opened_is_a_failed_check(tmp_path: Path) -> None:
    write_csv(tmp_path / "lines.csv", [line()])
    done = doctor("--data", str(tmp_path), "--workspace", str(tmp_path / "w"), "--model", "absent")
    assert done.code == 2
    assert "✗ products   There is no model at 'absent'." in done.out


def test_the_champion_is_compared_without_being_named(
    tmp_path: Path, evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = load_model_archive(evaluated.archive)
    monkeypatch.setattr(versions, "load_version", lambda *_: champion)
    write_csv(tmp_path / "lines.csv", [line(PROD_CODE=f"{champion.products[0]}.0")])
    (tmp_path / "ws" / "registry").mkdir(parents=True)
    given = ("--data", str(tmp_path / "lines.csv"), "--workspace", str(tmp_path / "ws"))
    assert "the data has '.0' appended" in doctor(*given, "--set", "split.strategy=stratified").out
