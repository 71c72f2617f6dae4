"""The command, without any training of Basketwise."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks.rules import __main__ as command
from benchmarks.rules import product
from benchmarks.rules.lines import Made, Source, UnusableDataError
from benchmarks.rules.peers import PEERS
from benchmarks.rules.product import Scores
from benchmarks.rules.rows import rows_of
from benchmarks.rules.split import Baskets, split

HEADER = len(command.HEADER)


@pytest.fixture
def guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the peers by one that always predicts Medium."""

    def medium(train: Baskets, test: Baskets) -> np.ndarray:
        return np.ones(test.y.size, dtype=np.int8)

    monkeypatch.setattr(command, "PEERS", dict.fromkeys(PEERS, medium))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.usefixtures("guessed")
def test_the_table_has_a_line_per_row(source: Source, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "weeks-2,noise-20"
    command.main([str(source.folder), "--rows", rows, "--only", "peers"])
    lines = capsys.readouterr().out.splitlines()
    assert cells(lines[0]) == list(command.HEADER)
    table = [cells(line) for line in lines[2:4]]
    assert [len(row) for row in table] == [HEADER, HEADER]
    assert [row[0] for row in table] == ["`weeks-2`", "`noise-20`"]
    _, test = split(rows_of(None)["weeks-2"].make(source))
    assert table[0][2:4] == [f"{test.y.size:,}", "–"]
    assert table[0][-1] == f"{(test.y == 1).mean():.4f}"
    # Compared with the clean labels, not with the noisy ones.
    noisy = rows_of(None)["noise-20"].make(source)
    clean = product.truth(split(noisy)[1].ids, noisy.clean) if noisy.clean is not None else None
    assert clean is not None
    assert table[1][-1] == f"{(clean == 1).mean():.4f}"


def test_basketwise_stands_beside_them(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(made: Made, settings: list[str]) -> Scores:
        asked.append(settings)
        return Scores(split(made)[1].ids, "xgboost", 0.9, 0.8, 0.3, 0.01, 0.95)

    monkeypatch.setattr(command, "run", run)
    row = rows_of(None)["weeks-1"]
    line = list(command.measured(row, source, peers=False, product=True, models="xgboost"))
    assert line[1:7] == ["0.9000", "0.8000", "0.3000", "0.0100", "0.9500", "xgboost"]
    assert line[7:] == ["–"] * 3
    assert asked == [["training.models=xgboost"]]


def test_another_test_set_would_be_noticed(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Scores(pl.Series([1]), "xgboost", 1, 1, 0, 0, 1)
    monkeypatch.setattr(command, "run", lambda *_: other)
    with pytest.raises(AssertionError, match="another test set"):
        list(command.measured(rows_of(None)["weeks-1"], source, peers=False, product=True))


def test_a_row_of_a_missing_feature_group_says_so(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.rules.rows.FEATURE_GROUPS", ("basket",))
    row = rows_of(None)["e-customer"]
    line = list(command.measured(row, source, peers=True, product=True))
    assert line == ["not available"] * (HEADER - 2)


def test_basketwise_is_run_on_the_same_test_weeks(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    class StoppedError(Exception):
        pass

    def measure(words: list[str]) -> None:
        commands.append(words)
        raise StoppedError

    monkeypatch.setattr(product, "measure", measure)
    for name in ("default", "weeks-1"):
        with pytest.raises(StoppedError):
            product.run(rows_of(None)[name].make(source), ["training.models=logistic"])
    assert [word for word in commands[0] if "=" in word] == ["training.models=logistic"]
    assert next(word for word in commands[1] if "=" in word).startswith("split.test_size=0.8")


def test_unknown_rows_are_named() -> None:
    with pytest.raises(UnusableDataError, match="'x' is not a row; there are default, weeks-1"):
        command.chosen_rows("a,x", rows_of(None))
    assert list(command.chosen_rows("g,a", rows_of(None))) == ["g", "a"]
    assert list(command.chosen_rows("", rows_of(None))) == list(rows_of(None))
