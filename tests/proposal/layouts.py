"""Made-up rows in the layouts that shops, tills and public data sets export."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

PRODUCTS = 40
ORDERS = 150
LINES = 4
CLASSES = ("budget", "standard", "premium")

Row = dict[str, Any]


def price(product: int) -> float:
    return 1.5 + product * 0.25


def orders(seed: int = 1) -> Iterator[tuple[int, datetime, list[tuple[int, int]]]]:
    """Yield number, time, and products with quantities of made-up orders over some weeks."""
    draw = random.Random(seed)
    for number in range(ORDERS):
        at = datetime(2025, 1, 6, 8, 5) + timedelta(hours=5 * number)
        yield (
            number,
            at,
            [(p, draw.choice((1, 1, 2, 3))) for p in draw.sample(range(PRODUCTS), LINES)],
        )


def write_csv(
    path: Path, rows: Iterable[Row], separator: str = ",", encoding: str = "utf-8"
) -> Path:
    listed = list(rows)
    with path.open("w", newline="", encoding=encoding) as stream:
        writer = csv.DictWriter(stream, listed[0], delimiter=separator)
        writer.writeheader()
        writer.writerows(listed)
    return path


def instacart() -> Iterator[Row]:
    for number, _, lines in orders():
        for place, (product, quantity) in enumerate(lines, start=1):
            yield {
                "order_id": number + 1,
                "product_id": 13_000 + product,
                "add_to_cart_order": place,
                "reordered": quantity % 2,
            }


def online_retail() -> Iterator[Row]:
    for number, at, lines in orders():
        cancelled = number % 25 == 7
        for product, quantity in lines:
            yield {
                "InvoiceNo": f"{'C' if cancelled else ''}{536365 + number}",
                "StockCode": f"{85000 + product}{'A' if product % 3 else ''}",
                "Description": f"RED CANDLE No {product}",
                "Quantity": -quantity if cancelled else quantity,
                "InvoiceDate": f"{at.month}/{at.day}/{at.year} {at.hour}:{at:%M}",
                "UnitPrice": price(product),
                "CustomerID": 12_300 + number % 30 if number % 7 else "",
                "Country": "France" if number % 9 == 0 else "United Kingdom",
            }


def complete_journey(*, labelled: bool) -> Iterator[Row]:
    for number, at, lines in orders():
        for product, quantity in lines:
            row = {
                "household_key": number % 30 + 1,
                "BASKET_ID": 26_984_851_472 + number,
                "DAY": number // 5 + 1,
                "PRODUCT_ID": 825_000 + product,
                "QUANTITY": quantity,
                "SALES_VALUE": round(quantity * price(product), 2),
                "STORE_ID": 364 + number % 5,
                "RETAIL_DISC": -0.1 if product % 4 == 0 else 0,
                "TRANS_TIME": f"{at:%H%M}",
                "WEEK_NO": number // 35 + 1,
                "COUPON_DISC": 0,
                "COUPON_MATCH_DISC": 0,
            }
            yield row | ({"segment": CLASSES[number % 3]} if labelled else {})


def shopify() -> Iterator[Row]:
    for number, at, lines in orders():
        for place, (product, quantity) in enumerate(lines):
            first = place == 0
            total = sum(n * price(p) for p, n in lines)
            yield {
                "Name": f"#{1001 + number}",
                "Email": f"u{number % 30}@shop.example" if first else "",
                "Financial Status": "paid" if first else "",
                "Currency": "USD" if first else "",
                "Total": f"{total:.2f}" if first else "",
                "Created at": f"{at:%Y-%m-%d %H:%M:%S} -0500",
                "Lineitem quantity": quantity,
                "Lineitem name": f"Coffee {product} - Large",
                "Lineitem price": f"{price(product):.2f}",
                "Lineitem sku": f"SKU-{product:03d}",
                "Lineitem requires shipping": "true",
                "Id": 6_000_000_000 + number if first else "",
                "Customer segment": CLASSES[number % 3] if first else "",
            }


def square() -> Iterator[Row]:
    for number, at, lines in orders():
        for product, quantity in lines:
            yield {
                "Date": f"{at:%m/%d/%y}",
                "Time": f"{at:%I:%M:%S %p}",
                "Time Zone": "Eastern Time (US & Canada)",
                "Category": f"Group {product % 6}",
                "Item": f"Muffin {product}",
                "Qty": f"{quantity}.0",
                "Price Point Name": "Regular",
                "SKU": f"S{product:04d}",
                "Modifiers Applied": "",
                "Gross Sales": f"${quantity * price(product):.2f}",
                "Transaction ID": f"T{number:06d}xyz",
                "Location": "Main St",
                "Price Sensitivity": ("Low", "Medium", "High")[number % 3],
            }


def toast() -> Iterator[Row]:
    for number, at, lines in orders():
        sent = f"{at.month}/{at.day}/{at:%y} {at.hour % 12 or 12}:{at:%M %p}"
        for product, quantity in lines:
            yield {
                "Location": "Main St",
                "Order Id": 9_000_000 + number,
                "Order #": number % 60 + 1,
                "Sent Date": sent,
                "Check Id": 5_000 + number,
                "Server": "Ann",
                "Item Selection Id": f"{number}-{product}",
                "Item Id": 300 + product,
                "Menu Item": f"Burger {product}",
                "Menu Group": f"Group {product % 7}",
                "Gross Price": f"{quantity * price(product) + 1:.2f}",
                "Discount": "1.00",
                "Net Price": f"{quantity * price(product):.2f}",
                "Qty": f"{quantity}.0",
                "Tax": "0.10",
                "Void?": "false",
                "Guest tier": ("value", "core", "premium")[number % 3],
            }


def write_spark(folder: Path) -> Path:
    """Write a folder as Spark does: Parquet parts by date, an empty part, a marker."""
    rows = [
        {
            "transaction_id": number,
            "date": at.date().isoformat(),
            "sku": f"{product:05d}",
            "qty": float(quantity),
            "amount": round(quantity * price(product), 2),
            "label": CLASSES[number % 3],
        }
        for number, at, lines in orders()
        for product, quantity in lines
    ]
    frame = pl.DataFrame(rows).with_columns(pl.col("amount").cast(pl.Decimal(12, 2)))
    for (day,), part in frame.partition_by("date", as_dict=True).items():
        own = folder / f"date={day}"
        own.mkdir(parents=True)
        lines = part.drop("date")
        lines.write_parquet(own / "part-00000-6b1f.c000.snappy.parquet", compression="snappy")
        lines.clear().write_parquet(own / "part-00001-6b1f.c000.snappy.parquet")
    (folder / "_SUCCESS").touch()
    return folder


def total_spend() -> float:
    """Return what all orders cost together."""
    return sum(n * price(p) for _, _, lines in orders() for p, n in lines)
