"""Small deliveries that a run can use, to be spoiled by tests in one way each."""

from __future__ import annotations

from pathlib import Path

from tests.raw_lines import LABEL, Line, line, write_csv

CLASS_LABELS = ("LA", "MM", "UM")
WEEKS = ("200607", "200608", "200609")


def delivery(baskets: int = 180) -> list[Line]:
    """Two lines a basket, three weeks; every product is bought by one class only."""
    lines = []
    for number in range(baskets):
        kind, week = number % 3, number % 7 % 3
        for item in range(2):
            lines.append(
                line(
                    BASKET_ID=str(994_100_100_000_000 + number),
                    SHOP_WEEK=WEEKS[week],
                    PROD_CODE=f"PRD{kind}{(number + item) % 5}",
                    SPEND=f"{1 + kind + item / 4:.2f}",
                    QUANTITY=str(1 + item),
                    BASKET_PRICE_SENSITIVITY=CLASS_LABELS[kind],
                )
            )
    return lines


def without(lines: list[Line], column: str) -> list[Line]:
    """Leave a column out."""
    return [{name: text for name, text in line.items() if name != column} for line in lines]


def changed(lines: list[Line], numbers: range, **values: str) -> list[Line]:
    """Change some lines, by their number from 0."""
    return [one | values if n in numbers else one for n, one in enumerate(lines)]


def relabelled(lines: list[Line], label: str) -> list[Line]:
    """Give all lines one label."""
    return [line | {LABEL: label} for line in lines]


def delivered(folder: Path, lines: list[Line]) -> Path:
    """Write a delivery as one file, and return its folder."""
    write_csv(folder / "till.csv", lines)
    return folder
