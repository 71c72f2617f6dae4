"""Settings for raw files, from a look at their first lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

import polars as pl

from basketwise.config import Config, DataConfig
from basketwise.errors import ConfigError, InputError
from basketwise.etl.cleaning import clean, settle
from basketwise.etl.dates import agree, fitting_formats, readable
from basketwise.etl.discovery import list_files
from basketwise.etl.layout import FIRST_TABLES, glimpses, settle_sources, spaced, whole
from basketwise.etl.numbers import currency_signs
from basketwise.etl.preview import check_split
from basketwise.etl.reading import RawFrame, read_raw
from basketwise.etl.rules import rules_of
from basketwise.etl.sources import Source, skipped_texts
from basketwise.etl.text import EncodingError
from basketwise.progress import counted
from basketwise.proposal.columns import Candidate, Choice, choose, misleading
from basketwise.proposal.evidence import Column, columns_of
from basketwise.proposal.labels import is_reversed, meaning
from basketwise.proposal.names import CURRENCY, name_score
from basketwise.proposal.types import Match, Proposal, Question
from basketwise.schema import (
    BASKET_ID,
    CLASSES,
    COLUMN_NAMES,
    CUST_CODE,
    DEFAULT_LABELS,
    LABEL,
    PROD_CODE,
    PROD_NAME,
    QUANTITY,
    SHOP_DATE,
    SHOP_WEEK,
    SPEND,
    UNIT_PRICE,
)

BUDGET = 8 * 2**20
"""So many bytes of text are looked at first, over all tables."""

LEAST = 2**16
MOST_LINES = 100_000

_ENCODINGS: tuple[Literal["utf-8", "cp1252", "latin-1"], ...] = ("utf-8", "cp1252", "latin-1")
_CONTENT = {
    BASKET_ID: "the number of the receipt or order, the same on all of its lines",
    PROD_CODE: "the code of the product",
    SPEND: "the amount of the line, or the price of a unit (UNIT_PRICE)",
    QUANTITY: "pieces or weight of the line; a column of ones if each line is one piece",
    LABEL: "the class of the basket; without it, a model can be used but not trained",
}
_CURRENCIES = {"€": "EUR", "£": "GBP", "zł": "PLN", "Kč": "CZK", "₹": "INR", "US$": "USD"}


def propose(data: str) -> Proposal:
    """Propose settings for raw files.

    Parameters
    ----------
    data : str
        A file, a folder or a glob.

    Returns
    -------
    Proposal
        What stands for what, and what the data do not tell.

    Raises
    ------
    InputError
        If there are no raw files, or one cannot be read.
    """
    delivery = list_files(data)
    encoding, frame, scope, others = _first_lines(delivery.sources)
    proposal = Proposal(data, scope)
    if others:
        proposal.notes.append(
            f"other columns, and not lines of a till: {', '.join(others)}. Move such files "
            "elsewhere, or name those with lines by a pattern"
        )
    proposal.notes += skipped_texts(delivery.skipped)
    if encoding != "utf-8":
        proposal.set("data", "encoding", encoding, "the files are not UTF-8")
    columns = columns_of(frame)
    choice = choose(columns)
    proposal.notes += choice.notes
    _add_columns(proposal, choice)
    _add_dates(proposal, choice, delivery.sources)
    _add_labels(proposal, choice, delivery.sources)
    _add_amounts(proposal, choice, columns)
    _add_repeats(proposal, choice, frame)
    used = {own for match in proposal.matches for own in match.own}
    proposal.unused = [name for name in frame.columns if name not in used]
    proposal.notes += misleading(choice, list(columns.values()))
    if not proposal.missing or set(proposal.missing) == {LABEL}:
        _try_out(proposal, delivery.sources)
    return proposal


def _first_lines(sources: Sequence[Source]) -> tuple[str, pl.DataFrame, str, list[str]]:
    """Read the first lines of some tables, every column under its own name.

    Returns their encoding, the lines, which these are, and the tables that were left out.
    """
    for encoding in _ENCODINGS:
        try:
            looked, complete = _looked_at(sources, DataConfig(encoding=encoding))
        except EncodingError:
            if encoding == _ENCODINGS[-1]:
                raise
            continue
        break
    frames, others = _of_one_kind(looked)
    lines = pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()
    if lines.is_empty():
        raise InputError(
            f"{sources[0].name!r} contains no lines.", "Export it again with its header and lines."
        )
    scope = f"{'all' if complete else 'the first'} {counted(lines.height, 'line')} of "
    if len(frames) < len(sources):
        scope += f"{len(frames):,} of "
    return encoding, lines, scope + counted(len(sources), "file"), others


def _of_one_kind(looked: dict[str, pl.DataFrame]) -> tuple[list[pl.DataFrame], list[str]]:
    """Leave out tables, such as one of products, that have not half of the largest's columns."""
    if not looked:
        return [], []
    columns = set(max(looked.values(), key=lambda frame: frame.height).columns)
    others = [
        name
        for name, frame in looked.items()
        if len(columns.intersection(frame.columns)) * 2 < len(columns)
    ]
    return [frame for name, frame in looked.items() if name not in others], others


