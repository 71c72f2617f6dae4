"""The page on troubleshooting, by symptom: what it shows is what the commands print."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from basketwise.cli.commands import program
from tests.cli.calling import SMALL, call
from tests.cli.till import changed, delivery, without
from tests.evaluation.running import Evaluated
from tests.raw_lines import LABEL, Line, csv_text

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "troubleshooting.md"
BY_SYMPTOM = PAGE.read_text("utf-8").partition("## By symptom\n")[2].partition("\n## ")[0]
SHOWN = {
    heading: re.findall(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for heading, text in re.findall(r"^### (.+)\n((?:(?!### ).*\n?)*)", BY_SYMPTOM, re.MULTILINE)
}
"""What the page shows below each heading."""

LINES = delivery()
EVERY = range(len(LINES))


def written(raw: Path, lines: list[Line], name: str = "tills.csv", encoding: str = "utf-8") -> None:
    raw.mkdir(exist_ok=True)
    (raw / name).write_bytes(csv_text(lines).encode(encoding))


def decimals(raw: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(LINES))))
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(row | {"SPEND": "1,234"} for row in rows)
    raw.mkdir()
    (raw / "tills.csv").write_text(text.getvalue())


def header_alone(raw: Path) -> None:
    written(raw, LINES[:1])
    first, _, _ = (raw / "tills.csv").read_text().partition("\n")
    (raw / "tills.csv").write_text(f"{first}\n")


def lines(prepared: list[Line], encoding: str = "utf-8") -> Callable[[Path], None]:
    return lambda raw: written(raw, prepared, encoding=encoding)


UNDATED = without(without(LINES, "SHOP_WEEK"), "SHOP_DATE")
AMBIGUOUS = changed(without(LINES, "SHOP_WEEK"), EVERY, SHOP_DATE="03/04/2006")
CLEANING: list[tuple[str, int, Callable[[Path], None]]] = [
    ("The files have no lines", 0, header_alone),
    ("Every line is rejected", 0, lines(changed(LINES, EVERY, QUANTITY="0"))),
    ("Amounts have decimal commas", 0, decimals),
    ("There are no weeks", 0, lines(UNDATED)),
    ("There are no weeks", 1, lines(AMBIGUOUS)),
    ("Labels are unknown", 0, lines(changed(LINES, EVERY, **{LABEL: "A"}))),
    ("No basket is left", 0, lines(changed(LINES, EVERY, **{LABEL: "XX"}))),
    ("The encoding is wrong", 0, lines(changed(LINES, EVERY, STORE_CODE="Gülle"), "latin-1")),
]
RUN = (
    "Too many lines are rejected",
    "Files were skipped",
    "Lines are repeated",
    "The gate refuses the model",
)


def assert_printed(shown: str, printed: str) -> None:
    """Compare line by line, without regard to where lines are broken; ``…`` is any text."""
    text = " ".join(printed.split())
    for line in shown.splitlines():
        pattern = ".*".join(re.escape(part) for part in line.split("…"))
        assert re.search(pattern, text), (line, printed)


@pytest.mark.parametrize(
    ("heading", "block", "prepare"), CLEANING, ids=[f"{h} {n}" for h, n, _ in CLEANING]
)
def test_data_that_cannot_be_used(
    heading: str, block: int, prepare: Callable[[Path], None], tmp_path: Path
) -> None:
    prepare(tmp_path / "raw")
    done = call("etl", tmp_path / "raw", "--workspace", tmp_path / "ws")
    assert done.code == 2
    assert_printed(SHOWN[heading][block], done.err)


def test_data_that_the_model_does_not_know(tmp_path: Path, evaluated: Evaluated) -> None:
    written(tmp_path / "raw", LINES)
    model = ("--model", evaluated.archive)
    unknown = call("predict", tmp_path / "raw", "--out", tmp_path / "scores.csv", *model)
    assert_printed(SHOWN["The model does not know the products"][0], unknown.err)
    absent = call("predict", tmp_path / "raw", "--basket", "7", *model)
    assert_printed(SHOWN["No basket is left"][1], absent.err)


def test_a_run_and_its_champion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    raw, workspace = Path("raw"), ("--workspace", "ws")
    written(raw, changed(LINES, range(60), SPEND="free"))
    written(raw, changed(LINES, range(60), SPEND="free"), "copy.csv")
    written(raw / "more", LINES)
    (raw / "week 2.xlsx").touch()

    done = call("run", raw, *workspace, *SMALL, "--models", "decision_tree")

    for heading in RUN:
        assert_printed(SHOWN[heading][0], done.out)
    call("models", "approve", "1", *workspace)
    (archive,) = Path("ws", "registry").rglob("model.tar.gz")
    archive.write_bytes(b"damaged")
    scored = call("predict", raw, "--out", tmp_path / "scores.csv", *workspace)
    printed = scored.err.replace(program(), "basketwise")
    assert_printed(SHOWN["The champion cannot be opened"][0], printed)


def test_every_block_of_the_page_is_compared() -> None:
    compared = {(heading, block) for heading, block, _ in CLEANING}
    compared |= {(heading, 0) for heading in RUN}
    compared |= {
        ("The model does not know the products", 0),
        ("No basket is left", 1),
        ("The champion cannot be opened", 0),
    }
    assert compared == {(h, n) for h, blocks in SHOWN.items() for n in range(len(blocks))}
