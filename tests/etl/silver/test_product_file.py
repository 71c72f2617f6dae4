"""A product file: names and hierarchy of products whose lines lack them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from basketwise.config import Config, DataConfig
from basketwise.errors import InputError
from basketwise.etl.silver.product_coverage import coverage, refuse_other_codes
from basketwise.etl.silver.product_file import ProductFile, completed, line_files, read_products
from basketwise.schema import HIERARCHY, MISSING_WORDS, PRODUCT_COLUMNS
from tests.etl.running import run

HEADER = "PROD_CODE,PROD_NAME,PROD_CODE_10"


def written(folder: Path, *rows: str, header: str = HEADER, name: str = "items.csv") -> str:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


def read(path: str, **data: object) -> ProductFile:
    return read_products(path, DataConfig.model_validate(data), MISSING_WORDS)


def table(file: ProductFile) -> list[tuple[str | None, ...]]:
    return file.products.select(PRODUCT_COLUMNS[:3]).rows()


def test_one_row_per_product(tmp_path: Path) -> None:
    file = read(written(tmp_path, "B,Milk,DAIRY", 'A,"Bread, white",NULL', "B,Milk,DAIRY"))
    assert table(file) == [("A", "Bread, white", None), ("B", "Milk", "DAIRY")]
    assert tuple(file.products.columns) == PRODUCT_COLUMNS
    assert file.warnings == []
    assert (file.record.name, file.record.lines, len(file.record.sha256)) == ("items.csv", 3, 64)


def test_other_formats_and_own_names(tmp_path: Path) -> None:
    own = pl.DataFrame({"Sku": [7, 8], "Bezeichnung": ["Milch", None], "Gruppe": ["M", "M"]})
    own.write_parquet(tmp_path / "items.parquet")
    own.write_csv(tmp_path / "items.tsv", separator="\t")
    own.write_ndjson(tmp_path / "items.jsonl")
    columns = {"PROD_CODE": "sku", "PROD_NAME": "bezeichnung", "PROD_CODE_10": "GRUPPE"}
    for name in ("items.parquet", "items.tsv", "items.jsonl"):
        file = read(str(tmp_path / name), columns=columns)
        assert table(file) == [("7", "Milch", "M"), ("8", None, "M")], name


def test_names_are_plain(tmp_path: Path) -> None:
    assert table(read(written(tmp_path, "A,\x1b[2JMilk\u202e,X"))) == [("A", "[2JMilk", "X")]


def test_several_names_are_a_warning_and_the_order_does_not_matter(tmp_path: Path) -> None:
    rows = ["A,Milk,X", "A,MILK,", "B,Bread,Y"]
    for order in (rows, rows[::-1]):
        file = read(written(tmp_path, *order))
        assert table(file) == [("A", "MILK", "X"), ("B", "Bread", "Y")]
        assert file.warnings == [
            "items.csv: 1 product with several names; the first in alphabetical order is used"
        ]


def test_two_groups_of_one_level_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'A' with PROD_CODE_10 'X' and 'Y' \(1 product"):
        read(written(tmp_path, "A,Milk,X", "A,Milk,Y"))


def test_rows_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    file = read(written(tmp_path, "A,Milk,X", ",Bread,Y", "C,too,many,fields"))
    assert table(file) == [("A", "Milk", "X")]
    assert file.record.lines == 3
    assert sorted(file.warnings) == [
        "items.csv: 1 row not used: missing_prod_code",
        "items.csv: 1 row not used: too_many_fields",
    ]


@pytest.mark.parametrize(
    ("header", "rows", "text"),
    [
        ("PROD_NAME,PROD_CODE_10", ["Milk,X"], "lacks the required column PROD_CODE"),
        ("PROD_CODE,PRICE", ["A,1"], "neither names nor a hierarchy"),
        (HEADER, ["A,,NULL"], "neither names nor a hierarchy"),
        (HEADER, [], "neither names nor a hierarchy"),
    ],
)
def test_a_file_that_says_nothing_is_refused(
    tmp_path: Path, header: str, rows: list[str], text: str
) -> None:
    with pytest.raises(InputError, match=text):
        read(written(tmp_path, *rows, header=header))


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no product file"):
        read(str(tmp_path / "none.csv"))


def test_lines_keep_what_they_have(tmp_path: Path) -> None:
    file = read(written(tmp_path, "A,Milk,X", "B,Bread,Y")).products
    lines = pl.DataFrame(
        {
            "PROD_CODE": ["B", "A", "C", "A"],
            "PROD_CODE_10": [None, "OWN", None, None],
            "SPEND": [1.0, 2.0, 3.0, 4.0],
        }
    )
    result = completed(lines, file)
    assert result.drop("PROD_CODE_10").equals(lines.drop("PROD_CODE_10"))
    assert result["PROD_CODE_10"].to_list() == ["Y", "OWN", None, "X"]


def test_products_that_are_not_listed_are_counted(tmp_path: Path) -> None:
    file = read(written(tmp_path, "A,Milk,X", "A,Milk,X", "C,,X", "Z,Bread,Y"))
    products = pl.DataFrame({"PROD_CODE": ["A", "B", "C"], "lines": [3, 1, 4]})
    covered = coverage(products, file)
    assert covered.text == "1 of 3 products (12.5% of the lines) not in items.csv: B"
    assert (covered.named_products, file.repeated) == (1, 1)
    assert coverage(products.head(1), file).text == ""
    refuse_other_codes(covered)
    with pytest.raises(InputError, match=r"None of the 1 product .* 'B' in the lines, 'A' there"):
        refuse_other_codes(coverage(products[1:2], file))


def test_a_code_in_a_warning_cannot_move_the_cursor(tmp_path: Path) -> None:
    file = read(written(tmp_path, "A,Milk,X"))
    products = pl.DataFrame({"PROD_CODE": ["A", "B\x1b[2J", "\x07"], "lines": [1, 1, 1]})
    assert coverage(products, file).text.endswith("not in items.csv: ?, B [2J")


def test_the_product_file_may_be_beside_the_lines(tmp_path: Path) -> None:
    own = written(tmp_path, "A,Milk,X")
    with pytest.raises(InputError, match="contains the product file only"):
        line_files(str(tmp_path), own)
    (tmp_path / "till.csv").write_text("BASKET_ID\n", encoding="utf-8")
    assert [source.name for source in line_files(str(tmp_path), own).sources] == ["till.csv"]


def test_the_index_is_the_same_from_a_product_file(sample: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    whole = pl.concat(pl.read_csv(file, infer_schema=False) for file in sorted(sample.iterdir()))
    whole = whole.with_columns(pl.format("Product {}", "PROD_CODE").alias("PROD_NAME"))
    complete = tmp_path / "complete"
    complete.mkdir()
    whole.write_csv(complete / "till.csv")
    whole.drop("PROD_NAME", *HIERARCHY).write_csv(raw / "till.csv")
    products = whole.select(PRODUCT_COLUMNS).unique("PROD_CODE", maintain_order=True)
    products.write_csv(tmp_path / "items.csv")

    expected = run(complete, tmp_path / "expected")
    config = Config(data=DataConfig(products=str(tmp_path / "items.csv")))
    result = run(raw, tmp_path / "result", config)
    assert result.index.equals(expected.index)
    assert result.test.equals(expected.test)
    assert result.metadata.product_file is not None
    assert result.metadata.product_file.name == "items.csv"
    assert result.metadata.data_hash != expected.metadata.data_hash
    assert result.metadata.lines.read == expected.metadata.lines.read
    assert expected.metadata.product_file is None
