"""The one place that types or refuses a line: any table in, typed lines and rejected lines out.

:func:`clean` judges each line by itself, :func:`settle` the lines of a basket together; whole
tables go through :func:`basketwise.etl.lines.accepting.clean_table`, which does both. Files, weeks,
frames and requests are doors to these and have no rule of their own. Nothing is lost: accepted +
rejected = read, always.
"""

from __future__ import annotations

import polars as pl

from basketwise.etl.lines.cleaned import Cleaned, split, unparsed
from basketwise.etl.lines.dtypes import mapped_labels, refuse_damaged_ids, standard, typed
from basketwise.etl.lines.order import in_order
from basketwise.etl.lines.product_names import line_names
from basketwise.etl.lines.reasons import first_reason
from basketwise.etl.lines.repeats import copied, duplicates_policy, has_repeats, netted, only_pieces
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw.raw_frame import row_numbers
from basketwise.schema import BASKET_ID, LABEL, PROD_NAME, REASON, ROW, SHOP_WEEK, SOURCE

DISAGREE = "disagree"
"""Whether a basket's lines carry two labels, where one row stands for several lines."""

NO_WEEK = 0
"""SHOP_WEEK of lines whose table has no such column."""


def clean(
    frame: pl.DataFrame,
    rules: Rules,
    *,
    source: str,
    rows: pl.Series | None = None,
    malformed: pl.DataFrame | None = None,
    blanks: bool = True,
) -> Cleaned:
    """Judge each line by itself.

    Parameters
    ----------
    frame : DataFrame
        Lines as delivered; columns are matched without regard to case, unknown ones are ignored.
    rules : Rules
        How lines are judged.
    source : str
        Name of the table.
    rows : Series, optional
        Number of each line within the table (UInt32). Default: 1, 2, 3, …
    malformed : DataFrame, optional
        ``row`` and ``reason`` of the records of the table that could not be parsed.
    blanks : bool
        Whether text may have blanks around it; if not, none are searched for.

    Returns
    -------
    Cleaned
        Lines in the order of delivery.

    Raises
    ------
    InputError
        If a required column is absent, a column cannot be a raw line's, or ids are damaged by a
        spreadsheet or, of baskets, written as floats: no line of such a table can be trusted,
        since several baskets, products or customers may share one id by now.
    """
    rules = rules.of_table(source)
    raw = standard(frame, source, rules)
    rows = row_numbers(raw.height) if rows is None else rows
    numbers = raw[BASKET_ID].cast(pl.Int64, strict=False)
    refuse_damaged_ids(raw, numbers, source, rows)
    given_names = raw[PROD_NAME] if PROD_NAME in raw.columns else None
    raw = raw if given_names is None else raw.drop(PROD_NAME)
    lines = typed(raw, rules, blanks=blanks)
    label = mapped_labels(lines[LABEL], rules.labels) if rules.labelled else None
    reason = first_reason(raw, lines, label, rules)
    height, names = raw.height, None
    unlabelled = pl.Series(LABEL, [None], dtype=pl.String).new_from_index(0, height)
    _replace(lines, unlabelled if label is None else label.alias(LABEL))
    if SHOP_WEEK not in raw.columns:
        no_week = pl.Series(SHOP_WEEK, [NO_WEEK], dtype=pl.Int32)
        _replace(lines, no_week.new_from_index(0, height))
    if given_names is not None:
        usable = reason.is_null()
        names = line_names(lines.filter(usable), given_names.filter(usable), source, rules.missing)
    # As a category, which costs next to nothing to sort or write.
    named = pl.Series(SOURCE, [source], dtype=pl.Categorical).new_from_index(0, height)
    accepted, rejected = split(lines.hstack([named, rows.alias(ROW)]), reason)
    if malformed is not None and malformed.height:
        rejected = pl.concat([rejected, unparsed(malformed, source)])
    ids = accepted[BASKET_ID]
    if ids.dtype == pl.String:
        if accepted.height < height or numbers.null_count():
            # Padding is gone by now.
            numbers = ids.cast(pl.Int64, strict=False)
        if whole_numbers(ids, numbers):
            _replace(accepted, numbers)
    return Cleaned(accepted, rejected, names)


