"""``--products``, and names beside codes, as they are typed and shown."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from basketwise import load
from tests.cli.calling import call, called
from tests.cli.till import delivery
from tests.etl.running import Run
from tests.evaluation.running import evaluated_once
from tests.raw_lines import Line, line, write_csv

ESCAPE = "\x1b[31mRED\x1b[0m\tMilk"


@pytest.fixture
def archive(sample_run: Run) -> Path:
    return evaluated_once(sample_run.gold).archive


def product_file(path: Path, codes: list[str], name: str) -> Path:
    rows = [{"PROD_CODE": code, "PROD_NAME": f"{name} {code}"} for code in codes]
    pl.DataFrame(rows).write_csv(path)
    return path


def codes(lines: list[Line]) -> list[str]:
    return sorted({row["PROD_CODE"] for row in lines})


def test_etl_depends_on_what_the_product_file_contains(tmp_path: Path) -> None:
    lines = delivery()
    raw = write_csv(tmp_path / "till.csv", lines)
    items = product_file(tmp_path / "items.csv", codes(lines)[1:], "Item")
    workspace = ("--workspace", tmp_path / "ws", "--json")

    def etl(path: Path) -> tuple[str, dict[str, object]]:
        outcome = called("etl", "--data", raw, "--products", path, *workspace)
        return outcome.err, outcome.json

    said, metadata = etl(items)
    warnings = metadata["warnings"]
    assert isinstance(warnings, list)
    assert len(warnings) == 1
    assert warnings[0].startswith("1 of 15 products (")
    assert warnings[0].endswith(f"not in items.csv: {codes(lines)[0]}")
    index = pl.read_parquet(tmp_path / "ws" / "gold" / "product_index.parquet")
    assert index["PROD_NAME"].null_count() == 1
    named = index.drop_nulls("PROD_NAME")
    assert named["PROD_NAME"].to_list() == [f"Item {code}" for code in named["PROD_CODE"]]

    elsewhere = tmp_path / "moved" / "items.csv"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(items.read_bytes())
    said, _ = etl(elsewhere)
    assert "cached" in said
    product_file(items, codes(lines), "Article")
    said, metadata = etl(items)
    assert "product file items.csv changed" in " ".join(said.split())
    assert metadata["warnings"] == []
    said = called("etl", "--data", raw, *workspace).err
    assert "product file items.csv is gone" in " ".join(said.split())


def test_a_product_file_of_other_products_is_refused(tmp_path: Path) -> None:
    raw = write_csv(tmp_path / "till.csv", delivery())
    items = product_file(tmp_path / "items.csv", ["0001"], "Item")
    outcome = call("etl", "--data", raw, "--products", items, "--workspace", tmp_path / "ws")
    assert outcome.code == 2
    assert "None of the 15 products in the lines is in 'items.csv'" in " ".join(outcome.err.split())


def test_an_explanation_names_products(archive: Path, sample_run: Run, tmp_path: Path) -> None:
    own = dict(sample_run.index.group_by("class").agg(pl.col("PROD_CODE").min()).iter_rows())
    high, low = own["High"], own["Low"]
    lines = [line(BASKET_ID="1", PROD_CODE=code) for code in (high, low)]
    raw = write_csv(tmp_path / "till.csv", [lines[0] | {"PROD_NAME": ESCAPE}, lines[1]])
    items = product_file(tmp_path / "items.csv", [high, low], "Item")
    predict = ("predict", "--data", raw, "--model", archive, "--products", items, "--basket", "1")
    outcome = called(*predict)
    text = " ".join(outcome.out.split())
    # What a line says comes first; the file fills the gap.
    assert f'{high} "[31mRED [0m Milk"' in text
    assert f'{low} "Item {low}"' in text
    assert "\x1b" not in outcome.out
    (basket,) = called(*predict, "--json").json["requested"]
    assert {row["prod_code"]: row["prod_name"] for row in basket["products"]} == {
        high: "[31mRED [0m Milk",
        low: f"Item {low}",
    }


def test_predict_counts_products_that_the_file_lacks(
    archive: Path, sample_run: Run, tmp_path: Path
) -> None:
    own = sample_run.index["PROD_CODE"].head(3).to_list()
    lines = [line(BASKET_ID=str(n), PROD_CODE=code) for n, code in enumerate([*own, own[2]])]
    raw = write_csv(tmp_path / "till.csv", lines)
    items = product_file(tmp_path / "items.csv", own[:2], "Item")
    out = ("--out", tmp_path / "scores.csv")
    predict = ("predict", "--data", raw, "--model", archive, *out)
    warning = f"warning   1 of 3 products (50.0% of the lines) not in items.csv: {own[2]}"
    assert warning in called(*predict, "--products", items).err
    assert called(*predict, "--products", items, "--json").json["product_file"] == {
        "name": "items.csv",
        "products": 3,
        "unlisted_products": 1,
        "unlisted_lines": 2,
        "unlisted_share": 0.5,
    }
    assert called(*predict, "--json").json["product_file"] is None
    # Few lines may all be of new products: they are scored, and the warning says so.
    other = product_file(items, ["X"], "Item")
    assert "warning   none of the 3 products in" in called(*predict, "--products", other).err


def test_the_file_gives_new_products_their_group(
    archive: Path, sample_run: Run, tmp_path: Path
) -> None:
    lookup = load(archive).lookup
    assert lookup is not None
    groups = sample_run.index["PROD_CODE_10"].unique().sort()
    answers = lookup.score(pl.DataFrame({"PROD_CODE": "NEW", "PROD_CODE_10": [*groups, None]}))
    other = answers.filter(pl.col("score_low") != answers["score_low"][-1])
    group = other["PROD_CODE_10"][0]
    rows = [line(BASKET_ID="1", PROD_CODE="NEW") for _ in range(2)]
    bare = [
        {k: v for k, v in row.items() if not k.startswith("PROD_CODE_")} | {"SPEND": str(n + 1)}
        for n, row in enumerate(rows)
    ]
    complete = [row | {"PROD_CODE_10": str(group)} for row in bare]
    items = tmp_path / "items.csv"
    pl.DataFrame({"PROD_CODE": ["NEW"], "PROD_CODE_10": [group]}).write_csv(items)

    def products(lines: list[Line], *more: str | Path) -> object:
        raw = write_csv(tmp_path / "till.csv", lines)
        outcome = called(
            "predict", "--data", raw, "--model", archive, "--basket", "1", "--json", *more
        )
        return outcome.json["requested"][0]["products"]

    expected = products(complete)
    assert products(bare, "--products", items) == expected
    assert products(bare) != expected


def test_a_frame_with_names_is_explained_by_them(archive: Path, sample_run: Run) -> None:
    model = load(archive)
    code = sample_run.index.filter(pl.col("class") == "High")["PROD_CODE"][0]
    row = line(PROD_CODE=code) | {"prod_name": "Milk"}
    assert f'{code} "Milk"' in model.explain([row])["explanation"][0]
    assert model.contributions([row])["prod_name"].to_list() == ["Milk"]
    assert model.index is not None
    assert model.index.columns[:2] == ["PROD_CODE", "PROD_NAME"]


def test_settings_name_the_file_too(tmp_path: Path) -> None:
    lines = delivery()
    raw = write_csv(tmp_path / "till.csv", lines)
    items = product_file(tmp_path / "items with 'blanks' #1.csv", codes(lines), "Item")
    config = tmp_path / "basketwise.toml"
    config.write_text(f"[data]\nproducts = {json.dumps(str(items))}\n", encoding="utf-8")
    for more in (("--config", config), ("--products", items)):
        workspace = tmp_path / more[0].strip("-")
        document = called("etl", "--data", raw, "--workspace", workspace, "--json", *more).json
        assert document["product_file"]["name"] == items.name
