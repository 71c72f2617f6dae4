from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from basketwise.config import Config
from basketwise.errors import ConfigError, InputError, WorkspaceError
from basketwise.schema import CLASSES, COLUMNS
from basketwise.serving import batch
from basketwise.serving.batch import BatchResult, predict
from basketwise.serving.scorer import Scorer, load_scorer
from basketwise.silver.chunks import read_chunks
from tests.evaluation.running import Evaluated
from tests.gold.running import Run, quiet
from tests.raw_lines import LABEL, Line, line, write_csv

HEADER = ["basket_id", "predicted_sensitivity", "p_low", "p_medium", "p_high"]


@pytest.fixture(scope="module")
def scorer(evaluated: Evaluated) -> Scorer:
    return load_scorer(evaluated.archive)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def score(data: Path, out: Path, scorer: Scorer) -> BatchResult:
    return predict(str(data), out, scorer, Config(), quiet)


def unlabelled(**changes: str) -> Line:
    values = line(**changes)
    del values[LABEL]
    return values


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(
    "ids",
    [
        ["994100100000001", "994100100000002", "999999999999999"],
        ["000994100100001", "994100100001", "0"],
        ["A-17", "b 2", "Ärger, 3"],
        ["1", "2", "X3"],
        ["9223372036854775808", "7"],
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_ids_come_back_letter_by_letter(
    raw: Path, tmp_path: Path, scorer: Scorer, ids: Sequence[str], suffix: str
) -> None:
    write_csv(raw / "a.csv", [unlabelled(BASKET_ID=basket) for basket in ids])
    out = tmp_path / f"scored{suffix}"
    result = score(raw, out, scorer)
    if suffix == ".csv":
        found = [row["basket_id"] for row in rows(out)]
    else:
        found = [str(value) for value in pl.read_parquet(out)["basket_id"]]
    assert sorted(found) == sorted(ids)
    assert result.baskets == len(ids)


def test_both_formats_say_the_same(sample: Path, tmp_path: Path, scorer: Scorer) -> None:
    text, table = tmp_path / "scored.csv", tmp_path / "scored.PARQUET"
    first, second = score(sample, text, scorer), score(sample, table, scorer)
    assert (first.predicted, first.baskets) == (second.predicted, second.baskets)
    assert pl.read_csv(text).columns == pl.read_parquet(table).columns == HEADER
    assert pl.read_csv(text).equals(pl.read_parquet(table))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scored.PARQUET", "scored.csv"]


def test_batches_agree_with_what_was_evaluated(
    sample: Path, sample_run: Run, evaluated: Evaluated, tmp_path: Path, scorer: Scorer
) -> None:
    out = tmp_path / "scored.parquet"
    result = score(sample, out, scorer)
    table = pl.read_parquet(out)
    assert result.baskets == table.height == sum(result.predicted.values())
    assert result.lines == sample_run.metadata.lines.read
    counts = dict(table["predicted_sensitivity"].value_counts().iter_rows())
    assert counts == {label: number for label, number in result.predicted.items() if number}
    assert list(result.predicted) == list(CLASSES)
    judged, winner = evaluated.predictions, evaluated.record.winner
    both = judged.join(table, on="basket_id", how="left", maintain_order="left")
    for label in CLASSES:
        name = f"p_{label.lower()}"
        assert both[name].cast(pl.Float32).equals(both[f"{winner}_{name}"].alias(name))


def test_no_label_is_needed_and_a_bad_one_does_not_matter(
    raw: Path, tmp_path: Path, scorer: Scorer
) -> None:
    write_csv(raw / "without.csv", [unlabelled(BASKET_ID="1"), unlabelled(BASKET_ID="2")])
    odd = [line(BASKET_ID="3", **{LABEL: "??"}), line(BASKET_ID="4", **{LABEL: "LA"})]
    more = [
        line(BASKET_ID="4", PROD_CODE="PRD2", **{LABEL: "UM"}),
        line(BASKET_ID="5", **{LABEL: ""}),
    ]
    write_csv(raw / "with.csv", [*odd, *more])
    result = score(raw, tmp_path / "scored.csv", scorer)
    assert [row["basket_id"] for row in rows(result.out)] == ["1", "2", "3", "4", "5"]
    assert result.rejected == {}


def test_a_basket_is_one_row_however_its_lines_are_spread(
    sample_run: Run, tmp_path: Path, scorer: Scorer
) -> None:
    lines = next(read_chunks(sample_run.silver)).lines
    some = lines["BASKET_ID"].unique().sort()[:40].to_list()
    columns = [column.name for column in COLUMNS if column.name != LABEL]
    chosen = lines.filter(pl.col("BASKET_ID").is_in(some)).select(columns)
    whole, spread = tmp_path / "whole", tmp_path / "spread"
    for folder in (whole, spread):
        folder.mkdir()
    chosen.write_csv(whole / "all.csv")
    for k in range(3):
        chosen.gather_every(3, k).write_csv(spread / f"part{k}.csv")
    together = score(whole, tmp_path / "whole.parquet", scorer)
    apart = score(spread, tmp_path / "spread.parquet", scorer)
    first, second = pl.read_parquet(together.out), pl.read_parquet(apart.out)
    assert second["basket_id"].to_list() == some
    assert first["predicted_sensitivity"].equals(second["predicted_sensitivity"])


def test_weeks_are_scored_one_by_one_and_come_out_in_one_file(
    raw: Path, tmp_path: Path, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = lambda silver: read_chunks(silver, lines=1)  # noqa: E731
    monkeypatch.setattr(batch, "read_chunks", small)
    weeks = ["200652", "200607", "200701"]
    write_csv(
        raw / "a.csv",
        [unlabelled(BASKET_ID=str(n), SHOP_WEEK=week) for n, week in enumerate(weeks)],
    )
    ticks: list[tuple[int, int]] = []

    def tick(what: str, done: int, total: int) -> None:
        if what == "scoring":
            ticks.append((done, total))

    out = tmp_path / "scored.csv"
    predict(str(raw), out, scorer, Config(), tick)
    assert [row["basket_id"] for row in rows(out)] == ["1", "0", "2"]
    assert ticks == [(1, 3), (2, 3), (3, 3)]


def test_refused_lines_are_counted_by_reason(raw: Path, tmp_path: Path, scorer: Scorer) -> None:
    good = unlabelled(BASKET_ID="1")
    write_csv(
        raw / "a.csv",
        [
            good,
            good,
            unlabelled(BASKET_ID="1", PROD_CODE="PRD2"),
            unlabelled(BASKET_ID="2", SPEND="free"),
            unlabelled(BASKET_ID="3", QUANTITY="0"),
        ],
    )
    result = score(raw, tmp_path / "scored.csv", scorer)
    assert result.lines == 5
    assert sum(result.rejected.values()) == 3
    assert result.rejected["duplicate_line"] == 1
    assert list(result.rejected) == sorted(result.rejected)
    # Baskets 2 and 3 have no line left.
    assert [row["basket_id"] for row in rows(result.out)] == ["1"]


def test_duplicates_can_be_kept(raw: Path, tmp_path: Path, scorer: Scorer) -> None:
    write_csv(raw / "a.csv", [unlabelled(), unlabelled()])
    config = Config.model_validate({"etl": {"duplicates": "keep"}})
    assert predict(str(raw), tmp_path / "a.csv", scorer, config, quiet).rejected == {}


@pytest.mark.parametrize("name", ["scored", "scored.json", "scored.csv.gz", ".csv"])
def test_another_format_is_refused_before_anything_is_read(
    tmp_path: Path, scorer: Scorer, name: str
) -> None:
    with pytest.raises(ConfigError, match=r"--out .* ends in") as caught:
        score(tmp_path / "absent", tmp_path / name, scorer)
    assert ".csv or .parquet" in caught.value.hint


def test_missing_data_is_the_inputs_fault(tmp_path: Path, scorer: Scorer) -> None:
    with pytest.raises(InputError, match="No raw files found"):
        score(tmp_path / "absent", tmp_path / "scored.csv", scorer)


def test_folders_on_the_way_are_made(raw: Path, tmp_path: Path, scorer: Scorer) -> None:
    write_csv(raw / "a.csv", [unlabelled()])
    out = tmp_path / "new" / "deeper" / "scored.csv"
    assert score(raw, out, scorer).out == out
    assert len(rows(out)) == 1


def test_what_cannot_be_written_is_said(raw: Path, tmp_path: Path, scorer: Scorer) -> None:
    write_csv(raw / "a.csv", [unlabelled()])
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.csv").mkdir()
    for out in (tmp_path / "file" / "scored.csv", tmp_path / "folder.csv"):
        with pytest.raises(WorkspaceError, match="cannot be written"):
            score(raw, out, scorer)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.csv", "raw"]


class BreaksOnTheSecond:
    """A scorer that fails when most of the work is done."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer, self.calls = scorer, 0

    def score(self, lines: pl.DataFrame) -> pl.DataFrame:
        self.calls += 1
        if self.calls == 2:
            raise RuntimeError("broken")
        return self.scorer.score(lines)


def test_a_failure_leaves_the_earlier_file_and_nothing_else(
    raw: Path, tmp_path: Path, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "read_chunks", lambda silver: read_chunks(silver, lines=1))
    weeks = ["200607", "200608"]
    write_csv(
        raw / "a.csv",
        [unlabelled(BASKET_ID=str(n), SHOP_WEEK=week) for n, week in enumerate(weeks)],
    )
    out = tmp_path / "scored.csv"
    out.write_text("earlier")
    broken: object = BreaksOnTheSecond(scorer)
    with pytest.raises(RuntimeError, match="broken"):
        predict(str(raw), out, broken, Config(), quiet)  # type: ignore[arg-type]
    assert out.read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "scored.csv"]


def test_the_file_appears_only_when_it_is_whole(
    raw: Path, tmp_path: Path, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(raw / "a.csv", [unlabelled()])
    out = tmp_path / "scored.csv"

    def disk_full(_: pl.LazyFrame, path: Path) -> None:
        assert path != out
        path.write_text("half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.LazyFrame, "sink_csv", disk_full)
    with pytest.raises(WorkspaceError, match="No space left on device"):
        score(raw, out, scorer)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]
