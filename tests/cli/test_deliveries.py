"""Odd files that shops deliver, from the command line: what is read, refused or named."""

from __future__ import annotations

import bz2
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.cli.calling import Outcome, call
from tests.raw_lines import Line, csv_text, line

LABELS = ("LA", "MM", "UM")
BASKETS, SIZE = 60, 5
COUNT = BASKETS * SIZE


def lines() -> list[Line]:
    return [
        {"NAME": "Item"}
        | line(
            BASKET_ID=str(70_000 + basket),
            PROD_CODE=f"P{100 + (basket * 3 + number) % 20}",
            SPEND=f"{number + 1}.50",
            QUANTITY=str(1 + number % 2),
            SHOP_WEEK=str(202501 + basket % 4),
            BASKET_PRICE_SENSITIVITY=LABELS[basket % 3],
        )
        for basket in range(BASKETS)
        for number in range(SIZE)
    ]


def written(folder: Path, text: str | bytes, name: str = "lines.csv") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def etl(raw: Path, workspace: Path, split: str = "stratified") -> Outcome:
    return call(
        *("etl", "--data", raw, "--workspace", workspace, "--split", split, "--json"),
        *("--set", "training.folds=2"),
        *("--set", "features.tried=[]"),
        *("--set", "index.refine_rounds=1"),
    )


def silver(workspace: Path) -> pl.DataFrame:
    parts = sorted((workspace / "silver").glob("shop_week=*/*.parquet"))
    return pl.concat(pl.read_parquet(part) for part in parts)


def rejected(workspace: Path) -> dict[int, str]:
    parts = sorted((workspace / "silver" / "_rejected").glob("*.parquet"))
    if not parts:
        return {}
    table = pl.concat(pl.read_parquet(part) for part in parts)
    return dict(table.select("row", "reason").iter_rows())


def with_name(numbers: tuple[int, ...], name: str) -> str:
    """Write the lines, some of them with another name, which is not quoted as it should be."""
    header, *rows = csv_text(lines()).splitlines()
    for number in numbers:
        rows[number - 1] = rows[number - 1].replace("Item", name, 1)
    return "\n".join([header, *rows]) + "\n"


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (with_name((102, 202), '"Big x'), {102: "unclosed_quote", 202: "unclosed_quote"}),
        (with_name((102, 202), r'"5\" x"'), {102: "text_after_quote", 202: "text_after_quote"}),
        (with_name((102,), '"Big x'), {102: "unclosed_quote"}),
        (with_name((102, 202), "Yoghurt, 4"), {102: "too_many_fields", 202: "too_many_fields"}),
        (with_name((202,), '5" x'), {}),
        (csv_text(lines()).replace("\n", "\r"), {}),
        ("\n" + csv_text(lines()), {}),
        (csv_text(lines()).encode("utf-16"), {}),
        (csv_text(lines()).replace("\n", "\n\n"), {}),
        (csv_text(lines(), separator=";").replace(".50", ",50"), {}),
        (csv_text(lines(), separator="\t").replace(".50", ",50"), {}),
        (csv_text(lines()).replace("70000", "5E0001"), {}),
        (csv_text(lines()).replace("70000", "9e289761"), {}),
        (csv_text(lines()).replace("P100", " P100  "), {}),
    ],
)
def test_text_is_read_and_every_record_counts(
    tmp_path: Path, text: str | bytes, refused: dict[int, str]
) -> None:
    outcome = etl(written(tmp_path / "raw", text), tmp_path / "ws")
    assert outcome.code == 0, outcome
    table = silver(tmp_path / "ws")
    assert rejected(tmp_path / "ws") == refused
    assert table.height == COUNT - len(refused)
    assert table["PROD_CODE"].n_unique() == 20
    assert set(table["SPEND"]) == {number + 1.5 for number in range(SIZE)}
    if "5E0001" in str(text):
        assert "5E0001" in table["BASKET_ID"]


def test_a_comma_that_makes_a_field_too_many_in_every_line_refuses_the_file(
    tmp_path: Path,
) -> None:
    reordered = [{k: v for k, v in one.items() if k != "SPEND"} for one in lines()]
    header, *rows = csv_text(reordered).splitlines()
    text = "\n".join([header + ",SPEND", *(f"{row},1,50" for row in rows)])
    outcome = etl(written(tmp_path / "raw", text), tmp_path / "ws")
    assert outcome.code == 2
    assert "has 19 fields in line 2 where its header has 18" in outcome.err


def stored(tmp_path: Path, **columns: Any) -> Path:
    raw = tmp_path / "raw"
    raw.mkdir()
    pl.DataFrame(lines()).with_columns(**columns).write_parquet(raw / "lines.parquet")
    return raw


