"""Settings that follow from the columns that were chosen, and from their values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl

from basketwise.etl.lines.date_formats import agree, fitting_formats, one_of_each_order, readable
from basketwise.etl.lines.numbers import currency_signs
from basketwise.etl.raw.sources import Source
from basketwise.progress import counted
from basketwise.proposal.candidates import Candidate, Choice
from basketwise.proposal.evidence import Column
from basketwise.proposal.first_lines import own_frames
from basketwise.proposal.labels import is_reversed, meaning
from basketwise.proposal.names import CURRENCY, name_score
from basketwise.proposal.types import Match, Proposal, Question
from basketwise.schema import (
    BASKET_ID,
    CLASSES,
    COLUMN_NAMES,
    DEFAULT_LABELS,
    LABEL,
    PROD_CODE,
    PROD_NAME,
    QUANTITY,
    SHOP_DATE,
    SPEND,
    UNIT_PRICE,
)

_CONTENT = {
    BASKET_ID: "the number of the receipt or order, the same on all of its lines",
    PROD_CODE: "the code of the product",
    SPEND: "the amount of the line, or the price of a unit (UNIT_PRICE)",
    QUANTITY: "pieces or weight of the line; a column of ones if each line is one piece",
    LABEL: "the class of the basket; without it, a model can be used but not trained",
}
_CURRENCIES = {"€": "EUR", "£": "GBP", "zł": "PLN", "Kč": "CZK", "₹": "INR", "US$": "USD"}


def add_columns(proposal: Proposal, choice: Choice) -> None:
    """Map the columns that were chosen, and ask about those that are not clear."""
    order = [*COLUMN_NAMES, UNIT_PRICE, PROD_NAME]
    own: dict[str, object] = {}
    chosen = [*choice.columns.values(), *choice.levels]
    for candidate in sorted(chosen, key=lambda c: order.index(c.role)):
        role, column = candidate.role, candidate.column
        names: tuple[str, ...] = (column.name,)
        examples = column.examples
        if role == BASKET_ID and choice.parts and choice.basket is not None:
            names = tuple(part.name for part in choice.parts)
            examples = tuple(choice.basket.drop_nulls().unique(maintain_order=True).head(3))
        proposal.matches.append(Match(names, role, examples, candidate.why))
        if len(names) == 1 and column.name.strip().upper() == role:
            continue
        if role == SHOP_DATE:
            proposal.set("data", "date", column.name, candidate.why)
        else:
            own[role] = names[0] if len(names) == 1 else names
    if own:
        proposal.set("data", "columns", own, "")
    for role, rivals in choice.ties.items():
        proposal.questions.append(_tie(role, rivals))
    there = {*choice.columns, *choice.ties}
    if UNIT_PRICE in there:
        there.add(SPEND)
    proposal.missing |= {name: text for name, text in _CONTENT.items() if name not in there}


def _tie(role: str, rivals: Sequence[Candidate]) -> Question:
    names = [rival.column.name for rival in rivals]
    if len(names) > 1:
        section = "data" if role == SHOP_DATE else "data.columns"
        key = "date" if role == SHOP_DATE else role
        text = f"{role}: {' or '.join(names)}? Names and values speak for each of them."
        return Question(section, text, tuple(f"{key} = {_quoted(name)}" for name in names))
    # A price that may be of a unit or of the line.
    text = f"Is {names[0]} the price of a unit, or the amount of the line?"
    choices = (f"{UNIT_PRICE} = {_quoted(names[0])}", f"{SPEND} = {_quoted(names[0])}")
    return Question("data.columns", text, choices)


def _quoted(name: str) -> str:
    from basketwise.template import toml_value

    return toml_value(name)


def add_dates(proposal: Proposal, choice: Choice, sources: Sequence[Source]) -> None:
    """Add the format of dates, which all files are read for if the first lines do not tell."""
    date = choice.columns.get(SHOP_DATE)
    if date is None:
        return
    example = f"e.g. {date.column.examples[0]}"
    values = readable(date.column.present.unique(), date.column.formats)
    formats = fitting_formats(values, date.column.formats)
    if not formats:
        # Trying the settings shows two dates of different formats.
        return
    if len(one_of_each_order(formats)) == 1:
        proposal.set("data", "date_format", formats[0], example)
        return
    # Dates of one day may agree where later ones do not: 01/01/2025 tells nothing.
    agreed = agree(values, formats)
    for raw in own_frames(sources, proposal):
        if date.column.name not in raw.frame.columns:
            continue
        more = Column(date.column.name, raw.frame[date.column.name]).present.unique()
        dates = readable(more, formats)
        formats = fitting_formats(dates, formats) or formats
        if len(one_of_each_order(formats)) == 1:
            why = "the only one that all dates fit"
            proposal.set("data", "date_format", formats[0], why)
            return
        agreed = agreed and agree(dates, formats)
    if agreed:
        proposal.set("data", "date_format", formats[0], example)
        return
    text = f"Dates such as {date.column.examples[0]} can be read in more than one way."
    each = one_of_each_order(formats)
    choices = tuple(f"date_format = {_quoted(form)}" for form in each)
    proposal.questions.append(Question("data", text, choices))


def add_labels(proposal: Proposal, choice: Choice, sources: Sequence[Source]) -> None:
    """Map the labels; all files are read if the first lines do not show all three classes."""
    label = choice.columns.get(LABEL)
    if label is None:
        return
    own = label.column.name
    counts = Counter(dict(label.column.present.value_counts().iter_rows()))
    if not set(CLASSES) <= {meaning(name) for name in counts}:
        counts = Counter()
        for raw in own_frames(sources, proposal):
            if own in raw.frame.columns:
                present = Column(own, raw.frame[own]).present
                counts.update(dict(present.value_counts().iter_rows()))
    known = {name: meant for name in counts if (meant := meaning(name))}
    unknown = [name for name in counts if name not in known]
    if is_reversed(own):
        text = (
            f"{own} is about wealth, not about prices: wealthy shoppers may be the least sensitive "
            "to prices. Fill in the class of each label."
        )
        proposal.questions.append(_unmapped(text, dict(counts)))
        return
    default = {name.casefold() for name in DEFAULT_LABELS}
    mapped = {
        name: meant for name, meant in sorted(known.items()) if name.casefold() not in default
    }
    if mapped:
        proposal.set("data", "labels", mapped, "by their names")
    if unknown:
        text = (
            "The names of these labels do not tell how price-sensitive the baskets are: "
            f"choose Low, Medium, High or Unclassified ({own})."
        )
        proposal.questions.append(_unmapped(text, {name: counts[name] for name in sorted(unknown)}))
    elif absent := [name for name in CLASSES if name not in known.values()]:
        proposal.notes.append(
            f"no label of {own} stands for {' or '.join(absent)}: all three classes are needed to "
            "train"
        )


def _unmapped(text: str, counts: dict[str, int]) -> Question:
    choices = tuple(
        f'{_quoted(name)} = "?"  # {counted(number, "line")}'
        for name, number in sorted(counts.items())
    )
    return Question("data.labels", text, choices)


def add_amounts(proposal: Proposal, choice: Choice, columns: dict[str, Column]) -> None:
    """Add the currency, if the values or a column show one."""
    for column in columns.values():
        if name_score(CURRENCY, column.name) and column.distinct == 1:
            code = column.present[0]
            proposal.set("data", "currency", code, f"the only value of {column.name}")
            return
    amount = choice.columns.get(SPEND) or choice.columns.get(UNIT_PRICE)
    if amount is None:
        return
    signs = currency_signs(amount.column.present.head(10_000))
    if len(signs) == 1:
        sign = signs.pop()
        code = _CURRENCIES.get(sign, sign)
        proposal.set(
            "data", "currency", code, f"amounts are written as {amount.column.examples[0]}"
        )


def add_repeats(proposal: Proposal, choice: Choice, frame: pl.DataFrame) -> None:
    """Add what happens to repeated lines and to returns."""
    quantity = choice.columns.get(QUANTITY)
    product = choice.values(PROD_CODE)
    if quantity is None or product is None or choice.basket is None:
        return
    numbers = quantity.column.numbers
    repeated = frame.select(sorted(choice.taken)).is_duplicated() & choice.basket.is_not_null()
    whole_numbers = numbers.drop_nulls().filter(numbers.drop_nulls() % 1 == 0)
    pieces = bool((whole_numbers.abs() == 1).all())
    weights = len(whole_numbers) < numbers.count()
    if pieces and repeated.any():
        why = "no line has several pieces, so the till prints one line per piece"
        if weights:
            proposal.set("etl", "duplicates", "pieces", why)
        else:
            proposal.notes.append(f"repeated lines are kept: {why} (etl.duplicates)")
    elif repeated.any():
        proposal.notes.append(
            f"{counted(int(repeated.sum()), 'line')} repeat others in every column that is used: "
            "all but the first are rejected as copies (etl.duplicates)"
        )
    returned = (numbers < 0).fill_null(False)
    if not returned.any():
        return
    keys = pl.DataFrame({"basket": choice.basket, "product": product})
    bought = keys.filter(~returned).unique()
    both = keys.filter(returned).join(bought, on=["basket", "product"], how="semi").height
    share = both / int(returned.sum())
    count = counted(int(returned.sum()), "line")
    if share > 0.5:
        why = f"{count} take back products of the same basket"
        proposal.set("etl", "returns", "net", why)
    else:
        why = f"{count} with a negative quantity, mostly in baskets of their own"
        proposal.set("etl", "returns", "reject", why)
