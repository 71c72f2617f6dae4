"""Whether the raw files allow the chosen split: found out before they are cleaned.

What the weeks and customers are is known for sure when every line has been read. Mostly the first
lines of the first files show that the split is possible. Only where they do not are the files gone
through, and then only the column that decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from basketwise.config import Config
from basketwise.errors import BasketwiseError, ConfigError
from basketwise.etl.gold.history import no_history
from basketwise.etl.gold.split import no_customers, one_week
from basketwise.etl.lines.cleaning import clean
from basketwise.etl.lines.layout import glimpses, settle_sources, whole
from basketwise.etl.lines.rules import Rules, rules_of
from basketwise.etl.raw.raw_frame import RawFrame
from basketwise.etl.raw.sources import Source
from basketwise.features.groups import of_history
from basketwise.schema import (
    BASKET_ID,
    CUST_CODE,
    PROD_CODE,
    QUANTITY,
    SHOP_DATE,
    SHOP_WEEK,
    SPEND,
)

_GOOD = {BASKET_ID: "1", PROD_CODE: "1", SPEND: "1", QUANTITY: "1"}
"""The rest of a line, so that cleaning judges it by the one column alone."""


def check_split(sources: Sequence[Source], config: Config) -> None:
    """Refuse a split, or a feature group, that the raw files cannot allow.

    Nothing is refused here that would be possible after cleaning. The reverse can happen: a week or
    customer that is seen here may have no line that can be used. ``stratified`` needs neither:
    nothing is read, unless the group ``customer`` needs customers. A table that cannot be read ends
    the check without a word: the reader that comes next explains what is wrong with it.

    Raises
    ------
    ConfigError
        If all lines are of one week, or of none, and are to be split by time; if no line has a
        customer code, and they are to be split by customer, or a feature group needs one.
    """
    strategy = config.split.strategy
    if strategy == "time":
        _check(sources, config, SHOP_WEEK, one_week)
    if strategy == "customer":
        _check(sources, config, CUST_CODE, lambda _: no_customers())
    elif of_history(config.features.groups):
        _check(sources, config, CUST_CODE, lambda _: no_history())


def _check(
    sources: Sequence[Source], config: Config, column: str, error: Callable[[Any], ConfigError]
) -> None:
    """Refuse lines whose values of a column do not suffice, with an error that may name one."""
    try:
        rules = settle_sources(sources, rules_of(config, labelled=True), config.data)
        seen = _seen(sources, column, rules, config)
    except (BasketwiseError, pl.exceptions.PolarsError, OSError):
        return
    # Without a single line there is no verdict on the split: cleaning says that there is none.
    if seen and not _suffices(seen, column):
        raise error(seen.pop())


def _suffices(seen: set[Any], column: str) -> bool:
    return len(seen) >= 2 if column == SHOP_WEEK else any(code is not None for code in seen)


def _seen(sources: Sequence[Source], column: str, rules: Rules, config: Config) -> set[Any]:
    """Gather different values of the column, until they suffice or all lines have been seen."""
    seen: set[Any] = set()
    for frames in (glimpses(sources, config.data), whole(sources, config.data)):
        for raw in frames:
            if raw.frame.height:
                seen |= _values(raw, column, rules)
            if _suffices(seen, column):
                return seen
    return seen


def _values(raw: RawFrame, column: str, rules: Rules) -> set[Any]:
    """Clean the column alone; two different values, null among them, tell all there is to know."""
    needed = [n for n in (column, SHOP_DATE) if n in raw.frame.columns]
    lines = raw.frame.select(*needed, pl.lit(1).alias("line")).unique()
    lines = lines.with_columns(pl.lit(value).alias(name) for name, value in _GOOD.items())
    judged = rules.model_copy(update={"labelled": False})
    return set(clean(lines, judged, source="the first lines").lines[column].unique().head(2))
