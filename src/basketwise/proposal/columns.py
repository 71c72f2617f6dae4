"""Which of a retailer's columns stands for which of ours: by its name, checked on its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from basketwise.proposal.baskets import identify_baskets
from basketwise.proposal.candidates import Candidate, Choice
from basketwise.proposal.checks import CHECKS, MAX_LABELS, one_per_basket
from basketwise.proposal.evidence import Column, follows_quantity
from basketwise.proposal.labels import known_share
from basketwise.proposal.names import LEVEL, PRICE, name_score
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

ENOUGH = 0.3
"""Score below which a column is not proposed."""

_SAME_NAME = 1.1
_CLOSE = 0.005


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
    identify_baskets(choice, everything)
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
    fits, why = CHECKS[role](column, choice)
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
        3 <= column.distinct <= MAX_LABELS
        and known_share(column.present.unique()) == 1
        and one_per_basket(column, choice)
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
        ((LABEL,), f"not 2 to {MAX_LABELS} labels, the same on all lines of a basket"),
    ):
        if any(role in choice.columns or role in choice.ties for role in roles):
            continue
        names = [c.name for c in free if any(name_score(role, c.name) for role in roles)]
        if names:
            notes.append(f"not used: {', '.join(names)} ({what})")
    return notes
