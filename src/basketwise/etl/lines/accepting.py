"""Whole tables: their lines judged one by one and by basket, and who brought them told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from basketwise.etl.lines.cleaned import Cleaned
from basketwise.etl.lines.cleaning import clean, settle
from basketwise.etl.lines.layout import settle_frame
from basketwise.etl.lines.reasons import none_usable
from basketwise.etl.lines.rules import Rules
from basketwise.notices import warn
from basketwise.tables import read_table


def clean_table(table: Any, rules: Rules | None = None, *, source: str = "table") -> Cleaned:
    """Convert the lines of a table to the schema, and reject those that cannot be used.

    Parameters
    ----------
    table : any table
        One row per till line: a Polars, pandas or PyArrow frame, a DuckDB relation, any object with
        ``__arrow_c_stream__``, a list of dictionaries or a dictionary of columns. Column names are
        case-insensitive, numbers may be text, optional columns may be missing.
    rules : Rules, optional
        Rules for accepting lines. Default: those for scoring, without labels.
    source : str
        Name of the table in errors and rejected lines.

    Returns
    -------
    Cleaned
        Lines sorted by basket, product and the other columns.

    Raises
    ------
    InputError
        If required columns are missing, or basket ids were damaged by a spreadsheet.

    Examples
    --------
    >>> cleaned = clean_table(
    ...     {
    ...         "basket_id": ["1", "1"],
    ...         "prod_code": ["A", "B"],
    ...         "spend": ["0.93", "?"],
    ...         "quantity": [1, 1],
    ...     }
    ... )
    >>> cleaned.lines.height, cleaned.reasons
    (1, {'spend_not_a_number': 1})
    """
    rules = rules or Rules()
    frame = read_table(table)
    rules = settle_frame(frame, rules)
    return settle(clean(frame, rules, source=source), rules)


def accepted_lines(
    table: Any, rules: Rules | None = None, *, source: str = "table"
) -> pl.DataFrame:
    """Return the lines of a table that can be used, and warn of those that cannot.

    Parameters
    ----------
    table, rules, source
        As for :func:`clean_table`.

    Returns
    -------
    DataFrame
        As :attr:`Cleaned.lines`, at least one.

    Raises
    ------
    InputError
        As :func:`clean_table`, and if no line can be used.

    Warns
    -----
    UserWarning
        If lines were rejected; says how many, and why.
    """
    return accepted_table(table, rules, source=source, stacklevel=4).lines


def accepted_table(
    table: Any, rules: Rules | None = None, *, source: str = "table", stacklevel: int = 3
) -> Cleaned:
    """Clean a table of which at least one line can be used; see :func:`accepted_lines`.

    ``stacklevel`` tells whose line a warning names.
    """
    cleaned = clean_table(table, rules, source=source)
    if not cleaned.lines.height:
        raise none_usable(cleaned.rejected.height, cleaned.reasons)
    warn_of_rejected(cleaned.lines.height, cleaned.reasons, stacklevel=stacklevel + 1)
    return cleaned


def warn_of_rejected(accepted: int, reasons: Mapping[str, int], *, stacklevel: int) -> None:
    """Warn of rejected lines, if there are any; ``stacklevel`` tells whose line is named."""
    count = sum(reasons.values())
    if count:
        counted = ", ".join(f"{n:,} {reason}" for reason, n in reasons.items())
        warn(
            f"{count:,} of {count + accepted:,} lines rejected: {counted}; basketwise.clean(lines) "
            "lists them.",
            stacklevel=stacklevel,
        )
