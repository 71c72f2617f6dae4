import hashlib
from pathlib import Path

import polars as pl
import pytest

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.lines.layout import settle_sources
from basketwise.etl.raw import parquet_reading
from basketwise.etl.raw.discovery import discover
from basketwise.etl.silver.chunks import weeks
from tests.etl.running import rules, run_intake
from tests.raw_lines import LABEL, Line, line, write_csv

ONE = [line(PROD_CODE=f"PRD{number}") for number in range(3)]
TWO = [line(BASKET_ID="994100100000002", PROD_CODE=f"PRD{number}", SPEND="2") for number in (1, 2)]
LATER = [line(BASKET_ID="994100100000003", SHOP_WEEK="200608")]


def without(lines: list[Line], *names: str) -> list[Line]:
    return [{k: v for k, v in line.items() if k not in names} for line in lines]


@pytest.mark.parametrize(
    "files",
    [
        {"a": ONE + TWO + LATER},
        {"a": ONE + TWO, "b": LATER},
        {"a": [*ONE[:1], *LATER, *TWO[:1]], "b": [*ONE[1:], *TWO[1:]]},
        {"a": LATER, "b": TWO, "c": ONE},
    ],
    ids=["one file", "a file a week", "weeks cut across files", "any order"],
)
def test_the_cut_into_files_does_not_matter(tmp_path: Path, files: dict[str, list[Line]]) -> None:
    for name, lines in files.items():
        write_csv(tmp_path / "raw" / f"{name}.csv", lines)
    result = run_intake(tmp_path / "raw", tmp_path / "out")
    assert [week for week, _ in weeks(tmp_path / "out" / "silver")] == [200607, 200608]
    assert result.accepted["BASKET_ID"].to_list() == [
        *[994100100000001] * 3,
        *[994100100000002] * 2,
        994100100000003,
    ]
    assert result.accepted.sort("BASKET_ID", "PROD_CODE")["PROD_CODE"].to_list() == [
        *["PRD0", "PRD1", "PRD2"],
        *["PRD1", "PRD2"],
        "PRD1",
    ]
    assert result.reasons == {}
    assert result.survey.baskets["lines"].to_list() == [3, 2, 1]
    assert [record.name for record in result.intake.files] == [f"{name}.csv" for name in files]
    assert [record.lines for record in result.intake.files] == [len(x) for x in files.values()]


def test_a_files_record_has_its_digest_and_size(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "raw" / "a.csv", ONE)
    (record,) = run_intake(tmp_path / "raw", tmp_path / "out").intake.files
    assert record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record.bytes == path.stat().st_size


def test_refused_lines_are_stored_with_source_row_and_reason(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", [*ONE, line(SPEND="free"), line(PROD_CODE="")])
    write_csv(tmp_path / "raw" / "b.csv", [line(QUANTITY="0"), *TWO])
    intake_result = run_intake(tmp_path / "raw", tmp_path / "out")
    result = intake_result.rejected.select("source", "row", "reason", "PROD_CODE").sort(
        "source", "row"
    )
    assert result.rows() == [
        ("a.csv", 4, "spend_not_a_number", "PRD1"),
        ("a.csv", 5, "missing_prod_code", None),
        ("b.csv", 1, "quantity_not_positive", "PRD1"),
    ]
    assert intake_result.reasons == {
        "spend_not_a_number": 1,
        "missing_prod_code": 1,
        "quantity_not_positive": 1,
    }


def test_rows_are_counted_through_all_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_reading, "WHOLE_BELOW", 0)
    monkeypatch.setattr(parquet_reading, "BATCH_ROWS", 5)
    lines = [line(PROD_CODE=f"PRD{number}") for number in range(40)]
    lines[33] = line(SPEND="")
    lines[39] |= {"QUANTITY": "2"}
    write_csv(tmp_path / "raw" / "a.csv", [*lines, lines[2]])
    result = run_intake(tmp_path / "raw", tmp_path / "out")
    assert result.rejected.select("row", "reason").sort("row").rows() == [
        (34, "missing_spend"),
        (41, "duplicate_line"),
    ]