def _replace(frame: pl.DataFrame, column: pl.Series) -> None:
    """Put another column in the place of the one of its name, in a frame that is ours alone."""
    frame.replace_column(frame.get_column_index(column.name), column)


def settle(cleaned: Cleaned, rules: Rules, refused: pl.DataFrame | None = None) -> Cleaned:
    """Judge lines that are all there are of their baskets, and sort them (see :func:`in_order`).

    ``refused`` are the baskets to reject, one row each: BASKET_ID, ``reason``; by default those
    that contradict themselves. What was rejected before comes first.
    """
    lines, rejected = cleaned.lines, cleaned.rejected
    if refused is None:
        no_labels = lines[LABEL].null_count() == lines.height
        refused = None if no_labels and _are_of_one_week(lines) else contradictions(lines)
    reason = pl.Series(REASON, [None], dtype=pl.String).new_from_index(0, lines.height)
    if refused is not None and refused.height:
        reason = lines.join(refused, on=BASKET_ID, how="left", maintain_order="left")[REASON]
    repeated = has_repeats(lines)
    if repeated:
        copies = copied(lines, duplicates_policy(rules, pieces=only_pieces(lines)))
        duplicate = pl.Series(REASON, ["duplicate_line"]).new_from_index(0, lines.height)
        reason = reason.zip_with(~copies | reason.is_not_null(), duplicate)
    if rules.returns == "net":
        lines, reason = netted(lines, reason)
    accepted, more = split(lines, reason)
    if more.height:
        rejected = pl.concat([rejected, more])
    return Cleaned(in_order(accepted, repeated=repeated), rejected, cleaned.names)


def _are_of_one_week(lines: pl.DataFrame) -> bool:
    """Whether each basket is of one week, as far as a look at lines side by side can tell."""
    week, basket = lines[SHOP_WEEK], lines[BASKET_ID]
    if week.n_unique() < 2:
        return True
    same = (basket == basket.shift()).fill_null(False)
    if (same & week.ne_missing(week.shift())).any():
        return False
    return lines.height - int(same.sum()) == basket.n_unique()


def contradictions(baskets: pl.DataFrame) -> pl.DataFrame:
    """Find the baskets whose lines are of two weeks, or carry two labels.

    ``baskets`` has one row per line, or per survey of a basket: BASKET_ID, SHOP_WEEK, the label,
    and ``disagree`` where a row stands for several lines. Returns one row per such basket, sorted:
    BASKET_ID, ``reason``.
    """
    within = pl.col(DISAGREE) if DISAGREE in baskets.columns else pl.lit(False)
    if DISAGREE in baskets.columns and not baskets[DISAGREE].any():
        # Baskets with one row each, mostly in order, which is quickly seen.
        ids = baskets[BASKET_ID].sort()
        if not (ids == ids.shift()).any():
            baskets = baskets.clear()
    return (
        baskets.lazy()
        .filter(pl.col(BASKET_ID).is_duplicated() | within)
        .group_by(BASKET_ID)
        .agg(
            (within.any() | (pl.col(LABEL).drop_nulls().n_unique() > 1)).alias("labels"),
            (pl.col(SHOP_WEEK).n_unique() > 1).alias("weeks"),
        )
        .filter(pl.col("labels") | pl.col("weeks"))
        .select(
            BASKET_ID,
            pl.when("labels")
            .then(pl.lit("basket_labels_disagree"))
            .otherwise(pl.lit("basket_in_two_weeks"))
            .alias(REASON),
        )
        .sort(BASKET_ID)
        .collect(engine="in-memory")
    )


def whole_numbers(ids: pl.Series, numbers: pl.Series) -> bool:
    """Whether text ids can be stored as Int64 and be written out again letter by letter.

    ``numbers`` are the ids as Int64, null where they are none.
    """
    if numbers.null_count() > ids.null_count():
        return False
    digits = ids.str.len_bytes()
    if _digits(numbers.min()) == digits.min() == digits.max() == _digits(numbers.max()):
        # There is no room for a sign or a leading zero.
        return True
    return bool((numbers.cast(pl.String) == ids).all())


def _digits(number: object) -> int | None:
    """Count the digits of a number above 0; None if it is none."""
    return len(str(number)) if isinstance(number, int) and number > 0 else None
