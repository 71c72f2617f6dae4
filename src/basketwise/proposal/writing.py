"""A proposal as the text of a settings file."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from basketwise.proposal.types import Proposal, Question
from basketwise.template import toml_value

HEAD = "Settings for {data}, proposed from {scope}."
MORE = "'basketwise init --out all.toml' writes every setting with its default and meaning."

_BARE = re.compile(r"^[A-Za-z0-9_-]+$")
_WIDTH = 96


def settings_text(proposal: Proposal) -> str:
    """Return a settings file with reasons as comments, and questions as lines to fill in."""
    parts = [_comment(HEAD.format(data=proposal.data, scope=proposal.scope)), _comment(MORE)]
    parts += [_comment(f"{name} is missing: {text}.") for name, text in proposal.missing.items()]
    tables: dict[str, dict[str, Any]] = {}
    for section, values in proposal.settings.items():
        plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
        if plain:
            tables[section] = plain
    nested = {
        f"{section}.{key}": value
        for section, values in proposal.settings.items()
        for key, value in values.items()
        if isinstance(value, dict)
    }
    asked: dict[str, list[Question]] = {}
    for question in proposal.questions:
        asked.setdefault(question.section, []).append(question)
    names = dict.fromkeys(("data", "data.columns", "data.labels", *tables, *nested, *asked))
    matched = {match.ours: match.why for match in proposal.matches}
    for name in names:
        values = tables.get(name) or nested.get(name) or {}
        if not values and name not in asked:
            continue
        parts.append(f"\n[{name}]\n")
        for key, value in values.items():
            why = matched.get(key, "") or proposal.reasons.get(f"{name}.{key}", "")
            line = f"{key if _BARE.match(key) else toml_value(key)} = {toml_value(value)}"
            parts.append(f"{line}  # {' '.join(why.split())}\n" if why else f"{line}\n")
        for question in asked.get(name, []):
            parts.append(_comment(f"TO DO: {question.text}"))
            parts += [f"# {choice}\n" for choice in question.choices]
    return "".join(parts)


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, _WIDTH))
