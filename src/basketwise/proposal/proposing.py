"""Settings for raw files, from a look at their first lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from basketwise.config import Config
from basketwise.errors import ConfigError, InputError
from basketwise.etl.lines.cleaning import clean, settle
from basketwise.etl.lines.layout import glimpses, settle_sources
from basketwise.etl.lines.numbers import BOTH
from basketwise.etl.lines.rules import rules_of
from basketwise.etl.preview import check_split
from basketwise.etl.raw.discovery import list_files
from basketwise.etl.raw.sources import Source, skipped_texts
from basketwise.proposal.columns import choose, misleading
from basketwise.proposal.evidence import columns_of
from basketwise.proposal.first_lines import block_size, first_lines
from basketwise.proposal.settings import (
    add_amounts,
    add_columns,
    add_dates,
    add_labels,
    add_repeats,
)
from basketwise.proposal.types import Proposal
from basketwise.schema import CUST_CODE, LABEL, SHOP_DATE, SHOP_WEEK


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
    encoding, frame, scope, others = first_lines(delivery.sources)
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
    add_columns(proposal, choice)
    add_dates(proposal, choice, delivery.sources)
    add_labels(proposal, choice, delivery.sources)
    add_amounts(proposal, choice, columns)
    add_repeats(proposal, choice, frame)
    used = {own for match in proposal.matches for own in match.own}
    proposal.unused = [name for name in frame.columns if name not in used]
    proposal.notes += misleading(choice, list(columns.values()))
    if not proposal.missing or set(proposal.missing) == {LABEL}:
        _try_out(proposal, delivery.sources)
    return proposal


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
    if rules.decimal and rules.decimal != BOTH:
        proposal.set("data", "decimal", rules.decimal, "by the values")
    rejected: Counter[str] = Counter()
    for raw in glimpses(sources, config.data, labelled=labelled, block=block_size(sources)):
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
