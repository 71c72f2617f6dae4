from __future__ import annotations

import csv
import errno
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from basketwise.config import Config
from basketwise.errors import ConfigError, InputError, WorkspaceError
from basketwise.etl.lines.rules import Rules
from basketwise.etl.silver.chunks import read_chunks
from basketwise.features.groups import columns_of
from basketwise.features.unseen import Unseen
from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from basketwise.schema import CLASSES, COLUMNS, PROBABILITIES
from basketwise.serving import batch
from basketwise.serving.batch import BatchResult, predict
from basketwise.training.candidates import build
from basketwise.training.examples import read_examples
from basketwise.training.predictions import CALIBRATED, probability_columns
from tests.etl.running import Run, quiet
from tests.evaluation.running import Evaluated
from tests.raw_lines import LABEL, Line, line, write_csv

SCORES = ["p_low", "p_medium", "p_high", "known_share"]
HEADER = ["basket_id", "predicted_sensitivity", *SCORES, "certainty"]


@pytest.fixture(scope="module")
def scorer(evaluated: Evaluated) -> Model:
    return load_model_archive(evaluated.archive)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def score(data: Path, out: Path, scorer: Model) -> BatchResult:
    return predict(str(data), out, scorer, Config(), quiet, allow_unknown=True)


OWN_NAMES = Rules(columns={"BASKET_ID": "RECEIPT"})


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
    raw: Path, tmp_path: Path, scorer: Model, ids: Sequence[str], suffix: str
) -> None:
    write_csv(raw / "a.csv", [unlabelled(BASKET_ID=basket) for basket in ids])
    out = tmp_path / f"scored{suffix}"
    result = score(raw, out, scorer)
    if suffix == ".csv":
        results = [row["basket_id"] for row in rows(out)]
    else:
        results = [str(value) for value in pl.read_parquet(out)["basket_id"]]
    assert sorted(results) == sorted(ids)
    assert result.baskets == len(ids)


def test_both_formats_say_the_same(sample: Path, tmp_path: Path, scorer: Model) -> None:
    text, table = tmp_path / "scored.csv", tmp_path / "scored.PARQUET"
    first, second = score(sample, text, scorer), score(sample, table, scorer)
    assert (first.predicted, first.baskets) == (second.predicted, second.baskets)
    assert pl.read_csv(text).columns == pl.read_parquet(table).columns == HEADER
    assert pl.read_csv(text).equals(pl.read_parquet(table))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scored.PARQUET", "scored.csv"]