def _block(sources: Sequence[Source]) -> int:
    return max(LEAST, BUDGET // min(len(sources), FIRST_TABLES))


def _looked_at(sources: Sequence[Source], data: DataConfig) -> tuple[dict[str, pl.DataFrame], bool]:
    """Return the first lines of some tables by name, and whether these are all lines."""
    looked = spaced(sources)
    frames, complete = {}, len(looked) == len(sources)
    for source in looked:
        raws = read_raw(source, data, labelled=False, block=_block(sources), own_names=True)
        first = next(raws, None)
        if first is not None:
            frames[source.name] = first.frame.head(MOST_LINES)
            complete &= first.frame.height <= MOST_LINES and next(raws, None) is None
    return frames, complete


def _add_columns(proposal: Proposal, choice: Choice) -> None:
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


def _add_dates(proposal: Proposal, choice: Choice, sources: Sequence[Source]) -> None:
    """Add the format of dates, which all files are read for if the first lines do not tell."""
    date = choice.columns.get(SHOP_DATE)
    if date is None:
        return
    values = readable(date.column.present.unique().head(1_000), date.column.formats)
    formats = fitting_formats(values, date.column.formats)
    if formats and agree(values, formats):
        proposal.set("data", "date_format", formats[0], f"e.g. {date.column.examples[0]}")
        return
    for raw in _own_frames(sources, proposal):
        if date.column.name not in raw.frame.columns:
            continue
        more = Column(date.column.name, raw.frame[date.column.name]).present.unique()
        fitting = fitting_formats(readable(more, formats), formats)
        formats = fitting or formats
        if agree(values, formats):
            proposal.set("data", "date_format", formats[0], "the only one that all dates fit")
            return
    text = f"Dates such as {date.column.examples[0]} can be read in more than one way."
    choices = tuple(f"date_format = {_quoted(form)}" for form in formats[:2])
    proposal.questions.append(Question("data", text, choices))


def _own_frames(sources: Sequence[Source], proposal: Proposal) -> Iterator[RawFrame]:
    data = DataConfig(encoding=proposal.settings.get("data", {}).get("encoding", "utf-8"))
    return whole(sources, data, labelled=False, own_names=True)


def _add_labels(proposal: Proposal, choice: Choice, sources: Sequence[Source]) -> None:
    """Map the labels; all files are read if the first lines do not show all three classes."""
    label = choice.columns.get(LABEL)
    if label is None:
        return
    own = label.column.name
    counts = Counter(dict(label.column.present.value_counts().iter_rows()))
    if not set(CLASSES) <= {meaning(name) for name in counts}:
        counts = Counter()
        for raw in _own_frames(sources, proposal):
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


def _add_amounts(proposal: Proposal, choice: Choice, columns: dict[str, Column]) -> None:
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


def _add_repeats(proposal: Proposal, choice: Choice, frame: pl.DataFrame) -> None:
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


def _try_out(proposal: Proposal, sources: Sequence[Source]) -> None:
    """Clean the first lines with these settings, and choose the split that the data allow."""
    settings = {section: dict(values) for section, values in proposal.settings.items()}
    config = Config.model_validate(settings)
    labelled = LABEL not in proposal.missing and not any(
        question.section == "data.labels" for question in proposal.questions
    )
    try:
        rules = settle_sources(sources, rules_of(config, labelled=labelled), config.data)
    except InputError as error:
        if not proposal.questions:
            proposal.notes.append(f"{error.headline} {error.hint}")
        return
    if rules.decimal:
        proposal.set("data", "decimal", rules.decimal, "by the values")
    rejected: Counter[str] = Counter()
    for raw in glimpses(sources, config.data, labelled=labelled, block=_block(sources)):
        cleaned = clean(
            raw.frame, rules, source="the first lines", rows=raw.rows, malformed=raw.malformed
        )
        rejected.update(settle(cleaned, rules).reasons)
        proposal.lines += raw.records
    proposal.rejected = dict(sorted(rejected.items()))
    _add_split(proposal, sources, config)


def _add_split(proposal: Proposal, sources: Sequence[Source], config: Config) -> None:
    used = {match.ours for match in proposal.matches}
    whys = {
        "time": "the latest weeks are the test set",
        "customer": "no weeks: no customer is in both sets",
        "stratified": "neither weeks nor customers: a random sample of each class",
    }
    for strategy, needed in (("time", {SHOP_DATE, SHOP_WEEK}), ("customer", {CUST_CODE})):
        if not needed & used:
            continue
        tried = config.model_copy(
            update={"split": config.split.model_copy(update={"strategy": strategy})}
        )
        try:
            check_split(sources, tried)
        except ConfigError:
            continue
        proposal.set("split", "strategy", strategy, whys[strategy])
        return
    proposal.set("split", "strategy", "stratified", whys["stratified"])
