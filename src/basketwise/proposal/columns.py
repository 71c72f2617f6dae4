"""Which of a retailer's columns stands for which of ours: by its name, checked on its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from basketwise.etl.dates import hours, parse_dates, weekdays
from basketwise.proposal.evidence import Column, follows_quantity
from basketwise.proposal.labels import known_share
from basketwise.proposal.names import LEVEL, PRICE, TILL, name_score
from basketwise.schema import (
    BASKET_ID,
    CUST_CODE,
    HIERARCHY,
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

ENOUGH = 0.3
"""Score below which a column is not proposed."""

_SAME_NAME = 1.1
_RESTARTS = 0.2
"""Share of receipts with several days or shops from which their numbers are not unique."""
_MAX_LABELS = 12
_MAX_GROUPS = 300
_CLOSE = 0.005

Verdict = tuple[float, str]
"""How well values fit, from 0 (not at all) to 1, and what says so."""


@dataclass(frozen=True)
class Candidate:
    """A column that may stand for one of ours."""

    role: str
    column: Column
    score: float
    why: str


@dataclass
class Choice:
    """Columns by role.

    ``ties`` are columns between which neither names nor values decide; ``parts`` make up BASKET_ID
    where no column alone identifies a basket; ``levels`` are those of the hierarchy, finest first.
    """

    columns: dict[str, Candidate] = field(default_factory=dict)
    ties: dict[str, list[Candidate]] = field(default_factory=dict)
    parts: list[Column] = field(default_factory=list)
    levels: list[Candidate] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    basket: pl.Series | None = None

    def values(self, role: str) -> pl.Series | None:
        """Return the values of the column that was chosen."""
        return self.columns[role].column.values if role in self.columns else None

    @property
    def taken(self) -> set[str]:
        """The own names that are in use; a part of BASKET_ID may have a role of its own, too."""
        names = {candidate.column.name for candidate in self.columns.values()}
        return names | {level.column.name for level in self.levels}


def choose(columns: Mapping[str, Column]) -> Choice:
    """Choose the columns of a raw table.

    Every column is chosen once at most. Of several whose names and values speak for them equally,
    none is, unless they have the same values.
    """
    choice = Choice()
    everything = list(columns.values())
    _assign(choice, everything, (BASKET_ID, PROD_CODE, PROD_NAME))
    if PROD_CODE not in choice.columns and PROD_CODE not in choice.ties:
        _names_as_codes(choice)
    _identify_baskets(choice, everything)
    _assign(choice, everything, (QUANTITY, SHOP_DATE))
    _choose_amount(choice, everything)
    _assign(
        choice,
        everything,
        (
            *(LABEL, SHOP_WEEK, SHOP_WEEKDAY, SHOP_HOUR, CUST_CODE),
            *("STORE_CODE", "STORE_FORMAT", "STORE_REGION"),
        ),
    )
    _choose_by_values(choice, everything)
    _choose_levels(choice, everything)
    return choice


def _assign(choice: Choice, columns: list[Column], roles: Iterable[str]) -> None:
    """Give roles to columns, the surest first."""
    free = [column for column in columns if column.name not in choice.taken]
    candidates = [c for role in roles for column in free if (c := _candidate(choice, role, column))]
    candidates.sort(key=lambda c: -c.score)
    pending = set(roles)
    for best in candidates:
        if best.role not in pending or best.column.name in choice.taken:
            continue
        pending.discard(best.role)
        rivals = [
            c
            for c in candidates
            if c.role == best.role
            and c is not best
            and best.score - c.score < _CLOSE
            and c.column.name not in choice.taken
        ]
        others = [c for c in rivals if not _equivalent(best, c)]
        if others:
            choice.ties[best.role] = [best, *others]
        else:
            same = "".join(f"; {c.column.name} says the same" for c in rivals)
            choice.columns[best.role] = _explained(best, same)


def _candidate(choice: Choice, role: str, column: Column) -> Candidate | None:
    named = _SAME_NAME if column.name.strip().upper() == role else name_score(role, column.name)
    if not named or not len(column.present):
        return None
    fits, why = _CHECKS[role](column, choice)
    # A column with gaps says less than one without.
    score = named * fits * (1 - 0.3 * column.missing)
    if score < ENOUGH:
        return None
    return Candidate(role, column, score, f"name; {why}" if why else "name")


def _equivalent(first: Candidate, second: Candidate) -> bool:
    if first.role in (BASKET_ID, PROD_CODE):
        return (
            first.column.per(second.column.values) == 1
            and second.column.per(first.column.values) == 1
            and first.column.missing == second.column.missing
        )
    return first.column.values.equals(second.column.values, null_equal=True)


def _explained(candidate: Candidate, more: str) -> Candidate:
    return Candidate(candidate.role, candidate.column, candidate.score, candidate.why + more)


def _names_as_codes(choice: Choice) -> None:
    """Where products have no codes, their names are the codes."""
    if PROD_NAME in choice.columns:
        named = choice.columns.pop(PROD_NAME)
        why = f"no column of codes: names are the codes; {named.column.distinct:,} different"
        choice.columns[PROD_CODE] = Candidate(PROD_CODE, named.column, named.score, why)


def _identify_baskets(choice: Choice, columns: list[Column]) -> None:
    """Find out what a basket is; receipt numbers may start anew every day, in every shop."""
    own = choice.columns.get(BASKET_ID)
    if own is None:
        return
    choice.basket = own.column.values
    named = {
        role: max(
            (c for c in columns if c.name != own.column.name and name_score(role, c.name)),
            key=lambda c: name_score(role, c.name),
            default=None,
        )
        for role in ("STORE_CODE", TILL, SHOP_DATE)
    }
    parts, varying = [], []
    for role, column in named.items():
        if column is None or (role == SHOP_DATE and not column.formats):
            continue
        values = _days(column) if role == SHOP_DATE else column.values
        if 1 - Column(column.name, values).per(choice.basket) > _RESTARTS:
            varying.append(column.name)
            parts.append(column)
    if not varying:
        return
    timed = [column for column in parts if column.is_timed]
    if timed:
        choice.notes.append(
            f"{own.column.name} repeats on several days, and {timed[0].name} has times: add a "
            "column of days, and list both as data.columns.BASKET_ID"
        )
        return
    choice.parts = [*parts, own.column]
    choice.basket = pl.DataFrame([part.values for part in choice.parts]).select(
        pl.concat_str(pl.all(), separator="-").alias(BASKET_ID)
    )[BASKET_ID]
    each = len(choice.basket) / max(choice.basket.n_unique(), 1)
    choice.columns[BASKET_ID] = Candidate(
        BASKET_ID,
        own.column,
        own.score,
        f"{own.column.name} repeats across {' and '.join(varying)}; together {each:.1f} lines each",
    )


def _days(column: Column) -> pl.Series:
    return parse_dates(column.values, column.formats[0]).dt.date().cast(pl.String)


def _choose_amount(choice: Choice, columns: list[Column]) -> None:
    """Choose the amount of a line, or the price of a unit if there is no amount."""
    _assign(choice, columns, (SPEND,))
    if SPEND in choice.columns or SPEND in choice.ties:
        return
    free = [column for column in columns if column.name not in choice.taken]
    prices = [
        c
        for role in (UNIT_PRICE, PRICE)
        for column in free
        if (c := _candidate(choice, role, column))
    ]
    prices.sort(key=lambda c: -c.score)
    if not prices:
        return
    best = prices[0]
    rivals = [
        c
        for c in prices[1:]
        if c.role == best.role and best.score - c.score < _CLOSE and not _equivalent(best, c)
    ]
    if rivals:
        choice.ties[SPEND if best.role == PRICE else UNIT_PRICE] = [best, *rivals]
        return
    _decide_price(choice, best)


def _decide_price(choice: Choice, price: Candidate) -> None:
    """Tell by the values whether a price is of a unit or of the line."""
    quantity = choice.columns.get(QUANTITY)
    product = choice.values(PROD_CODE)
    grows = None
    if quantity is not None and product is not None:
        grows = follows_quantity(price.column, quantity.column, product)
    single = quantity is not None and bool((quantity.column.numbers.abs() == 1).all())
    named_unit = price.role == UNIT_PRICE
    if grows is None and not single and not named_unit:
        choice.ties[SPEND] = [price]
    elif grows and named_unit:
        choice.ties[UNIT_PRICE] = [price]
    elif grows or (single and not named_unit):
        why = "grows with the quantity: of the line" if grows else "every quantity is 1"
        choice.columns[SPEND] = Candidate(SPEND, price.column, price.score, f"name; {why}")
    else:
        why = "the same for any quantity" if grows is False else "name"
        why = f"{why}; SPEND is price × quantity"
        choice.columns[UNIT_PRICE] = Candidate(UNIT_PRICE, price.column, price.score, why)


def _choose_by_values(choice: Choice, columns: list[Column]) -> None:
    """Find label and date by their values where no name tells."""
    for role, fits, why in (
        (SHOP_DATE, _are_dates, "dates"),
        (LABEL, _are_classes, "names of classes"),
    ):
        if role in choice.columns or role in choice.ties:
            continue
        free = [c for c in columns if c.name not in choice.taken and fits(c, choice)]
        found = [Candidate(role, c, 0.5, f"values alone: {why}") for c in free]
        if len(found) == 1:
            choice.columns[role] = found[0]
        elif found:
            choice.ties[role] = found


def _are_dates(column: Column, choice: Choice) -> bool:
    return bool(column.formats) and "-" in column.present[0]


def _are_classes(column: Column, choice: Choice) -> bool:
    return (
        3 <= column.distinct <= _MAX_LABELS
        and known_share(column.present.unique()) == 1
        and _one_per_basket(column, choice)
    )


def _choose_levels(choice: Choice, columns: list[Column]) -> None:
    """Choose the levels of the hierarchy, by how many groups they have."""
    own = {column.name.strip().upper() for column in columns}
    if own.intersection(HIERARCHY):
        by_name = {column.name.strip().upper(): column for column in columns}
        for name in HIERARCHY:
            if name in own:
                why = f"name; {by_name[name].distinct:,} different"
                choice.levels.append(Candidate(name, by_name[name], _SAME_NAME, why))
        return
    free = [column for column in columns if column.name not in choice.taken]
    levels = [c for column in free if (c := _candidate(choice, LEVEL, column))]
    levels.sort(key=lambda c: -c.column.distinct)
    distinct: list[Candidate] = []
    for level in levels:
        if not any(
            level.column.per(other.column.values) == 1 == other.column.per(level.column.values)
            for other in distinct
        ):
            distinct.append(level)
    choice.levels = [
        Candidate(name, level.column, level.score, level.why)
        for name, level in zip(HIERARCHY, distinct, strict=False)
    ]


def misleading(choice: Choice, columns: Iterable[Column]) -> list[str]:
    """Say which columns have a name that matters, and values that do not fit it."""
    free = [column for column in columns if column.name not in choice.taken]
    notes = []
    for roles, what in (
        ((SHOP_DATE, SHOP_WEEK), "neither dates nor weeks as YYYYWW"),
        ((LABEL,), f"not 2 to {_MAX_LABELS} labels, the same on all lines of a basket"),
    ):
        if any(role in choice.columns or role in choice.ties for role in roles):
            continue
        names = [c.name for c in free if any(name_score(role, c.name) for role in roles)]
        if names:
            notes.append(f"not used: {', '.join(names)} ({what})")
    return notes


def _one_per_basket(column: Column, choice: Choice) -> bool:
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
    if not 2 <= column.distinct <= _MAX_LABELS or not _one_per_basket(column, choice):
        return 0, ""
    names = column.present.unique()
    return 0.6 + 0.4 * known_share(names), f"{column.distinct} values, one per basket"


def _customer(column: Column, choice: Choice) -> Verdict:
    if column.distinct < 2 or column.decimals or not _one_per_basket(column, choice):
        return 0, ""
    return 1, f"{column.distinct:,} different, one per basket"


def _store(column: Column, choice: Choice) -> Verdict:
    if not _one_per_basket(column, choice):
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


_CHECKS: dict[str, Callable[[Column, Choice], Verdict]] = {
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
