"""``basketwise.toml`` with every setting, its default and what it means, made from the config."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence

from basketwise.config import Config, Section

HEAD = """\
# Settings of Basketwise. Every line shows the default; delete what you do not change.
# Environment variables BASKETWISE_<SECTION>__<KEY> and flags (--set section.key=value) win.
"""

EXAMPLES = {
    "cost_matrix": "[[10, 0, -2], [0, 10, 0], [-2, 0, 10]]",
    "usd_per_hour": '{ "ml.m5.large" = 0.115, "ml.m5.xlarge" = 0.23 }',
}
"""Of settings without a default."""


def config_template() -> str:
    """Return the text of a commented configuration that changes nothing."""
    config = Config()
    parts = [HEAD]
    for name, field in Config.model_fields.items():
        section: Section = getattr(config, name)
        summary = (type(section).__doc__ or "").strip().splitlines()[0]
        parts.append(f"\n# {field.description or summary}\n[{name}]\n{_section(name, section)}")
    return "".join(parts)


def _section(name: str, section: Section) -> str:
    lines, tables = [], []
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        words = " ".join((field.description or "").split())
        comment = "".join(f"# {line}\n" for line in textwrap.wrap(words, 96))
        if value is None:
            lines.append(f"{comment}# {key} = {EXAMPLES[key]}\n")
        elif isinstance(value, Mapping):
            entries = "".join(f"{entry} = {toml_value(item)}\n" for entry, item in value.items())
            tables.append(f"\n{comment}[{name}.{key}]\n{entries}")
        else:
            lines.append(f"{comment}{key} = {toml_value(value)}\n")
    return "".join(lines + tables)


def toml_value(value: object) -> str:
    """Write a value as TOML does, on one line.

    Examples
    --------
    >>> toml_value({"max_depth": 3, "names": ("a", True)})
    '{"max_depth" = 3, "names" = ["a", true]}'
    """
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(key)} = {toml_value(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(toml_value, value))}]"
    # JSON writes text, numbers and booleans as TOML does.
    return json.dumps(value, ensure_ascii=False)
