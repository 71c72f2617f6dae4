"""How well the values of a column fit each role that its name may give it."""

from __future__ import annotations

from collections.abc import Callable

from basketwise.etl.lines.dates import hours, weekdays
from basketwise.proposal.candidates import Choice, Verdict
from basketwise.proposal.evidence import Column
from basketwise.proposal.labels import known_share
from basketwise.proposal.names import LEVEL, PRICE
from basketwise.schema import (
    BASKET_ID,
    CUST_CODE,
    LABEL,
    PROD_CODE,
    PROD_NAME,
    QUANTITY,
    SHOP_DATE,
    SHOP_HOUR,
    SHOP_WEEK,
    SHOP_WEEKDAY,
    SPEND,
    UNIT_PRICE,
)

MOSTLY = 0.95
"""Share of values, baskets or products for which a rule has to hold."""

MAX_LABELS = 12
_MAX_GROUPS = 300


def one_per_basket(column: Column, choice: Choice) -> bool:
    """Whether a column has one value on all lines of a basket, as far as baskets are known."""
    return choice.basket is None or column.per(choice.basket) >= MOSTLY


def _basket(column: Column, choice: Choice) -> Verdict:
    lines = len(column.values)
    if column.missing > 0.1 or column.distinct == 1 or column.decimals:
        return 0, ""
    if column.distinct == len(column.present) and lines > 20:
        return 0, ""
    return 1, f"{len(column.present) / column.distinct:.1f} lines each"


def _product(column: Column, choice: Choice) -> Verdict:
    if column.distinct < 2 or column.decimals:
        return 0, ""
    if column.distinct == len(column.present) and len(column.present) > 1_000:
        return 0, ""
    return 1, f"{column.distinct:,} different"


def _product_name(column: Column, choice: Choice) -> Verdict:
    if column.letters < 0.5 or column.distinct < 2:
        return 0, ""
    return 1, f"{column.distinct:,} different texts"


def _number(column: Column, choice: Choice) -> Verdict:
    return (1, "") if column.numeric >= MOSTLY and not _is_of_basket(column, choice) else (0, "")


def _is_of_basket(column: Column, choice: Choice) -> bool:
    """Whether an amount is of the whole basket: repeated on its lines, or on the first alone."""
    if choice.basket is None or column.distinct < 10:
        return False
    return column.per(choice.basket) >= MOSTLY


def _quantity(column: Column, choice: Choice) -> Verdict:
    given = column.numbers.drop_nulls()
    if column.numeric < MOSTLY or not len(given) or (given.abs().median() or 0) > 1_000:  # type: ignore[operator]
        return 0, ""
    if column.decimals:
        return 1, f"{column.decimals:.0%} with decimals, as weights have"
    values = given.to_numpy()
    return 1, f"{values.min():g} to {values.max():g}"


def _amount(column: Column, choice: Choice) -> Verdict:
    fits, _ = _number(column, choice)
    return fits, f"numbers, {column.decimals:.0%} with decimals"


def _date(column: Column, choice: Choice) -> Verdict:
    if not column.formats:
        return 0, ""
    return 1, "dates and times" if column.is_timed else "dates"


def _week(column: Column, choice: Choice) -> Verdict:
    numbers = column.numbers.drop_nulls()
    usable = numbers.is_between(190_001, 299_954) & (numbers % 100).is_between(1, 54)
    fits = column.numeric == 1 and not column.decimals and bool(usable.all())
    return (1, "YYYYWW") if fits else (0, "")


def _weekday(column: Column, choice: Choice) -> Verdict:
    days = weekdays(column.present.unique())
    if not days.null_count():
        return 1, "names of days"
    # Numbers start on Sunday here, on Monday there, and at 0 elsewhere.
    ours = column.name.strip().upper() == SHOP_WEEKDAY
    return (1, "1 is Sunday") if ours and column.numbers.is_between(1, 7).all() else (0, "")


def _hour(column: Column, choice: Choice) -> Verdict:
    date = choice.columns.get(SHOP_DATE)
    if date is not None and date.column.is_timed and column.name.strip().upper() != SHOP_HOUR:
        return 0, ""
    read = hours(column.present.unique())
    fits = len(read) and not read.null_count() and read.is_between(0, 24).all()
    return (1, "hours or times of day") if fits else (0, "")


def _label(column: Column, choice: Choice) -> Verdict:
    if not 2 <= column.distinct <= MAX_LABELS or not one_per_basket(column, choice):
        return 0, ""
    names = column.present.unique()
    return 0.6 + 0.4 * known_share(names), f"{column.distinct} values, one per basket"


def _customer(column: Column, choice: Choice) -> Verdict:
    if column.distinct < 2 or column.decimals or not one_per_basket(column, choice):
        return 0, ""
    return 1, f"{column.distinct:,} different, one per basket"


def _store(column: Column, choice: Choice) -> Verdict:
    if not one_per_basket(column, choice):
        return 0, ""
    return 1, f"{column.distinct:,} different, one per basket"


def _store_group(column: Column, choice: Choice) -> Verdict:
    return _store(column, choice) if column.distinct <= _MAX_GROUPS else (0, "")


def _level(column: Column, choice: Choice) -> Verdict:
    product = choice.columns.get(PROD_CODE)
    if product is None or not 2 <= column.distinct < product.column.distinct:
        return 0, ""
    if column.per(product.column.values) < MOSTLY:
        return 0, ""
    return 1, f"{column.distinct:,} groups of products"


CHECKS: dict[str, Callable[[Column, Choice], Verdict]] = {
    BASKET_ID: _basket,
    PROD_CODE: _product,
    PROD_NAME: _product_name,
    QUANTITY: _quantity,
    SPEND: _amount,
    UNIT_PRICE: _amount,
    PRICE: _amount,
    SHOP_DATE: _date,
    SHOP_WEEK: _week,
    SHOP_WEEKDAY: _weekday,
    SHOP_HOUR: _hour,
    LABEL: _label,
    CUST_CODE: _customer,
    "STORE_CODE": _store,
    "STORE_FORMAT": _store_group,
    "STORE_REGION": _store_group,
    LEVEL: _level,
}
