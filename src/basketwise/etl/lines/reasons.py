"""Why a line cannot be used: one reason a line, the first that applies in a fixed order."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from basketwise.errors import InputError
from basketwise.etl.lines.missing import is_given
from basketwise.etl.lines.rules import Rules
from basketwise.schema import (
    BASKET_ID,
    LABEL,
    PROD_CODE,
    QUANTITY,
    REASON,
    SHOP_DATE,
    SHOP_HOUR,
    SHOP_WEEK,
    SHOP_WEEKDAY,
    SPEND,
)

GARBLED = {
    SHOP_DATE: "shop_date_not_a_date",
    SHOP_WEEKDAY: "shop_weekday_not_a_weekday",
    SHOP_HOUR: "shop_hour_not_an_hour",
}
"""Reasons of optional columns with a value that cannot be read."""

ADVICE = {
    "unknown_label": "data.labels in the config maps the labels",
    "spend_not_a_number": "data.decimal says whether the comma of 1,234 marks decimals",
    "quantity_not_a_number": "data.decimal says whether the comma of 1,234 marks decimals",
    "missing_shop_week": "data.date takes weeks from a column of dates",
    "shop_week_not_yyyyww": "data.date takes weeks from a column of dates",
    "quantity_not_positive": "etl.returns says what becomes of returns",
    "spend_negative": "etl.returns says what becomes of returns",
}
"""The setting that may be needed where most lines have this reason."""

LARGEST = 1e30
"""Largest SPEND or QUANTITY, of either sign, that is accepted.

Models calculate in single precision, which ends at 3.4e38: below this, no sum, mean or deviation
of a basket with fewer than 1e8 lines is infinite.
"""

TOO_LARGE = {SPEND: "spend_too_large", QUANTITY: "quantity_too_large"}

WEEKS = (1900_01, 2999_54)
"""The first and the last SHOP_WEEK."""
_REQUIRED = {
    # By column: the reason where nothing is given, the reason where it cannot be read.
    BASKET_ID: ("missing_basket_id", "missing_basket_id"),
    PROD_CODE: ("missing_prod_code", "missing_prod_code"),
    SPEND: ("missing_spend", "spend_not_a_number"),
    QUANTITY: ("missing_quantity", "quantity_not_a_number"),
}


def first_reason(
    raw: pl.DataFrame, typed: pl.DataFrame, label: pl.Series | None, rules: Rules
) -> pl.Series:
    """Give each line the first reason that applies to it; null where the line is accepted.

    ``raw`` and ``typed`` are the same lines as delivered and typed; ``label`` is what each line's
    label means, null where it is unknown (None: labels are not read).
    """
    words = rules.missing
    reasons: list[tuple[str, pl.Series]] = []

    def refuse_nulls(name: str, absent: str, garbled: str) -> None:
        # On clean data, where there is no null at all, this costs nothing.
        if typed[name].null_count():
            stated = is_given(raw[name], words)
            reasons.append((absent, ~stated))
            reasons.append((garbled, stated & typed[name].is_null()))

    def refuse_garbled(name: str) -> None:
        if name in raw.columns and typed[name].null_count():
            garbled = typed[name].is_null() & is_given(raw[name], words)
            reasons.append((GARBLED[name], garbled))

    for name, texts in _REQUIRED.items():
        refuse_nulls(name, *texts)
    for name, text in TOO_LARGE.items():
        reasons.append((text, (typed[name] > LARGEST) | (typed[name] < -LARGEST)))
    if rules.returns == "reject":
        reasons.append(("quantity_not_positive", typed[QUANTITY] <= 0))
        reasons.append(("spend_negative", typed[SPEND] < 0))
    else:
        reasons.append(("quantity_not_positive", typed[QUANTITY] == 0))
    # A week that follows from the date is missing where that is garbled.
    refuse_garbled(SHOP_DATE)
    if SHOP_WEEK in raw.columns:
        refuse_nulls(SHOP_WEEK, "missing_shop_week", "shop_week_not_yyyyww")
        week = typed[SHOP_WEEK]
        in_year = week.is_between(*WEEKS) & (week % 100).is_between(1, 54)
        reasons.append(("shop_week_not_yyyyww", ~in_year))
    refuse_garbled(SHOP_WEEKDAY)
    refuse_garbled(SHOP_HOUR)
    if label is not None:
        # A label that is not stated on this line may be on another of the basket.
        unknown = label.is_null() & typed[LABEL].is_not_null()
        reasons.append(("unknown_label", unknown))
    first = pl.Series(REASON, [None], dtype=pl.String).new_from_index(0, raw.height)
    for text, applies in reversed(reasons):
        if applies.any():
            applies = applies.fill_null(False)
            first = pl.Series(REASON, [text]).new_from_index(0, raw.height).zip_with(applies, first)
    return first


def none_usable(lines: int, reasons: Mapping[str, int]) -> InputError:
    """Return the error for a table of which every line was rejected."""
    counted = ", ".join(f"{n:,} {reason}" for reason, n in reasons.items())
    most = max(reasons, key=lambda reason: reasons[reason], default="")
    advice = f"; {ADVICE[most]}" if most in ADVICE else ""
    return InputError(
        f"None of the {lines:,} lines can be used: {counted or 'there are no lines'}.",
        f"Check the columns that the reasons name{advice}.",
    )
