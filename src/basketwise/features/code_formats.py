"""How product codes of the data differ in form from those that a model knows.

A spreadsheet drops leading zeros, a column with gaps turns 900053 into 900053.0, another system
adds a prefix: to a model each is a new product. Where taking one or two such differences away makes
most codes equal, the codes are the same products, written differently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

Normalise = Callable[[str], str]

ENOUGH = 0.5
"""Share of the unknown codes that must be known once the difference is taken away."""

TRIED = 500
"""Codes of the data that are compared, at most."""

LONGEST_PREFIX = 12

EXAMPLES = 3


class Difference(NamedTuple):
    """A difference between a code of the data and the same product's code in the model."""

    given: str
    known: str
    causes: tuple[str, ...]
    """What differs, in words."""

    def __str__(self) -> str:
        return (
            f"PROD_CODE in the data looks like {self.given!r}, the model knows {self.known!r}: "
            f"{' and '.join(self.causes)}."
        )


def find_difference(codes: Iterable[str], known: Iterable[str]) -> Difference | None:
    """Find out why codes of the data are unknown.

    Parameters
    ----------
    codes : iterable of str
        Different product codes of the data that the model does not know.
    known : iterable of str
        The model's product codes.

    Returns
    -------
    Difference or None
        The simplest difference that explains at least half of the codes; None if there is none.

    Examples
    --------
    >>> find_difference(["900053.0", "900054.0"], ["900053", "900054", "900055"])
    Difference(given='900053.0', known='900053', causes=("the data has '.0' appended",))
    """
    unknown, products = list(codes)[:TRIED], list(known)
    single = [*_NORMALISERS, *_prefixes(unknown), *_prefixes(products)]
    pairs = [pair for pair in combinations(single, 2) if pair[0] in _NORMALISERS]
    for chosen in [*((normalise,) for normalise in single), *pairs]:
        same = _matches(unknown, products, chosen)
        if same and len(same) >= ENOUGH * len(unknown):
            given, own = same[0]
            return Difference(given, own, _causes(given, own, chosen))
    return None


def describe_codes(codes: Sequence[str], known: Sequence[str]) -> str:
    """Say how unknown codes differ from the model's, or show some of both; arguments as above."""
    difference = find_difference(codes, known)
    if difference is not None:
        return str(difference)
    given, own = (", ".join(map(repr, some[:EXAMPLES])) for some in (codes, known))
    return f"PROD_CODE in the data looks like {given}; the model knows {own}."


def _without_decimals(code: str) -> str:
    return re.sub(r"\.0+$", "", code)


def _without_zeros(code: str) -> str:
    return code.lstrip("0") or code[-1:]


def _without_separators(code: str) -> str:
    return re.sub(r"[\W_]+", "", code)


def _without_letters(code: str) -> str:
    return re.sub(r"^\D+", "", code)


_NORMALISERS: tuple[Normalise, ...] = (
    _without_decimals,
    _without_zeros,
    str.casefold,
    _without_separators,
    _without_letters,
)


def _prefixes(codes: list[str]) -> list[Normalise]:
    """Return what removes a start that all of several codes share, the longest first."""
    if len(codes) < 2:
        return []
    first, last = min(codes), max(codes)
    differs = (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    shared = first[: next(differs, min(len(first), LONGEST_PREFIX))]
    return [_remover(shared[:end]) for end in range(min(len(shared), LONGEST_PREFIX), 0, -1)]


def _remover(prefix: str) -> Normalise:
    return lambda code: code.removeprefix(prefix)


def _matches(
    unknown: list[str], products: list[str], chosen: Sequence[Normalise]
) -> list[tuple[str, str]]:
    """Pair codes of the data with the products whose normal form is the same."""

    def normal(code: str) -> str:
        for normalise in chosen:
            code = normalise(code)
        return code

    by_form = {normal(code): code for code in reversed(products)}
    forms = ((code, normal(code)) for code in unknown)
    return [(code, by_form[form]) for code, form in forms if form and form in by_form]


def _causes(given: str, known: str, chosen: Sequence[Normalise]) -> tuple[str, ...]:
    return tuple(_cause(given, known, normalise) for normalise in chosen)


def _cause(given: str, known: str, normalise: Normalise) -> str:
    """Say what one normalisation takes away, and from which side."""
    if normalise is str.casefold:
        return "upper and lower case differ"
    if normalise is _without_separators:
        return "blanks or punctuation differ"
    on_data = len(given) - len(normalise(given))
    on_model = len(known) - len(normalise(known))
    if normalise is _without_decimals:
        return f"the {'data' if on_data else 'model'} has '.0' appended"
    if normalise is _without_zeros:
        return f"the data has {'lost' if on_model > on_data else 'more'} leading zeros"
    if on_data and on_model:
        return f"the data has the prefix {given[:on_data]!r}, the model {known[:on_model]!r}"
    if on_data:
        return f"the data has the prefix {given[:on_data]!r}"
    return f"the data lacks the prefix {known[:on_model]!r}"
