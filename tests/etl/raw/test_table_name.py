"""Names of tables, told from paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from basketwise.etl.raw.table_name import TableName, table_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shop.lines", TableName("shop.lines")),
        ("cat.shop.lines", TableName("cat.shop.lines")),
        ("cat.shop.lines@v12", TableName("cat.shop.lines", "12")),
        ("cat.shop.lines@v7238493275987123456", TableName("cat.shop.lines", "7238493275987123456")),
        ("lines", None),
        ("a.b.c.d", None),
        ("lines.csv", None),
        ("week.csv.gz", None),
        ("lines.csv@v3", None),
        ("a/b.c", None),
        ("s3://bucket/a.b", None),
        ("shop.lines@", None),
        ("shop.lines@v", None),
        ("shop.lines@v1 --", None),
        ("shop.lines@main", None),
    ],
)
def test_names_of_tables(text: str, name: TableName | None) -> None:
    assert table_name(text) == name


def test_a_file_of_that_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert table_name("shop.lines")
    Path("shop.lines").mkdir()
    assert table_name("shop.lines") is None


def test_a_name_is_quoted_for_sql() -> None:
    table = TableName("cat.tills-2024.lines", "3")
    assert table.quoted == "`cat`.`tills-2024`.`lines`"
    assert str(table) == "cat.tills-2024.lines@v3"
