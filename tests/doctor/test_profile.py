"""The profile of raw data, against small deliveries counted by hand."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from basketwise.config import Config, DataConfig
from basketwise.doctor.baskets import Baskets, Gap, Spread, Tail, gaps
from basketwise.doctor.columns import ColumnProfile, DistinctCount
from basketwise.doctor.names import column_names
from basketwise.doctor.profile import Duplicates, Profile, profile
from basketwise.errors import InputError
from basketwise.etl.raw.discovery import discover, list_files
from basketwise.etl.silver.product_file import line_files
from basketwise.progress import silent
from tests.raw_lines import LABEL, Line, line, write_csv


def profiled(raw: Path, **data: object) -> Profile:
    made = profile(list_files(str(raw)), Config.model_validate({"data": data}), silent)
    assert made is not None
    return made


def accepted(made: Profile) -> Baskets:
    assert made.baskets is not None
    return made.baskets


def column(made: Profile, name: str) -> ColumnProfile:
    return next(column for column in made.columns if column.name == name)


def baskets(number: int, *, first: int = 0, products: int = 1, **changes: str) -> list[Line]:
    """Make baskets with a line for each product."""
    return [
        line(BASKET_ID=str(1_000 + first + basket), PROD_CODE=f"P{product}", **changes)
        for basket in range(number)
        for product in range(products)
    ]


def test_all_files_are_read_whole(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", baskets(12, SPEND="2.00"))
    late = [*baskets(20, first=50), *baskets(1, first=99, SPEND="free")]
    packed = write_csv(tmp_path / "b.csv", late)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    (tmp_path / "notes.xlsx").touch()

    made = profiled(tmp_path)

    assert [(file.name, file.records) for file in made.files] == [("a.csv", 12), ("b.csv.gz", 21)]
    assert (made.records, made.accepted) == (33, 32)
    assert made.rejected == {"spend_not_a_number": 1}
    assert [file.name for file in made.skipped] == ["notes.xlsx"]
    assert any("notes.xlsx" in warning for warning in made.warnings)


def test_records_that_cannot_be_parsed_are_counted(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", baskets(3))
    path.write_text(path.read_text() + "one,field,too,many" + ",x" * 30 + "\n")

    made = profiled(path)

    assert (made.records, made.accepted, sum(made.rejected.values())) == (4, 3, 1)
    assert column(made, "SPEND").missing == 0


def test_columns_have_type_missing_distinct_and_extremes(tmp_path: Path) -> None:
    lines = baskets(3, SPEND="2.50", QUANTITY="0.456", SHOP_DATE="20060410")
    lines += baskets(1, first=5, SPEND="", CUST_CODE="NULL")
    lines += baskets(1, first=6, SPEND="-4", SHOP_WEEK="200652", SHOP_DATE="20061231")
    lines += baskets(2, first=7, SPEND="many", QUANTITY="1", CUST_CODE=" ")
    write_csv(tmp_path / "a.csv", lines)

    made = profiled(tmp_path, currency="EUR")

    spend, quantity = column(made, "SPEND"), column(made, "QUANTITY")
    assert (spend.type, spend.missing, spend.missing_share) == ("number", 1, 1 / 7)
    # Words that are no number are given, but have no value.
    assert (spend.minimum, spend.maximum, spend.unit, spend.distinct) == (-4, 2.5, "EUR", 2)
    assert spend.examples == ("2.50", "-4", "many")
    assert (quantity.type, quantity.minimum, quantity.maximum) == ("number", 0.456, 1)
    assert column(made, "CUST_CODE").missing == 3
    # The rejected line of -4 says nothing of dates.
    date, week = column(made, "SHOP_DATE"), column(made, "SHOP_WEEK")
    assert (date.minimum, date.maximum) == ("2006-04-10", "2006-04-10")
    assert (week.type, week.minimum, week.unit) == ("week", 200607, "YYYYWW")
    basket = column(made, "BASKET_ID")
    assert (basket.distinct, basket.distinct_exact, basket.minimum) == (7, True, None)


def test_own_and_derived_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "\n".join(
            [
                "Till;Receipt;Sku;Unit Price;Qty;When;Segment;Promo",
                "1;7;A;1,50;2;31.03.2025 14:05;LA;x",
                "2;7;B;0,99;1;01.04.2025 09:00;LA;",
            ]
        )
    )
    columns = {"BASKET_ID": ["Till", "Receipt"], "PROD_CODE": "sku", "UNIT_PRICE": "unit price"}
    columns |= {"QUANTITY": "QTY", LABEL: "Segment"}

    made = profiled(path, columns=columns, date="When")

    assert made.ignored == ("Promo",)
    assert column(made, "PROD_CODE").own == ("Sku",)
    basket, spend, hour = (column(made, n) for n in ("BASKET_ID", "SPEND", "SHOP_HOUR"))
    assert (basket.derived, basket.own) == (True, ("Till", "Receipt"))
    assert (spend.derived, spend.own, spend.maximum) == (True, ("Unit Price", "Qty"), 3)
    assert (hour.own, hour.minimum, hour.maximum) == (("When",), 9, 14)
    assert column(made, "SHOP_DATE").maximum == "2025-04-01"
    assert made.date_format
    assert made.decimal == ","
    assert "CUST_CODE" in made.absent


def test_a_file_without_an_optional_column_counts_as_missing(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", baskets(4))
    short = [{k: v for k, v in one.items() if k != "CUST_CODE"} for one in baskets(6, first=10)]
    write_csv(tmp_path / "b.csv", short)

    made = profiled(tmp_path)

    assert column(made, "CUST_CODE").missing == 6
    assert accepted(made).customers.baskets == 4
    assert accepted(made).customers.baskets_share == 0.4


def test_names_of_products_are_a_column(tmp_path: Path) -> None:
    lines = [
        x | {"PROD_NAME": name} for x, name in zip(baskets(3), ["Milk", "", "Tea"], strict=True)
    ]
    write_csv(tmp_path / "a.csv", lines)

    name = column(profiled(tmp_path), "PROD_NAME")

    assert (name.missing, name.distinct, name.examples) == (1, 2, ("Milk", "Tea"))


def test_every_format_has_its_types(tmp_path: Path) -> None:
    frame = pl.DataFrame(baskets(3)).with_columns(
        pl.col("SPEND").cast(pl.Float64), pl.col("BASKET_ID").cast(pl.Int64)
    )
    frame.with_columns(extra=pl.lit(1)).write_parquet(tmp_path / "a.parquet")
    with (tmp_path / "b.jsonl").open("w") as stream:
        stream.writelines(json.dumps(one | {"more": 1}) + "\n" for one in baskets(2, first=10))

    made = profiled(tmp_path)

    assert made.ignored == ("extra", "more")
    assert column(made, "SPEND").stored == ("Float64", "text")
    # A number here and text there are one id.
    assert column(made, "BASKET_ID").distinct == 5
    assert accepted(made).baskets == 5


@pytest.mark.parametrize(
    ("dtype", "stored"), [(pl.Categorical, "Categorical"), (pl.Binary, "Binary")]
)
def test_text_is_looked_at_however_it_is_stored(
    tmp_path: Path, dtype: type[pl.DataType], stored: str
) -> None:
    names = pl.Series("PROD_NAME", ["Milk", " ", "null", "Tea"])
    frame = pl.DataFrame(baskets(4)).with_columns(names.cast(dtype))
    frame.write_parquet(tmp_path / "a.parquet")

    name = column(profiled(tmp_path), "PROD_NAME")

    assert (name.missing, name.examples, name.stored) == (2, ("Milk", "Tea"), (stored,))


@pytest.mark.parametrize("text", ['[{"BASKET_ID": 1}, {"BASKET_ID": 2}]\n', "7\n", '"BASKET_ID"\n'])
def test_json_that_is_no_object_names_no_columns(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    assert column_names(discover(str(tmp_path)), DataConfig()).own == {}


def test_weeks_and_their_gaps(tmp_path: Path) -> None:
    lines = [*baskets(2), *baskets(1, first=5, SHOP_WEEK="200610")]
    lines += baskets(1, first=6, products=3, SHOP_WEEK="200701")
    write_csv(tmp_path / "a.csv", lines)

    made = accepted(profiled(tmp_path))

    assert [(w.week, w.lines, w.baskets) for w in made.weeks] == [
        (200607, 2, 2),
        (200610, 1, 1),
        (200701, 3, 1),
    ]
    assert made.gaps == (Gap(200608, 200609, 2), Gap(200611, 200652, 42))


@pytest.mark.parametrize(
    ("week", "expected"),
    [("iso", [Gap(202053, 202053, 1)]), ("", []), ("04-01", [Gap(202053, 202053, 1)])],
)
def test_the_53rd_week_is_a_gap_where_the_year_has_one(week: str, expected: list[Gap]) -> None:
    assert list(gaps([202052, 202101], week)) == expected


def test_baskets_classes_and_the_tail(tmp_path: Path) -> None:
    lines = baskets(10, products=2, BASKET_PRICE_SENSITIVITY="LA")
    lines += baskets(1, first=20, products=5, BASKET_PRICE_SENSITIVITY="XX", CUST_CODE="")
    # P0 and P1 are in 11 baskets, P2 to P4 in one; a product that repeats is one product.
    lines += baskets(1, first=20, BASKET_PRICE_SENSITIVITY="XX", CUST_CODE="", SPEND="9")
    write_csv(tmp_path / "a.csv", lines)

    made = accepted(profiled(tmp_path))

    assert (made.baskets, made.products) == (11, 5)
    assert made.classes == {"Low": 0, "Medium": 0, "High": 10, "Unclassified": 1}
    assert made.lines_per_basket == Spread(2, 2, 6)
    assert made.products_per_basket == Spread(2, 2, 5)
    assert made.tail == Tail(3, 3 / 5, 3, 3 / 26)
    assert (made.customers.distinct, made.customers.lines_share) == (1, 20 / 26)


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("1", Duplicates("pieces", 0, 2)), ("2", Duplicates("reject", 2, 0))],
)
def test_duplicates_follow_the_policy_that_is_settled(
    quantity: str, expected: Duplicates, tmp_path: Path
) -> None:
    repeated = baskets(1, QUANTITY=quantity)
    write_csv(tmp_path / "a.csv", [*baskets(3, first=5, QUANTITY=quantity), *repeated * 3])

    assert profiled(tmp_path).duplicates == expected


def test_a_file_delivered_twice_is_seen(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write_csv(tmp_path / name, baskets(4, QUANTITY="2"))

    made = profiled(tmp_path)

    assert made.duplicates.rejected == made.rejected["duplicate_line"] == 4
    assert made.warnings == ("b.csv has the same content as a.csv",)


def test_without_labels_there_is_a_profile(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [{k: v for k, v in x.items() if k != LABEL} for x in baskets(3)])

    made = profiled(tmp_path)

    assert not made.labelled
    assert LABEL in made.absent
    assert accepted(made).baskets == 3


def test_data_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", baskets(2))
    (tmp_path / "b.csv.gz").write_bytes(b"\x1f\x8b no gzip")

    with pytest.raises(InputError, match=r"b\.csv\.gz"):
        profiled(tmp_path)


def test_data_of_which_every_line_is_rejected_has_a_profile(tmp_path: Path) -> None:
    lines = [*baskets(2, SPEND="free"), *baskets(1, first=5, BASKET_PRICE_SENSITIVITY="ZZ")]
    # These two disagree about the label of one basket, which is seen when all has been read.
    lines += [line(BASKET_ID="77", BASKET_PRICE_SENSITIVITY=label) for label in ("LA", "UM")]
    write_csv(tmp_path / "a.csv", lines)

    made = profiled(tmp_path)

    assert (made.records, made.accepted, made.baskets) == (5, 0, None)
    assert made.rejected == {
        "basket_labels_disagree": 2,
        "spend_not_a_number": 2,
        "unknown_label": 1,
    }
    assert column(made, LABEL).examples == ("MM", "ZZ", "LA")
    assert column(made, "SPEND").examples[0] == "free"


def test_files_without_any_line_are_an_error(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", baskets(1))
    header = (tmp_path / "a.csv").read_text().partition("\n")[0]
    (tmp_path / "a.csv").write_text(f"{header}\n")

    with pytest.raises(InputError, match="no lines"):
        profiled(tmp_path)


def test_the_product_file_is_profiled_too(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [*baskets(3, products=2), *baskets(2, first=9, products=3)])
    items = tmp_path / "items.csv"
    items.write_text("Code,PROD_NAME,PROD_CODE_10\nP0,Milk,X\nP1,,X\nP1,,X\nZ,Tea,\n,,\n")
    columns = {"PROD_CODE": "Code"}
    lines = (tmp_path / "a.csv").read_text().replace("PROD_CODE,", "Code,", 1)
    (tmp_path / "a.csv").write_text(lines)

    data = {"products": str(items), "columns": columns}
    delivery = line_files(str(tmp_path), str(items))
    made = profile(delivery, Config.model_validate({"data": data}), silent)

    assert made is not None
    file = made.product_file
    assert file is not None
    assert (file.name, file.rows, file.products, file.repeated) == ("items.csv", 5, 3, 1)
    assert file.columns == {"PROD_NAME": 2, "PROD_CODE_10": 2}
    sold = file.sold
    assert (sold.products, sold.named_products, sold.unlisted_products) == (3, 1, 1)
    assert (sold.lines, sold.unlisted_lines) == (12, 2)
    assert made.warnings == (
        "items.csv: 1 row not used: missing_prod_code",
        "1 of 3 products (16.7% of the lines) not in items.csv: P2",
    )


def test_distinct_values_are_exact_up_to_a_size_and_estimated_beyond() -> None:
    count = DistinctCount(size=4_096)
    for start in (0, 1_000, 2_000):
        count.add(pl.Series(range(start, start + 2_000)))
    assert (count.value, count.exact) == (4_000, True)

    for start in range(0, 90_000, 10_000):
        count.add(pl.Series(range(start, start + 20_000)))

    assert not count.exact
    assert count.value == pytest.approx(100_000, rel=0.06)
