"""Write docs/reference/python-api.md from the docstrings of the public names."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import basketwise

PAGE = Path(__file__).parents[1] / "docs/reference/python-api.md"
HEAD = """# Python API

The public names of the package, from their docstrings; `scripts/api_page.py` writes this page.
Everything else below `basketwise.` is internal and may change.

```python
import basketwise as bw
```
"""
SECTION = re.compile(r"^(?P<title>[A-Z][\w ]+)\n-{3,}$", re.MULTILINE)
FIELD = re.compile(r"^(?P<names>[\w*][\w*, ]*?)(?: : (?P<type>.+))?$")
ROLE = re.compile(r":(?:func|class|meth|data|mod):`[~.]?(?:[\w]+\.)*(\w+)`")


def page() -> str:
    """Return the text of the page."""
    return HEAD + "".join(entry(name, getattr(basketwise, name)) for name in basketwise.__all__)


def entry(name: str, value: Any) -> str:
    """Describe one public name, and the public methods of a class."""
    text = f"\n## {name}\n\n{signature(name, value)}{markdown(inspect.getdoc(value) or '')}"
    if inspect.isclass(value) and not issubclass(value, Exception):
        for method, member in own_members(value):
            text += f"\n### {name}.{method}\n\n"
            text += signature(method, member) + markdown(inspect.getdoc(member) or "")
    return text


def own_members(value: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties that a class of ours defines itself."""
    for name, member in vars(value).items():
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        yield name, member


def signature(name: str, value: Any) -> str:
    """Write a callable's signature as Python."""
    if isinstance(value, property) or (inspect.isclass(value) and issubclass(value, Exception)):
        return ""
    try:
        parameters = list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError):
        return ""
    shown, keyword_only = [], False
    for parameter in parameters:
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            shown, keyword_only = [*shown, "*"], True
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        shown.append(f"{parameter.name}{default}")
    return f"```text\n{name}({', '.join(shown)})\n```\n\n"


def markdown(docstring: str) -> str:
    """Turn a numpydoc docstring into Markdown."""
    parts = SECTION.split(ROLE.sub(r"`\1`", docstring).replace("``", "`"))
    text = parts[0].strip() + "\n"
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        text += f"\n**{title}**\n\n{_section(title, body.strip(chr(10)))}\n"
    return text


def _section(title: str, body: str) -> str:
    if title == "Examples":
        return f"```pycon\n{body}\n```"
    if title not in {"Parameters", "Attributes", "Returns", "Raises", "Warns", "Yields"}:
        return body
    items: list[str] = []
    for line in body.splitlines():
        if line and not line.startswith(" "):
            match = FIELD.match(line)
            kind = f" ({match['type']})" if match and match["type"] else ""
            names = match["names"] if match else line
            plain = title in {"Returns", "Yields"} and not kind
            items.append(f"- {line if plain else f'`{names}`{kind}'}")
        elif line.strip():
            items.append(f"  {line.strip()}")
    return "\n".join(items)


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
