"""Templates of configuration files; whatever is filled in is a plain name, or quoted."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
"""What is one word in a Dockerfile, a shell and YAML; YAML may still take it for a number."""


def render(template: str, **values: Any) -> str:
    """Fill in a template; it ends with one line break.

    A value without the filter ``quoted`` must be a number or a plain name (:data:`PLAIN`): anything
    else is a ValueError.
    """
    return _environment().get_template(template).render(values).rstrip("\n") + "\n"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(__package__),
        # Nothing of it is HTML; `finalize` refuses what is not plain.
        autoescape=False,  # noqa: S701  # nosec B701
        undefined=StrictUndefined,
        # Doubled braces are GitHub's and CloudFormation's own.
        variable_start_string="[[",
        variable_end_string="]]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_plain,
    )
    made.filters |= {"quoted": quoted, "unexpanded": unexpanded}
    return made


class Quoted(str):
    """A text that may stand in a file as it is."""

    __slots__ = ()


def _plain(value: object) -> object:
    plain = isinstance(value, str) and PLAIN.fullmatch(value)
    if plain or isinstance(value, Quoted) or type(value) is int:
        return value
    raise ValueError(f"{value!r} would have to be quoted")


def quoted(text: str) -> Quoted:
    r"""Quote a text for YAML and JSON.

    Examples
    --------
    >>> print(quoted('no: "\n'))
    "no: \"\n"
    """
    # YAML reads JSON's strings, but no surrogates.
    ascii_only = json.dumps(text)
    pairs = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})")

    def whole(match: re.Match[str]) -> str:
        high, low = (int(half, 16) for half in match.groups())
        return f"\\U{0x10000 + ((high - 0xD800) << 10) + low - 0xDC00:08x}"

    return Quoted(pairs.sub(whole, ascii_only))


def unexpanded(text: str) -> str:
    """Double each dollar sign, which Compose and Kubernetes would expand a variable at.

    Examples
    --------
    >>> unexpanded("$(TOKEN)")
    '$$(TOKEN)'
    """
    return text.replace("$", "$$")