def test_duplicates_within_a_file_and_across_files(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", [*ONE, ONE[1], line(PROD_CODE="W", QUANTITY="0.5")])
    # 1.5 and 1.50 are the same spend; 1.51 is not.
    write_csv(tmp_path / "raw" / "b.csv", [ONE[0] | {"SPEND": "1.5"}, ONE[0] | {"SPEND": "1.51"}])
    result = run_intake(tmp_path / "raw", tmp_path / "out")
    assert sorted(result.accepted["SPEND"]) == [1.5, 1.5, 1.5, 1.5, 1.51]
    assert result.rejected.select("source", "row", "reason").sort("source").rows() == [
        ("a.csv", 4, "duplicate_line"),
        ("b.csv", 1, "duplicate_line"),
    ]


def test_duplicates_may_be_kept(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", [*ONE, ONE[1]])
    result = run_intake(tmp_path / "raw", tmp_path / "out", rules(duplicates="keep"))
    assert result.accepted.height == 4
    assert result.reasons == {}


def test_the_same_file_twice_counts_once_and_is_reported(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_csv(tmp_path / "raw" / f"{name}.csv", ONE + TWO)
    result = run_intake(tmp_path / "raw", tmp_path / "out")
    assert result.accepted.height == 5
    assert result.reasons == {"duplicate_line": 5}
    assert set(result.rejected["source"]) == {"b.csv"}
    assert result.intake.warnings() == ["b.csv has the same content as a.csv"]


def test_a_basket_with_two_labels_is_refused_whole(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", ONE + TWO)
    write_csv(tmp_path / "raw" / "b.csv", [line(PROD_CODE="PRD9", **{LABEL: "UM"})])
    result = run_intake(tmp_path / "raw", tmp_path / "out")
    assert result.reasons == {"basket_labels_disagree": 4}
    assert set(result.accepted["BASKET_ID"]) == {994100100000002}


def test_two_spellings_of_one_label_agree(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", [*ONE, line(PROD_CODE="PRD9", **{LABEL: "medium"})])
    assert run_intake(tmp_path / "raw", tmp_path / "out").reasons == {}


def test_a_basket_in_two_weeks_is_refused_whole(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", [*ONE, *LATER, ONE[0] | {"SHOP_WEEK": "200608"}])
    result = run_intake(tmp_path / "raw", tmp_path / "out")
    assert result.reasons == {"basket_in_two_weeks": 4}
    assert set(result.accepted["BASKET_ID"]) == {994100100000003}


def test_a_refused_line_does_not_make_its_basket_contradict_itself(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", [*ONE, line(SPEND="", **{LABEL: "UM"})])
    assert run_intake(tmp_path / "raw", tmp_path / "out").reasons == {"missing_spend": 1}


def test_text_ids_keep_their_zeros(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", [line(BASKET_ID="7"), line(BASKET_ID="8")])
    write_csv(tmp_path / "raw" / "b.csv", [line(BASKET_ID="007", SHOP_WEEK="200608")])
    result = run_intake(tmp_path / "raw", tmp_path / "out")
    assert result.accepted["BASKET_ID"].to_list() == ["7", "8", "007"]
    assert result.survey.baskets["BASKET_ID"].to_list() == ["007", "7", "8"]
    assert result.reasons == {}


def test_fifteen_digits_are_kept_as_integers_whatever_the_format(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", ONE)
    table = pl.DataFrame(TWO).with_columns(pl.col("BASKET_ID").cast(pl.Int64))
    table.write_parquet(tmp_path / "raw" / "b.parquet")
    result = run_intake(tmp_path / "raw", tmp_path / "out")
    assert result.accepted.schema["BASKET_ID"] == pl.Int64
    assert result.survey.baskets["BASKET_ID"].to_list() == [994100100000001, 994100100000002]


def test_files_without_weeks_share_a_partition(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", without(ONE, "SHOP_WEEK", "SHOP_DATE"))
    write_csv(tmp_path / "raw" / "b.csv", LATER)
    result = run_intake(tmp_path / "raw", tmp_path / "out")
    assert [week for week, _ in weeks(tmp_path / "out" / "silver")] == [0, 200608]
    (warning,) = result.intake.warnings()
    assert "no column SHOP_WEEK" in warning


def test_the_calendar_beside_the_lines_is_passed_over(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", ONE)
    calendar = {"shop_week": "200607", "date_from": "20060410", "date_to": "20060416"}
    write_csv(tmp_path / "raw" / "time.csv", [calendar])
    result = run_intake(tmp_path / "raw", tmp_path / "out")
    assert [record.lines for record in result.intake.files] == [3, 0]
    assert result.accepted.height == 3


def test_lines_to_predict_need_no_label(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", without(ONE, LABEL))
    result = run_intake(tmp_path / "raw", tmp_path / "out", rules(labelled=False))
    assert result.accepted[LABEL].to_list() == [None] * 3


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line(SPEND=""), line(SPEND="x"), line(SPEND="")], "3 lines .* 2 missing_spend, 1 spend_"),
        ([line(), line(**{LABEL: "UM"})], "2 lines .* 2 basket_labels_disagree"),
    ],
)
def test_when_nothing_is_left_the_reasons_are_reported(
    tmp_path: Path, lines: list[Line], message: str
) -> None:
    write_csv(tmp_path / "raw" / "a.csv", lines)
    with pytest.raises(InputError, match=f"None of the {message}"):
        run_intake(tmp_path / "raw", tmp_path / "out")


def test_a_file_that_cannot_be_read_stops_the_intake(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "a.csv", ONE)
    write_csv(tmp_path / "raw" / "b.csv", [line(BASKET_ID="9.94E+14")])
    write_csv(tmp_path / "raw" / "c.csv", TWO)
    with pytest.raises(InputError, match=r"'b\.csv' has the BASKET_ID '9\.94E\+14'"):
        run_intake(tmp_path / "raw", tmp_path / "out")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_retailers_own_column_names(tmp_path: Path, suffix: str) -> None:
    own = {"BASKET_ID": "TransactionID", "PROD_CODE": "sku", "SPEND": "Amount"}
    lines = pl.DataFrame(ONE).rename(own)
    (tmp_path / "raw").mkdir()
    path = tmp_path / "raw" / f"a{suffix}"
    lines.write_csv(path) if suffix == ".csv" else lines.write_parquet(path)
    result = run_intake(tmp_path / "raw", tmp_path / "out", data=DataConfig(columns=own))
    write_csv(tmp_path / "ours" / "a.csv", ONE)
    expected = run_intake(tmp_path / "ours", tmp_path / "expected")
    assert result.accepted.drop("source").equals(expected.accepted.drop("source"))


@pytest.mark.parametrize("price", ["SPEND", "UNIT_PRICE"])
@pytest.mark.parametrize("points", ["csv", "parquet"])
def test_each_table_is_read_with_its_own_decimal_mark(
    tmp_path: Path, price: str, points: str
) -> None:
    raw = tmp_path / "raw"
    commas, both = ["12,50", "1.234", "0,125"], ["12.50", "1.234", "0,125"]
    amounts = {"a": commas, "b": ["12.50", "1.234", "0.125", "1,234"], "c": ["2"], "d": both}
    for name, values in amounts.items():
        lines = [line(SPEND=text, PROD_CODE=f"{name}{n}") for n, text in enumerate(values)]
        priced = [{price if k == "SPEND" else k: v for k, v in one.items()} for one in lines]
        if name == "b" and points == "parquet":
            pl.DataFrame(priced).write_parquet(raw / "b.parquet")
        else:
            write_csv(raw / f"{name}.csv", priced)
    settled = settle_sources(discover(str(raw)), rules(), DataConfig())
    result = run_intake(raw, tmp_path / "out", settled)
    assert result.accepted.sort("PROD_CODE").select("PROD_CODE", "SPEND").rows() == [
        *[("a0", 12.5), ("a1", 1234), ("a2", 0.125)],
        *[("b0", 12.5), ("b1", 1.234), ("b2", 0.125), ("b3", 1234)],
        *[("c0", 2), ("d0", 12.5), ("d2", 0.125)],
    ]
    assert result.reasons == {"spend_not_a_number": 1}
    (warning,) = result.intake.warnings()
    assert warning.startswith("d.csv: amounts have decimal points and decimal commas; ")


def test_a_table_without_lines_is_named_among_others_and_refused_alone(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write_csv(raw / "a.csv", [line()])
    header = (raw / "a.csv").read_text().splitlines()[0]
    (raw / "b.csv").write_text(header)
    intake = run_intake(raw, tmp_path / "out").intake
    assert intake.warnings() == ["b.csv: no lines"]
    (raw / "a.csv").unlink()
    with pytest.raises(InputError, match=r"There are no lines in 'b\.csv'"):
        run_intake(raw, tmp_path / "other")
