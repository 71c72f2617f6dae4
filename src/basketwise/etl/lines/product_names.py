"""Names of products: gathered while lines are read, one for each product in the end.

A name describes the product, not the line. So it is no column of a clean line: nothing has to sort,
compare or store it line by line, and a line that was delivered again with another spelling is still
a copy.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from basketwise.etl.lines.stored_types import texts
from basketwise.schema import PROD_CODE, PROD_NAME, SHOP_WEEK

LONGEST = 200
"""Characters of a name that are stored."""

_SPACES = r"[\s\p{Cc}\p{Zl}\p{Zp}]+"
_INVISIBLE = r"\p{Cf}+"
_SCHEMA = {SHOP_WEEK: pl.Int32, PROD_CODE: pl.String, PROD_NAME: pl.String}


def plain_names(names: pl.Series) -> pl.Series:
    r"""Make names fit for one line of a terminal or a page; null where nothing is left.

    Line breaks and control characters are replaced by spaces, characters that are not seen but hide
    or turn around others are removed, and what is longer than :data:`LONGEST` is cut.

    Examples
    --------
    >>> plain_names(pl.Series(["Milk\t 1 l\x1b[2J", "\u202e", None])).to_list()
    ['Milk 1 l [2J', None, None]
    """
    plain = names.str.replace_all(_INVISIBLE, "").str.replace_all(_SPACES, " ")
    plain = plain.str.strip_chars().str.slice(0, LONGEST).str.strip_chars_end()
    return plain.set((plain == "").fill_null(False), None)


def line_names(
    lines: pl.DataFrame, given: pl.Series, source: str, missing: tuple[str, ...]
) -> pl.DataFrame:
    """Gather the names that some lines give to their products.

    Parameters
    ----------
    lines : DataFrame
        One row per accepted line: SHOP_WEEK, PROD_CODE.
    given : Series
        Their names as delivered.
    source : str
        Name of the table.
    missing : tuple of str
        Words that stand for a missing value.

    Returns
    -------
    DataFrame
        See :func:`first_names`.
    """
    spelled = lines.select(SHOP_WEEK, PROD_CODE).with_columns(given.alias(PROD_NAME)).unique()
    names = plain_names(texts(spelled[PROD_NAME], source, missing))
    return first_names([spelled.with_columns(names).drop_nulls(PROD_NAME)])


def first_names(tables: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Combine names, in any order: each product has that of its earliest week.

    Of several spellings in this week, the first in the order of their bytes is taken, so that it
    does not matter in which order, or in which files, lines were delivered.

    Parameters
    ----------
    tables : iterable of DataFrame
        SHOP_WEEK, PROD_CODE, PROD_NAME; no nulls.

    Returns
    -------
    DataFrame
        The same columns, one row per product that has a name, sorted by PROD_CODE.
    """
    return (
        pl.concat([pl.DataFrame(schema=_SCHEMA), *tables])
        .sort(SHOP_WEEK, PROD_NAME)
        .unique(PROD_CODE, keep="first", maintain_order=True)
        .sort(PROD_CODE)
    )