def test_a_file_system_that_cannot_be_written_to_is_named_as_the_reason(
    sample: Path, tmp_path: Path, scorer: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no temporary folder fits beside it, the output is moved there from TMPDIR."""
    out = tmp_path / "mount" / "scored.csv"
    out.parent.mkdir()
    replace, copy = Path.replace, shutil.copyfile

    def to_another_mount(self: Path, target: Path) -> Path:
        if target == out and self.parent != out.parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return replace(self, target)

    def to_a_read_only_mount(source: Path, target: Path) -> Path:
        if target.parent == out.parent:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return copy(source, target)

    monkeypatch.setattr(Path, "replace", to_another_mount)
    score(sample, out, scorer)
    assert [path.name for path in out.parent.iterdir()] == ["scored.csv"]
    monkeypatch.setattr(shutil, "copyfile", to_a_read_only_mount)
    with pytest.raises(WorkspaceError, match="Read-only file system"):
        score(sample, out, scorer)


def test_batches_agree_with_what_was_evaluated(
    sample: Path, sample_run: Run, evaluated: Evaluated, tmp_path: Path, scorer: Model
) -> None:
    out = tmp_path / "scored.parquet"
    result = score(sample, out, scorer)
    table = pl.read_parquet(out)
    assert result.baskets == table.height == sum(result.predicted.values())
    assert result.lines == sample_run.metadata.lines.read
    counts = dict(table["predicted_sensitivity"].value_counts().iter_rows())
    assert counts == {label: number for label, number in result.predicted.items() if number}
    assert list(result.predicted) == list(CLASSES)
    both = evaluated.predictions.join(table, on="basket_id", how="left", maintain_order="left")
    for name, judged in zip(PROBABILITIES, probability_columns(CALIBRATED), strict=True):
        assert both[name].cast(pl.Float32).equals(both[judged].alias(name))


def test_no_label_is_needed_and_a_bad_one_does_not_matter(
    raw: Path, tmp_path: Path, scorer: Model
) -> None:
    write_csv(raw / "without.csv", [unlabelled(BASKET_ID="1"), unlabelled(BASKET_ID="2")])
    mislabelled = [line(BASKET_ID="3", **{LABEL: "??"}), line(BASKET_ID="4", **{LABEL: "LA"})]
    more = [
        line(BASKET_ID="4", PROD_CODE="PRD2", **{LABEL: "UM"}),
        line(BASKET_ID="5", **{LABEL: ""}),
    ]
    write_csv(raw / "with.csv", [*mislabelled, *more])
    out = tmp_path / "scored.csv"
    result = score(raw, out, scorer)
    assert [row["basket_id"] for row in rows(out)] == ["1", "2", "3", "4", "5"]
    assert result.rejected == {}


def test_a_basket_is_one_row_however_its_lines_are_spread(
    sample_run: Run, tmp_path: Path, scorer: Model
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
    tables = []
    for folder in (whole, spread):
        out = folder.with_suffix(".parquet")
        score(folder, out, scorer)
        tables.append(pl.read_parquet(out))
    first, second = tables
    assert second["basket_id"].to_list() == some
    assert first["predicted_sensitivity"].equals(second["predicted_sensitivity"])


def test_weeks_are_scored_one_by_one_and_come_out_in_one_file(
    raw: Path, tmp_path: Path, scorer: Model, monkeypatch: pytest.MonkeyPatch
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
    predict(str(raw), out, scorer, Config(), tick, allow_unknown=True)
    assert [row["basket_id"] for row in rows(out)] == ["1", "0", "2"]
    assert ticks == [(1, 3), (2, 3), (3, 3)]


def test_files_that_are_not_read_are_named(raw: Path, tmp_path: Path, scorer: Model) -> None:
    write_csv(raw / "a.csv", [unlabelled(BASKET_ID="1")])
    (raw / "b.xlsx").touch()
    assert [file.name for file in score(raw, tmp_path / "o.csv", scorer).skipped] == ["b.xlsx"]


def test_refused_lines_are_counted_by_reason(raw: Path, tmp_path: Path, scorer: Model) -> None:
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
    out = tmp_path / "scored.csv"
    result = score(raw, out, scorer)
    assert result.lines == 5
    assert sum(result.rejected.values()) == 3
    assert result.rejected["duplicate_line"] == 1
    assert list(result.rejected) == sorted(result.rejected)
    # Baskets 2 and 3 have no line left.
    assert [row["basket_id"] for row in rows(out)] == ["1"]


def test_repeated_lines_are_treated_as_in_training(
    raw: Path, tmp_path: Path, scorer: Model
) -> None:
    write_csv(raw / "a.csv", [unlabelled(), unlabelled()])
    keeping = replace(
        scorer, metadata=scorer.metadata.model_copy(update={"rules": Rules(duplicates="keep")})
    )
    assert score(raw, tmp_path / "a.csv", scorer).rejected == {"duplicate_line": 1}
    assert score(raw, tmp_path / "b.csv", keeping).rejected == {}
    with pytest.warns(UserWarning, match="100 % of the lines .* never seen"):
        in_process = keeping.predict_proba(pl.read_csv(raw / "a.csv", infer_schema=False))
    assert in_process.select(PROBABILITIES).row(0) == tuple(
        float(rows(tmp_path / "b.csv")[0][name]) for name in PROBABILITIES
    )


def test_a_retailers_own_names_are_known_from_the_model(
    raw: Path, tmp_path: Path, scorer: Model
) -> None:
    named = replace(scorer, metadata=scorer.metadata.model_copy(update={"rules": OWN_NAMES}))
    line = unlabelled()
    write_csv(raw / "a.csv", [{"receipt": line.pop("BASKET_ID")} | line])
    assert score(raw, tmp_path / "a.csv", named).baskets == 1


def known_code(scorer: Model) -> str:
    return scorer.products[0]


def test_what_the_model_does_not_know_is_counted(
    raw: Path, tmp_path: Path, scorer: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "read_chunks", lambda silver: read_chunks(silver, lines=1))
    known, region = known_code(scorer), scorer.metadata.encoders.store_region[0]
    seen = {"PROD_CODE": known, "STORE_REGION": region, "SPEND": "1.00", "STORE_FORMAT": ""}
    new = seen | {"PROD_CODE": "NEW", "SPEND": "3.00"}
    write_csv(
        raw / "a.csv",
        [
            unlabelled(BASKET_ID="1", SHOP_WEEK="200607", **seen),
            unlabelled(BASKET_ID="1", SHOP_WEEK="200607", **new),
            unlabelled(BASKET_ID="2", SHOP_WEEK="200608", **seen | {"STORE_REGION": "E99"}),
            unlabelled(BASKET_ID="3", SHOP_WEEK="200608", **new | {"STORE_FORMAT": "XL"}),
            unlabelled(BASKET_ID="3", SHOP_WEEK="200608", **new | {"SPEND": "free"}),
            unlabelled(BASKET_ID="4", SHOP_WEEK="200608", **new | {"SPEND": "free"}),
        ],
    )
    out = tmp_path / "a.parquet"
    result = predict(str(raw), out, scorer, Config(), quiet)
    shares = pl.read_parquet(out).select("basket_id", "known_share").rows()
    assert shares == [(1, 0.5), (2, 1.0), (3, 0.0)]
    unseen = result.unseen
    assert (unseen.lines, unseen.unseen_lines, unseen.line_share) == (4, 2, 0.5)
    assert unseen.spend_share == 6 / 8
    assert (unseen.baskets, unseen.store_baskets) == (3, 2)
    assert unseen.stores == {"STORE_FORMAT": ["XL"], "STORE_REGION": ["E99"]}
    # Basket 4 has no row: it is not among those that lost lines.
    assert result.incomplete == 1


def test_baskets_of_silent_products_are_counted(raw: Path, tmp_path: Path, scorer: Model) -> None:
    assert scorer.index is not None
    codes = dict(scorer.index.select("class", "PROD_CODE").iter_rows())
    silent, high = (unlabelled(PROD_CODE=codes[name]) for name in ("Unclassified", "High"))
    baskets = {"1": [silent, silent | {"SPEND": "2.00"}], "2": [silent, high], "3": [silent]}
    write_csv(raw / "a.csv", [row | {"BASKET_ID": k} for k, own in baskets.items() for row in own])
    out = tmp_path / "a.csv"
    result = predict(str(raw), out, scorer, Config(), quiet)
    assert [row["certainty"] for row in rows(out)] == [
        "Unclassified",
        "Classified",
        "Unclassified",
    ]
    assert (result.baskets, result.uncertain, sum(result.predicted.values())) == (3, 2, 3)


@pytest.mark.parametrize("change", ["{}.0", "SKU-{}", " {} x"])
def test_data_without_a_known_product_is_refused_with_codes_of_both(
    raw: Path, tmp_path: Path, scorer: Model, change: str
) -> None:
    codes = [change.format(code) for code in scorer.products[:20]]
    write_csv(
        raw / "a.csv",
        [unlabelled(BASKET_ID=str(n), PROD_CODE=code) for n, code in enumerate(codes)],
    )
    out = tmp_path / "a.csv"
    with pytest.raises(InputError, match=r"knows no product of the data \(20 lines\)") as caught:
        predict(str(raw), out, scorer, Config(), quiet)
    assert repr(codes[0].strip()) in caught.value.hint
    assert repr(scorer.products[0]) in caught.value.hint
    assert "--allow-unknown" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]
    result = predict(str(raw), out, scorer, Config(), quiet, allow_unknown=True)
    assert (result.baskets, result.unseen.line_share) == (20, 1.0)
    requested = predict(str(raw), None, scorer, Config(), quiet, baskets=["3"]).requested
    assert requested is not None
    assert requested["known_share"].to_list() == [0.0]


@pytest.mark.parametrize("name", ["scored", "scored.json", "scored.csv.gz", ".csv"])
def test_another_format_is_refused_before_anything_is_read(
    tmp_path: Path, scorer: Model, name: str
) -> None:
    with pytest.raises(ConfigError, match=r"--out .* has the extension") as caught:
        score(tmp_path / "absent", tmp_path / name, scorer)
    assert ".csv or .parquet" in caught.value.hint


def test_missing_data_is_the_inputs_fault(tmp_path: Path, scorer: Model) -> None:
    with pytest.raises(InputError, match="No raw files found"):
        score(tmp_path / "absent", tmp_path / "scored.csv", scorer)


def test_folders_on_the_way_are_made(raw: Path, tmp_path: Path, scorer: Model) -> None:
    write_csv(raw / "a.csv", [unlabelled()])
    out = tmp_path / "new" / "deeper" / "scored.csv"
    assert score(raw, out, scorer).out == out
    assert len(rows(out)) == 1


def test_what_cannot_be_written_is_stated(raw: Path, tmp_path: Path, scorer: Model) -> None:
    write_csv(raw / "a.csv", [unlabelled()])
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.csv").mkdir()
    for out in (tmp_path / "file" / "scored.csv", tmp_path / "folder.csv"):
        with pytest.raises(WorkspaceError, match="cannot be written"):
            score(raw, out, scorer)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.csv", "raw"]


class BreaksOnTheSecond:
    """A scorer that fails when most of the work is done."""

    def __init__(self, scorer: Model) -> None:
        self.scorer, self.calls = scorer, 0
        self.metadata, self.rules = scorer.metadata, scorer.rules

    def score(self, lines: pl.DataFrame, unseen: Unseen) -> pl.DataFrame:
        self.calls += 1
        if self.calls == 2:
            raise RuntimeError("broken")
        return self.scorer.score(lines, unseen)


def test_a_failure_leaves_the_earlier_file_and_nothing_else(
    raw: Path, tmp_path: Path, scorer: Model, monkeypatch: pytest.MonkeyPatch
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
    raw: Path, tmp_path: Path, scorer: Model, monkeypatch: pytest.MonkeyPatch
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


def test_explained_rows_are_the_same_and_say_why(
    sample: Path, tmp_path: Path, scorer: Model
) -> None:
    plain = tmp_path / "plain.parquet"
    score(sample, plain, scorer)
    tables = []
    for name in ("a.csv", "a.parquet"):
        out = tmp_path / name
        result = predict(str(sample), out, scorer, Config(), quiet, explained=True)
        assert (result.out, result.requested) == (out, None)
        tables.append(pl.read_csv(out) if out.suffix == ".csv" else pl.read_parquet(out))
    assert tables[0].equals(tables[1])
    assert tables[0].columns == [*HEADER, "explanation"]
    assert tables[1].drop("explanation").equals(pl.read_parquet(plain))
    starts = tables[1]["explanation"].str.split(" ").list.first()
    assert starts.to_list() == tables[1]["predicted_sensitivity"].to_list()


def test_explanations_are_the_same_however_the_work_is_cut(
    sample: Path, tmp_path: Path, scorer: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole.csv", tmp_path / "cut.csv"
    predict(str(sample), whole, scorer, Config(), quiet, explained=True)
    monkeypatch.setattr(batch, "read_chunks", lambda silver: read_chunks(silver, lines=1))
    predict(str(sample), cut, scorer, Config(), quiet, explained=True)
    assert whole.read_bytes() == cut.read_bytes()


@pytest.mark.parametrize("name", [None, "asked.csv", "asked.parquet"])
def test_baskets_asked_for_come_in_that_order_with_their_products(
    sample: Path, sample_run: Run, tmp_path: Path, scorer: Model, name: str | None
) -> None:
    predict(str(sample), tmp_path / "all.parquet", scorer, Config(), quiet, explained=True)
    all_rows = pl.read_parquet(tmp_path / "all.parquet")
    # The last week's first, and one of them twice.
    ids = all_rows["basket_id"].gather([-1, 0, -1, 700]).cast(pl.String).to_list()
    out = tmp_path / name if name else None
    result = predict(str(sample), out, scorer, Config(), quiet, baskets=ids)
    assert result.requested is not None
    assert (result.out, result.baskets, sum(result.predicted.values())) == (out, 3, 3)
    assert result.requested.drop("products").equals(all_rows[[-1, 0, 700]])
    lines = pl.concat(chunk.lines for chunk in read_chunks(sample_run.silver))
    for basket, products in result.requested.select("basket_id", "products").iter_rows():
        own = lines.filter(pl.col("BASKET_ID") == basket)
        counts = dict(own["PROD_CODE"].value_counts().iter_rows())
        assert {product["prod_code"]: product["lines"] for product in products} == counts
    if out is not None:
        actual = pl.read_csv(out) if out.suffix == ".csv" else pl.read_parquet(out)
        assert actual.equals(all_rows[[0, 700, -1]])


def test_an_id_is_taken_letter_by_letter(raw: Path, scorer: Model) -> None:
    write_csv(raw / "a.csv", [unlabelled(BASKET_ID="7"), unlabelled(BASKET_ID="8")])
    requested = predict(str(raw), None, scorer, Config(), quiet, baskets=["8"]).requested
    assert requested is not None
    assert requested["basket_id"].to_list() == [8]
    write_csv(raw / "b.csv", [unlabelled(BASKET_ID="07")])
    requested = predict(str(raw), None, scorer, Config(), quiet, baskets=["07", "7"]).requested
    assert requested is not None
    assert requested["basket_id"].to_list() == ["07", "7"]


@pytest.mark.parametrize("basket", ["07", "7 ", "", "9", "3"])
def test_a_basket_that_cannot_be_scored_is_named_and_nothing_is_written(
    raw: Path, tmp_path: Path, scorer: Model, basket: str
) -> None:
    write_csv(raw / "a.csv", [unlabelled(BASKET_ID="7"), unlabelled(BASKET_ID="3", SPEND="free")])
    with pytest.raises(InputError, match=f"no basket '{basket}' that can be scored") as caught:
        predict(str(raw), tmp_path / "a.csv", scorer, Config(), quiet, baskets=["7", basket])
    assert "exactly as in the data" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_model_that_does_not_look_at_products_says_so(
    sample: Path, sample_run: Run, tmp_path: Path, scorer: Model
) -> None:
    columns = columns_of(["basket"])
    train = read_examples(sample_run.gold / "train_features.parquet", columns)
    model = build("decision_tree", Config().training, train.y.size).fit(train.X, train.y)
    changes = {"feature_columns": columns, "groups": ["basket"]}
    metadata = scorer.metadata.model_copy(update=changes)
    blind = replace(scorer, estimator=model, metadata=metadata, lookup=None, novelty=None)
    out = tmp_path / "a.parquet"
    predict(str(sample), out, blind, Config(), quiet, explained=True)
    table = pl.read_parquet(out)
    assert table["known_share"].to_list() == [None] * table.height
    assert table.schema["known_share"] == pl.Float64
    assert table["certainty"].to_list() == ["Classified"] * table.height
    assert table["explanation"].str.ends_with("%). This model does not use products.").all()
    basket = str(table["basket_id"][0])
    requested = predict(str(sample), None, blind, Config(), quiet, baskets=[basket]).requested
    assert requested is not None
    assert requested["products"].to_list() == [[]]
