"""``init --data``: what is printed, asked and written."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

import pytest

from basketwise.settings import load_config
from tests.cli.calling import call, called, clean_environment, command
from tests.proposal import layouts


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return layouts.write_csv(tmp_path / "export.csv", layouts.square())


def test_the_table_says_what_stands_for_what(export: Path) -> None:
    outcome = called("init", "--data", export)

    rows = {line.split("→")[0].strip(): line for line in outcome.out.splitlines() if "→" in line}
    assert outcome.out.startswith("Looked at all 600 lines of 1 file.")
    assert "SPEND" in rows["Gross Sales"]
    assert "$" in rows["Gross Sales"]
    assert "with decimals" in outcome.out
    assert "not read: " in outcome.out
    assert "Tried on 600 lines: 600 accepted, 0 rejected." in outcome.out


def test_nothing_is_written_without_a_yes(export: Path) -> None:
    outcome = called("init", "--data", export)

    assert outcome.out.endswith("add --yes to write this to basketwise.toml.\n")
    assert "[data.columns]" in outcome.out
    assert not Path("basketwise.toml").exists()


def test_yes_writes_settings_that_are_found(export: Path) -> None:
    outcome = called("init", "--data", export, "--yes")

    config = load_config(None, {})
    assert config.data.columns["SPEND"] == "Gross Sales"
    assert config.data.date == "Date"
    assert outcome.out.endswith(f"Wrote basketwise.toml.\nNext: basketwise run {export}\n")


def test_out_names_the_file_and_the_next_command_too(export: Path) -> None:
    outcome = called("init", "--data", export, "--yes", "--out", "own.toml")

    assert load_config("own.toml", {}).data.date == "Date"
    assert outcome.out.endswith(f"Next: basketwise run {export} --config own.toml\n")


def test_a_file_is_not_replaced_unless_told(export: Path) -> None:
    Path("basketwise.toml").write_text("mine")

    outcome = call("init", "--data", export, "--yes")

    assert outcome.code == 2
    assert "already exists" in outcome.err
    assert Path("basketwise.toml").read_text() == "mine"
    called("init", "--data", export, "--yes", "--overwrite")
    assert load_config(None, {}).data.date == "Date"


def test_json_contains_the_proposal(export: Path) -> None:
    document = called("init", "--data", export, "--json").json
    written = called("init", "--data", export, "--json", "--yes").json

    assert document["complete"] is True
    assert document["config"] is None
    match = next(match for match in document["matches"] if match["ours"] == "SPEND")
    assert match["own"] == ["Gross Sales"]
    assert len(match["examples"]) == 3
    assert written["config"] == "basketwise.toml"
    assert Path("basketwise.toml").read_text() == document["text"] == written["text"]


def test_data_that_lack_a_column_end_with_two(export: Path) -> None:
    path = layouts.write_csv(export.with_name("orders.csv"), layouts.instacart())

    outcome = call("init", "--data", path, "--yes")

    assert outcome.code == 2
    assert "no SPEND and no QUANTITY" in outcome.err
    assert "nothing was written" in outcome.err
    assert "not found" in outcome.out
    assert not Path("basketwise.toml").exists()


def test_data_without_labels_can_be_scored_only(export: Path) -> None:
    path = layouts.write_csv(export.with_name("retail.csv"), layouts.online_retail())

    outcome = called("init", "--data", path, "--yes")

    assert "no model can be trained" in outcome.out
    assert "Next:" not in outcome.out
    assert load_config(None, {}).data.columns["UNIT_PRICE"] == "UnitPrice"


def test_questions_are_marked_in_the_file(export: Path) -> None:
    rows = [row | {"Price Sensitivity": row["Price Sensitivity"][0]} for row in layouts.square()]
    path = layouts.write_csv(export.with_name("letters.csv"), rows)

    outcome = called("init", "--data", path, "--yes")

    text = Path("basketwise.toml").read_text()
    assert "It has 1 question for you, marked TO DO" in outcome.out
    assert '# "H" = "?"  # 200 lines' in text
    assert tomllib.loads(text)["data"]["labels"] == {}


def test_files_that_are_not_there(export: Path) -> None:
    outcome = call("init", "--data", "nowhere")

    assert outcome.code == 2
    assert "No raw files found" in outcome.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
@pytest.mark.parametrize(("answer", "written"), [(b"y\n", True), (b"n\n", False)])
def test_on_a_terminal_it_asks(export: Path, answer: bytes, written: bool) -> None:
    import pty
    import subprocess

    controller, terminal = pty.openpty()
    with subprocess.Popen(
        command("init", "--data", export),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=clean_environment() | {"COLUMNS": "100"},
    ) as process:
        os.close(terminal)
        os.write(controller, answer)
        shown = b""
        try:
            while part := os.read(controller, 4096):
                shown += part
        except OSError:  # The other end was closed: the command has ended.
            pass
        finally:
            os.close(controller)
        assert process.wait(60) == 0, shown

    assert b"Write basketwise.toml? [Y/n]" in shown
    assert Path("basketwise.toml").exists() is written
    assert (b"Nothing was written" in shown) is not written
