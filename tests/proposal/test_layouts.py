"""Exports of shops, tills and public data sets: proposed, then cleaned with these settings."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from basketwise.config import Config
from basketwise.etl.lines.cleaning import clean, settle
from basketwise.etl.lines.layout import settle_sources
from basketwise.etl.lines.rules import rules_of
from basketwise.etl.raw.discovery import discover
from basketwise.etl.raw.reading import read_raw
from basketwise.proposal import Proposal, propose, settings_text
from basketwise.schema import COLUMN_NAMES, LABEL
from tests.proposal import layouts


def mapping(proposal: Proposal) -> dict[str, str]:
    """Return own names by ours."""
    return {match.ours: "+".join(match.own) for match in proposal.matches}


def cleaned(proposal: Proposal) -> tuple[pl.DataFrame, dict[str, int]]:
    """Clean the files with the settings as they would be written."""
    config = Config.model_validate(tomllib.loads(settings_text(proposal)))
    labelled = LABEL not in proposal.missing
    sources = discover(proposal.data)
    rules = settle_sources(sources, rules_of(config, labelled=labelled), config.data)
    accepted, rejected = [], 0
    reasons: dict[str, int] = {}
    for source in sources:
        for raw in read_raw(source, config.data, labelled=labelled):
            result = settle(clean(raw.frame, rules, source=source.name), rules)
            accepted.append(result.lines.drop("source"))
            rejected += result.rejected.height
            for reason, count in result.reasons.items():
                reasons[reason] = reasons.get(reason, 0) + count
    return pl.concat(accepted), reasons


def settings(proposal: Proposal) -> dict[str, Any]:
    return {
        f"{section}.{key}": value
        for section, values in proposal.settings.items()
        for key, value in values.items()
        if key != "columns"
    }


def test_online_retail(tmp_path: Path) -> None:
    path = layouts.write_csv(tmp_path / "retail.csv", layouts.online_retail())

    proposal = propose(str(path))
    lines, reasons = cleaned(proposal)

    assert mapping(proposal) == {
        "BASKET_ID": "InvoiceNo",
        "PROD_CODE": "StockCode",
        "PROD_NAME": "Description",
        "QUANTITY": "Quantity",
        "UNIT_PRICE": "UnitPrice",
        "SHOP_DATE": "InvoiceDate",
        "CUST_CODE": "CustomerID",
        "STORE_REGION": "Country",
    }
    assert list(proposal.missing) == [LABEL]
    assert settings(proposal)["data.date_format"] == "%m/%d/%Y %H:%M"
    assert settings(proposal)["etl.returns"] == "reject"
    assert settings(proposal)["split.strategy"] == "time"
    assert reasons == {"quantity_not_positive": 24}
    assert proposal.rejected == reasons
    assert proposal.lines == lines.height + 24
    first = lines.filter(pl.col("BASKET_ID") == 536365)
    assert first["SHOP_HOUR"].unique().to_list() == [8]
    assert lines["SPEND"].min() >= 1.5  # type: ignore[operator]


def test_instacart_lacks_amounts_and_quantities(tmp_path: Path) -> None:
    path = layouts.write_csv(tmp_path / "orders.csv", layouts.instacart())

    proposal = propose(str(path))

    assert mapping(proposal) == {"BASKET_ID": "order_id", "PROD_CODE": "product_id"}
    assert list(proposal.missing) == ["SPEND", "QUANTITY", LABEL]
    assert proposal.unused == ["add_to_cart_order", "reordered"]


def test_complete_journey_with_a_class(tmp_path: Path) -> None:
    rows = layouts.complete_journey(labelled=True)
    path = layouts.write_csv(tmp_path / "transaction_data.csv", rows)

    proposal = propose(str(path))
    lines, reasons = cleaned(proposal)

    assert mapping(proposal) == {
        "BASKET_ID": "BASKET_ID",
        "PROD_CODE": "PRODUCT_ID",
        "SPEND": "SALES_VALUE",
        "QUANTITY": "QUANTITY",
        LABEL: "segment",
        "SHOP_HOUR": "TRANS_TIME",
        "STORE_CODE": "STORE_ID",
        "CUST_CODE": "household_key",
    }
    assert "BASKET_ID" not in proposal.settings["data"]["columns"]
    assert proposal.is_complete
    assert settings(proposal)["split.strategy"] == "customer"
    assert settings(proposal)["data.labels"] == {
        "budget": "High",
        "standard": "Medium",
        "premium": "Low",
    }
    assert any("DAY, WEEK_NO" in note for note in proposal.notes)
    assert not reasons
    assert lines["SPEND"].sum() == pytest.approx(layouts.total_spend())


def test_complete_journey_without_a_class_can_be_scored(tmp_path: Path) -> None:
    rows = layouts.complete_journey(labelled=False)
    path = layouts.write_csv(tmp_path / "transaction_data.csv", rows)

    proposal = propose(str(path))

    assert list(proposal.missing) == [LABEL]
    assert cleaned(proposal)[0].height == layouts.ORDERS * layouts.LINES


def test_shopify(tmp_path: Path) -> None:
    path = layouts.write_csv(tmp_path / "orders_export.csv", layouts.shopify())

    proposal = propose(str(path))
    lines, reasons = cleaned(proposal)

    assert mapping(proposal) == {
        "BASKET_ID": "Name",
        "PROD_CODE": "Lineitem sku",
        "PROD_NAME": "Lineitem name",
        "QUANTITY": "Lineitem quantity",
        "UNIT_PRICE": "Lineitem price",
        "SHOP_DATE": "Created at",
        LABEL: "Customer segment",
    }
    assert settings(proposal)["data.currency"] == "USD"
    assert proposal.is_complete
    assert not reasons
    assert lines["SPEND"].sum() == pytest.approx(layouts.total_spend())
    assert lines["SHOP_HOUR"].to_list()[0] == 8


def test_square(tmp_path: Path) -> None:
    path = layouts.write_csv(tmp_path / "items.csv", layouts.square())

    proposal = propose(str(path))
    lines, reasons = cleaned(proposal)

    assert mapping(proposal) == {
        "BASKET_ID": "Transaction ID",
        "PROD_CODE": "SKU",
        "PROD_NAME": "Item",
        "PROD_CODE_10": "Category",
        "SPEND": "Gross Sales",
        "QUANTITY": "Qty",
        "SHOP_DATE": "Date",
        "SHOP_HOUR": "Time",
        "STORE_CODE": "Location",
        LABEL: "Price Sensitivity",
    }
    assert settings(proposal)["data.date_format"] == "%m/%d/%y"
    assert settings(proposal)["data.currency"] == "$"
    assert "data.labels" not in settings(proposal)
    assert not reasons
    assert lines["SPEND"].sum() == pytest.approx(layouts.total_spend())
    assert lines["SHOP_HOUR"].max() == 23


def test_toast(tmp_path: Path) -> None:
    path = layouts.write_csv(tmp_path / "selections.csv", layouts.toast())

    proposal = propose(str(path))
    lines, reasons = cleaned(proposal)

    assert mapping(proposal) == {
        "BASKET_ID": "Order Id",
        "PROD_CODE": "Item Id",
        "PROD_NAME": "Menu Item",
        "PROD_CODE_10": "Menu Group",
        "SPEND": "Net Price",
        "QUANTITY": "Qty",
        "SHOP_DATE": "Sent Date",
        "STORE_CODE": "Location",
        LABEL: "Guest tier",
    }
    assert settings(proposal)["data.date_format"] == "%m/%d/%y %I:%M %p"
    assert not reasons
    assert lines["SPEND"].sum() == pytest.approx(layouts.total_spend())


def test_a_folder_that_spark_wrote(tmp_path: Path) -> None:
    proposal = propose(str(layouts.write_spark(tmp_path / "lines")))
    lines, reasons = cleaned(proposal)

    assert mapping(proposal) == {
        "BASKET_ID": "transaction_id",
        "PROD_CODE": "sku",
        "SPEND": "amount",
        "QUANTITY": "qty",
        "SHOP_DATE": "date",
        LABEL: "label",
    }
    assert proposal.is_complete
    assert not reasons
    assert lines["SPEND"].sum() == pytest.approx(layouts.total_spend())
    assert lines["SHOP_WEEK"].n_unique() > 3


def test_a_german_export(tmp_path: Path) -> None:
    rows = [
        {
            "Bon-Nr.": number,
            "Datum": f"{at:%d.%m.%Y}",
            "Uhrzeit": f"{at:%H:%M}",
            "Artikelnummer": f"{product:08d}",
            "Bezeichnung": f"Müsli {product}",
            "Warengruppe": f"WG {product % 5}",
            "Menge": f"{quantity * 0.456:.3f}".replace(".", ","),
            "Umsatz": f"{quantity * layouts.price(product):.2f} €".replace(".", ","),
            "Preissegment": ("günstig", "mittel", "gehoben")[number % 3],
        }
        for number, at, lines in layouts.orders()
        for product, quantity in lines
    ]
    path = layouts.write_csv(tmp_path / "kasse.csv", rows, separator=";", encoding="cp1252")

    proposal = propose(str(path))
    lines, reasons = cleaned(proposal)

    assert mapping(proposal) == {
        "BASKET_ID": "Bon-Nr.",
        "PROD_CODE": "Artikelnummer",
        "PROD_NAME": "Bezeichnung",
        "PROD_CODE_10": "Warengruppe",
        "SPEND": "Umsatz",
        "QUANTITY": "Menge",
        "SHOP_DATE": "Datum",
        "SHOP_HOUR": "Uhrzeit",
        LABEL: "Preissegment",
    }
    own = settings(proposal)
    assert own["data.encoding"] == "cp1252"
    assert own["data.decimal"] == ","
    assert own["data.currency"] == "EUR"
    assert own["data.date_format"] == "%d.%m.%Y"
    assert own["data.labels"] == {"günstig": "High", "mittel": "Medium", "gehoben": "Low"}
    assert not reasons
    assert lines["SPEND"].sum() == pytest.approx(layouts.total_spend())


def test_our_own_layout_needs_no_mapping(tmp_path: Path) -> None:
    from basketwise.sampling import draw_lines

    draw_lines(baskets=300, seed=1, weeks=3).write_csv(tmp_path / "lines.csv", float_precision=2)

    proposal = propose(str(tmp_path))

    assert "columns" not in proposal.settings["data"]
    assert "date" not in proposal.settings["data"]
    ours = set(mapping(proposal))
    assert ours == set(COLUMN_NAMES)
    assert all(match.own == (match.ours,) for match in proposal.matches)
    assert proposal.is_complete
    assert not proposal.rejected
