"""A retailer's own export, from ``init`` to an approved model and scores in three commands."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from basketwise.sampling import draw_lines
from basketwise.schema import HIERARCHY
from tests.cli.calling import SMALL, called

QUICK = (*SMALL, "--set", "training.models=decision_tree")
LABELS = {"LA": "Sparpreis", "MM": "mittel", "UM": "premium", "XX": ""}
OWN = {
    "BASKET_ID": "Bon-Nr",
    "SHOP_DATE": "Datum",
    "SHOP_HOUR": "Uhrzeit",
    "PROD_CODE": "Artikelnummer",
    "QUANTITY": "Menge",
    "SPEND": "Umsatz",
    "STORE_CODE": "Filiale",
    "STORE_FORMAT": "Vertriebslinie",
    "STORE_REGION": "Bundesland",
    "CUST_CODE": "Kundennummer",
    "BASKET_PRICE_SENSITIVITY": "Preissegment",
}


def till_lines() -> pl.DataFrame:
    """Return lines as a till prints them: one per piece, weights with decimals, no hierarchy."""
    lines = draw_lines(baskets=1_500, seed=11, weeks=6)
    weighed = pl.col("PROD_CODE").str.ends_with("7")
    each = (pl.col("SPEND") / pl.when(weighed).then(1).otherwise("QUANTITY")).round(2)
    return (
        lines.with_columns(SPEND=each, pieces=pl.when(weighed).then(1).otherwise("QUANTITY"))
        .with_columns(
            QUANTITY=pl.when(weighed).then(pl.col("QUANTITY") * 0.456).otherwise(pl.lit(1.0))
        )
        .select(pl.exclude("pieces").repeat_by("pieces"))
        .explode(lines.columns)
        .select(name for name in lines.columns if name in OWN)
    )


def write_own(lines: pl.DataFrame, folder: Path) -> Path:
    """Write the export of a retailer: semicolons, decimal commas, German dates and names."""
    folder.mkdir()
    date = pl.col("SHOP_DATE").cast(pl.String).str.to_date("%Y%m%d")
    comma = {name: pl.col(name).round(3).cast(pl.String) for name in ("SPEND", "QUANTITY")}
    own = lines.with_columns(
        SHOP_DATE=date.dt.strftime("%d.%m.%Y"),
        SHOP_HOUR=pl.col("SHOP_HOUR").cast(pl.String) + ":15",
        BASKET_PRICE_SENSITIVITY=pl.col("BASKET_PRICE_SENSITIVITY").replace_strict(LABELS),
        **{name: text.str.replace(".", ",", literal=True) for name, text in comma.items()},
    ).with_columns(
        (pl.col("SPEND") + " €").alias("SPEND"),
        (pl.lit("Müsli ") + pl.col("PROD_CODE")).alias("Artikelbezeichnung"),
    )
    named = own.rename(OWN)
    for number, part in enumerate(named.partition_by("Datum", maintain_order=True)):
        part.write_csv(folder / f"kasse-{number:03d}.csv", separator=";")
    return folder


def write_ours(lines: pl.DataFrame, folder: Path) -> Path:
    """Write the same lines in our own layout, with the weeks that follow from the dates."""
    folder.mkdir()
    date = pl.col("SHOP_DATE").cast(pl.String).str.to_date("%Y%m%d")
    lines.with_columns(
        SHOP_WEEK=date.dt.iso_year() * 100 + date.dt.week(), SHOP_WEEKDAY=date.dt.weekday() % 7 + 1
    ).write_csv(folder / "lines.csv", float_precision=3)
    return folder


def test_three_commands_lead_to_the_model_that_our_own_layout_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = till_lines()
    assert lines.is_duplicated().any()
    assert not set(HIERARCHY).intersection(lines.columns)
    write_ours(lines, tmp_path / "ours")
    write_own(lines, tmp_path / "export")
    reference = called(
        *("run", "ours", "--workspace", "reference", "--json", *QUICK),
        *("--set", "etl.duplicates=pieces"),
    ).json

    proposed = called("init", "--data", "export", "--yes").out
    run = called("run", "export", "--workspace", "ws", "--json", *QUICK).json
    called("predict", "--data", "export", "--out", "scores.csv", "--workspace", "ws")

    assert "TO DO" not in proposed
    assert run["approved"]
    assert run["lines"]["accepted"] == run["lines"]["read"] == lines.height
    assert reference["lines"]["accepted"] == lines.height
    assert run["accuracy"] == reference["accuracy"]
    assert run["macro_f1"] == reference["macro_f1"]
    scores = pl.read_csv("scores.csv")
    assert scores.height == lines["BASKET_ID"].n_unique()
