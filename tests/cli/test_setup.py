"""``sample``, ``init``, ``doctor``: what stands before the first run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from basketwise.config import Config
from basketwise.settings import load_config
from basketwise.storage.local import LocalStorage
from tests.cli.calling import call, called, clean_environment, command, contents
from tests.cli.till import delivered, delivery, without

SAMPLE = ("--baskets", "200", "--weeks", "2")


def test_a_sample_is_the_same_every_time(tmp_path: Path) -> None:
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        called("sample", "--out", tmp_path / name, *SAMPLE, "--seed", seed)

    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a == b
    assert list(a) == ["transactions_200607.csv.gz", "transactions_200608.csv.gz"]
    assert a.keys() == c.keys()
    assert a != c


def test_a_sample_says_what_it_wrote(tmp_path: Path) -> None:
    plain = called("sample", "--out", tmp_path / "a", *SAMPLE, "--no-compress")
    document = called("sample", "--out", tmp_path / "b", *SAMPLE, "--json").json

    assert plain.out.strip().endswith("a")
    assert "lines of 200 baskets in 2 files" in plain.err
    assert document["baskets"] == 200
    assert sum(document["labels"].values()) == 200
    assert all(Path(file).is_file() for file in document["files"])


def test_a_sample_does_not_mix_with_another(tmp_path: Path) -> None:
    called("sample", "--out", tmp_path, *SAMPLE)
    before = contents(tmp_path)

    again = call("sample", "--out", tmp_path, *SAMPLE)

    assert again.code == 2
    assert "already contains transactions_200607.csv.gz" in again.err
    assert contents(tmp_path) == before
    called("sample", "--out", tmp_path, *SAMPLE, "--overwrite")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("option", [("--baskets", "0"), ("--weeks", "900"), ("--seed", "-1")])
def test_a_sample_that_cannot_be(tmp_path: Path, option: tuple[str, str]) -> None:
    outcome = call("sample", "--out", tmp_path / "s", *SAMPLE, *option)

    assert outcome.code == 2
    assert option[0].removeprefix("--") in outcome.err
    assert not (tmp_path / "s").exists()


def test_init_writes_a_file_that_is_found_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    output = called("init").out

    assert output.startswith("basketwise.toml: ")
    assert load_config(None, {}) == Config()
    assert load_config("basketwise.toml", {}) == Config()


def test_an_edited_file_is_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    called("init")
    raw = delivered(tmp_path / "raw", delivery())
    file = tmp_path / "basketwise.toml"
    file.write_text(file.read_text().replace('strategy = "time"', 'strategy = "stratified"'))

    metadata = called("etl", "--data", raw, "--json").json
    flag = called("etl", "--data", raw, "--split", "time", "--json").json

    assert metadata["split"]["strategy"] == "stratified"
    assert flag["split"]["strategy"] == "time"


def test_init_replaces_nothing_unless_told(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("mine")

    outcome = call("init", "--out", file)

    assert outcome.code == 2
    assert "already exists" in outcome.err
    assert "--overwrite" in outcome.err
    assert file.read_text() == "mine"
    assert called("init", "--out", file, "--overwrite", "--json").json == {"config": str(file)}
    assert load_config(str(file), {}) == Config()


def test_init_where_nothing_can_be_written(tmp_path: Path) -> None:
    outcome = call("init", "--out", tmp_path / "none" / "basketwise.toml")

    assert outcome.code == 2
    assert "cannot be written: No such file or directory." in outcome.err


def test_doctor_says_that_all_is_well(tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", delivery())

    outcome = called("doctor", "--data", raw, "--workspace", tmp_path / "w")
    document = called("doctor", "--data", raw, "--workspace", tmp_path / "w", "--json").json

    names = ["config", "workspace", "data", "disk", "memory", "registry"]
    assert [
        line.split()[1] for line in outcome.out.splitlines() if line.startswith(("✓", "!", "✗"))
    ] == names
    assert "✗" not in outcome.out
    assert document["ready"] is True
    assert [check["name"] for check in document["checks"]] == names


def test_doctor_names_what_is_wrong_and_ends_with_two(tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", without(delivery(), "QUANTITY"))
    workspace = tmp_path / "w"

    with LocalStorage(workspace).exclusive():
        outcome = call("doctor", "--data", raw, "--workspace", workspace)
        document = call("doctor", "--data", raw, "--workspace", workspace, "--json").json

    assert outcome.code == 2
    failed = [line for line in outcome.out.splitlines() if line.startswith("✗")]
    assert [line.split()[1] for line in failed] == ["workspace", "data"]
    assert "QUANTITY" in failed[1]
    assert "choose another --workspace" in outcome.out
    assert document["ready"] is False


def test_doctor_finds_a_wrong_setting(tmp_path: Path) -> None:
    outcome = call("doctor", "--workspace", tmp_path / "w", "--set", "split.size=1")

    assert outcome.code == 2
    assert outcome.out.startswith("✗ config     split.size is not a setting.\n")
    assert "Settings of split: " in outcome.out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_on_a_terminal_there_is_a_bar(tmp_path: Path) -> None:
    import pty
    import subprocess

    raw = delivered(tmp_path / "raw", delivery())
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        command("etl", "--data", raw, "--workspace", tmp_path / "w"),
        stdout=subprocess.PIPE,
        stderr=secondary,
        env=clean_environment() | {"TERM": "xterm-256color", "COLUMNS": "80"},
    )
    os.close(secondary)
    seen = b""
    try:
        while piece := _read(primary):
            seen += piece
    finally:
        os.close(primary)
    with process:
        out, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert "━".encode() in seen
    assert b"\x1b[" in seen
    assert b"360 lines read" in seen
    assert b"\x1b" not in out
    assert b"gold" in out


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:
        # Linux says so when the other side is closed.
        return b""
