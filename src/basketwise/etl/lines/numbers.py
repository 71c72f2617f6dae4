"""Numbers as people and programs write them: decimal commas, grouped thousands, currency signs."""

from __future__ import annotations

from typing import Final, Literal

import polars as pl

Mark = Literal["", ".", ",", ".,"]
"""A decimal mark; empty where it is not known, both where values have the one and the other."""

BOTH: Final = ".,"
"""Values have decimal points and decimal commas."""

_CURRENCY = r"(?:[A-Z]{0,3}\p{Sc}|[A-Z]{3}|zł|Kč|kr\.?)"
_SIGN = r"\p{Sc}"
_SPACES = "[ \u00a0\u2007\u2009\u202f'’]"
_GROUPED = rf"[0-9]{{1,3}}(?:{_SPACES}[0-9]{{3}})+"
_POINT = rf"^[+-]?(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+|{_GROUPED}|[0-9]*)(?:\.[0-9]*)?$"
_COMMA = rf"^[+-]?(?:[0-9]{{1,3}}(?:\.[0-9]{{3}})+|{_GROUPED}|[0-9]*)(?:,[0-9]*)?$"


def _clearly(mark: str, group: str) -> str:
    """Match numbers that only one decimal mark explains; both marks escaped for a pattern.

    One or two digits after it, or more than three, or too many before it for a group of thousands.
    """
    return (
        rf"^[+-]?(?:[0-9]*{mark}[0-9]{{1,2}}|[0-9]*{mark}[0-9]{{4,}}|0{mark}[0-9]+"
        rf"|[0-9]{{4,}}{mark}[0-9]+|[0-9{group}]+{group}[0-9]{{3}}{mark}[0-9]*"
        rf"|{_GROUPED}{mark}[0-9]*)$"
    )


_CLEARLY_COMMA, _CLEARLY_POINT = _clearly(",", r"\."), _clearly(r"\.", ",")
_AMBIGUOUS = r"^[+-]?[0-9]{1,3}[.,][0-9]{3}$"


def bare(text: pl.Series, currency: str = _CURRENCY) -> pl.Series:
    """Strip blanks and currency signs; write ``(1.50)`` and ``1.50-`` as ``-1.50``."""
    stripped = text.str.strip_chars().str.replace("\u2212", "-", literal=True)
    accounting = stripped.str.replace(r"^\((.*)\)$", "-$1").str.replace(r"^([^-].*)-$", "-$1")
    return accounting.str.replace(
        rf"^([+-]?)\s*{currency}\s*([+-]?[0-9.,])", "${1}${2}"
    ).str.replace(rf"([0-9.,])\s*{currency}$", "${1}")


def parse(text: pl.Series, decimal: Mark, *, money: bool = True) -> pl.Series:
    """Read numbers.

    Parameters
    ----------
    text : Series
        Text values.
    decimal : {"", ".", ",", ".,"}
        The decimal mark; with ``""`` a comma is taken for it only where nothing else is possible,
        and ``1,234`` is no number; with ``".,"`` neither is ``1.234``.
    money : bool
        Whether letters may be a currency's; of a quantity they are a unit, and ``500 GRM`` is no
        number, as ``500 g`` is none.

    Returns
    -------
    Series
        Float64; null where a value is no finite number.

    Examples
    --------
    >>> parse(pl.Series(["1.234,50 €", "0,93", "1,234", "(2.50)"]), "").to_list()
    [1234.5, 0.93, None, -2.5]
    >>> parse(pl.Series(["1.234", "1,234", "1.50"]), ",").to_list()
    [1234.0, 1.234, 1.5]
    >>> parse(pl.Series(["1.234", "1,234", "1.50", "0.125"]), ".,").to_list()
    [None, None, 1.5, 0.125]
    """
    numbers = bare(text) if money else bare(text, _SIGN)
    if decimal == ",":
        comma = numbers.str.contains(_COMMA) & ~numbers.str.contains(_CLEARLY_POINT)
    elif decimal == ".":
        comma = pl.repeat(False, len(numbers), eager=True)
    else:
        comma = numbers.str.contains(_CLEARLY_COMMA)
    point = numbers.str.contains(_POINT)
    plain = numbers.cast(pl.Float64, strict=False)
    if decimal in ("", BOTH):
        open_ = numbers.str.contains(_AMBIGUOUS) & ~numbers.str.contains(_CLEARLY_POINT)
        if not decimal:
            open_ &= numbers.str.contains(",", literal=True)
        point &= ~open_
        plain = plain.set(open_.fill_null(False), None)
    values = pl.select(
        pl.when(comma)
        .then(
            numbers.str.replace_all(rf"\.|{_SPACES}", "")
            .str.replace(",", ".", literal=True)
            .cast(pl.Float64, strict=False)
        )
        .when(point)
        .then(numbers.str.replace_all(rf",|{_SPACES}", "").cast(pl.Float64, strict=False))
        .otherwise(plain)
    ).to_series()
    finite = values.is_finite().fill_null(False)
    return values.set(~finite, None).alias(text.name)


def decimal_mark(text: pl.Series) -> Mark:
    """Guess the decimal mark from values; ``""`` where they do not tell.

    Examples
    --------
    >>> decimal_mark(pl.Series(["1", "12,50", "1.234"]))
    ','
    >>> decimal_mark(pl.Series(["12,50", "12.50"]))
    '.,'
    """
    numbers = bare(text)
    comma = bool(numbers.str.contains(_CLEARLY_COMMA).any())
    point = bool(numbers.str.contains(_CLEARLY_POINT).any())
    if comma and point:
        return BOTH
    return "," if comma else "." if point else ""


def currency_signs(text: pl.Series) -> set[str]:
    """Return the currency signs and codes in values.

    Examples
    --------
    >>> currency_signs(pl.Series(["$1.50", "-$2", "3"]))
    {'$'}
    """
    return set(text.str.extract(f"({_CURRENCY})").drop_nulls().unique())


def undecided(text: pl.Series) -> bool:
    """Whether some value can be read in two ways, so that the decimal mark must be known."""
    return bool(bare(text).str.contains(_AMBIGUOUS).any())


def one_of_each_notation(text: pl.Series) -> pl.Series:
    """Return one value of each kind that :func:`decimal_mark` and :func:`undecided` tell apart.

    Examples
    --------
    >>> one_of_each_notation(pl.Series(["1", "2", "12,50", "0,93", "1.234"])).to_list()
    ['1', '12,50', '1.234']
    """
    numbers = bare(text)
    patterns = (_CLEARLY_COMMA, _CLEARLY_POINT, _AMBIGUOUS)
    kinds = {str(n): numbers.str.contains(pattern) for n, pattern in enumerate(patterns)}
    given = pl.DataFrame({text.name: text, **kinds}).drop_nulls()
    return given.unique(list(kinds), keep="first", maintain_order=True)[text.name]