WEIGHTS = [Decimal("0.456"), Decimal("1.500"), Decimal("2.000")] * (COUNT // 3)


@pytest.mark.parametrize(
    "quantity",
    [
        pl.Series(WEIGHTS, dtype=pl.Decimal(10, 3)),
        pl.Series([float(weight) for weight in WEIGHTS]),
        pl.Series([str(weight) for weight in WEIGHTS]),
        pl.Series([str(weight) for weight in WEIGHTS]).cast(pl.Categorical),
    ],
)
def test_weights_of_any_type_are_read_exactly(tmp_path: Path, quantity: pl.Series) -> None:
    assert etl(stored(tmp_path, QUANTITY=quantity), tmp_path / "ws").code == 0
    counts = silver(tmp_path / "ws")["QUANTITY"].value_counts().sort("QUANTITY")
    assert counts["QUANTITY"].to_list() == [0.456, 1.5, 2.0]
    assert counts["count"].to_list() == [COUNT // 3] * 3


def test_a_category_of_nothing_is_a_missing_product(tmp_path: Path) -> None:
    codes = pl.Series(["" if n < 20 else f"P{n % 20}" for n in range(COUNT)]).cast(pl.Categorical)
    assert etl(stored(tmp_path, PROD_CODE=codes), tmp_path / "ws").code == 0
    assert set(rejected(tmp_path / "ws").values()) == {"missing_prod_code"}
    assert len(rejected(tmp_path / "ws")) == 20


def test_dates_of_parquet_are_dates_in_silver(tmp_path: Path) -> None:
    raw = stored(tmp_path, SHOP_DATE=pl.lit(date(2025, 1, 6)))
    assert etl(raw, tmp_path / "ws").code == 0
    assert set(silver(tmp_path / "ws")["SHOP_DATE"]) == {20250106}


@pytest.mark.parametrize("value", [[1], {"a": 1}])
def test_a_nested_column_is_refused_by_name_and_type(tmp_path: Path, value: object) -> None:
    outcome = etl(stored(tmp_path, STORE_CODE=pl.Series([value] * COUNT)), tmp_path / "ws")
    assert outcome.code == 2
    assert "STORE_CODE as" in outcome.err


def test_not_a_number_is_no_hour(tmp_path: Path) -> None:
    hours = pl.Series([float("nan") if n % 4 == 0 else 14.0 for n in range(COUNT)])
    assert etl(stored(tmp_path, SHOP_HOUR=hours), tmp_path / "ws").code == 0
    assert silver(tmp_path / "ws")["SHOP_HOUR"].null_count() == COUNT // 4


@pytest.mark.parametrize("word", ["NULL", r"\N", "NaN", "None", "N/A", ""])
def test_a_word_for_nothing_is_no_customer(tmp_path: Path, word: str) -> None:
    table = lines()
    for number, one in enumerate(table):
        one["CUST_CODE"] = word if number % 4 == 0 else f"C{number // SIZE}"
    outcome = etl(written(tmp_path / "raw", csv_text(table)), tmp_path / "ws", "customer")
    assert outcome.code == 0, outcome
    assert silver(tmp_path / "ws")["CUST_CODE"].null_count() == COUNT // 4


def test_spark_writes_empty_parts_and_notes_of_its_own(tmp_path: Path) -> None:
    raw = stored(tmp_path)
    pl.DataFrame(lines()).clear().write_parquet(raw / "part-00001.parquet")
    (raw / "_SUCCESS").touch()
    outcome = etl(raw, tmp_path / "ws")
    assert outcome.code == 0
    assert silver(tmp_path / "ws").height == COUNT
    assert "_SUCCESS" not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("name", "packed"), [("b.csv.bz2", bz2.compress), ("b.tsv", bytes), ("b.xlsx", bytes)]
)
def test_half_a_delivery_is_read_or_named(
    tmp_path: Path, name: str, packed: Callable[[bytes], bytes]
) -> None:
    separator = "\t" if name.endswith(".tsv") else ","
    first, second = lines()[: COUNT // 2], lines()[COUNT // 2 :]
    raw = written(tmp_path / "raw", csv_text(first), "a.csv")
    written(raw, packed(csv_text(second, separator=separator).encode()), name)
    outcome = etl(raw, tmp_path / "ws")
    assert outcome.code == 0, outcome
    if name.endswith(".xlsx"):
        assert silver(tmp_path / "ws").height == COUNT // 2
        assert any("b.xlsx" in warning for warning in outcome.json["warnings"])
    else:
        assert silver(tmp_path / "ws").height == COUNT


def test_tills_that_print_a_line_per_piece_lose_none(tmp_path: Path) -> None:
    table = [one | {"QUANTITY": "1"} for one in lines()]
    table += table[:7]
    outcome = etl(written(tmp_path / "raw", csv_text(table)), tmp_path / "ws")
    assert silver(tmp_path / "ws").height == COUNT + 7
    assert any("one per piece" in warning for warning in outcome.json["warnings"])


def test_a_delivery_made_twice_counts_once(tmp_path: Path) -> None:
    table = [one | {"QUANTITY": "1"} for one in lines()]
    raw = written(tmp_path / "raw", csv_text(table + table[:7]), "a.csv")
    written(raw, csv_text(table[::-1] + table[:7]), "b.csv")
    assert etl(raw, tmp_path / "ws").code == 0
    assert silver(tmp_path / "ws").height == COUNT + 7
    assert set(rejected(tmp_path / "ws").values()) == {"duplicate_line"}
