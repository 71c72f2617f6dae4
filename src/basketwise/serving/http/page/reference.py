"""``/docs``: the routes for people, made from ``/openapi.json``; one document without a script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from basketwise.serving.http.description import openapi
from basketwise.serving.http.page.show import page_response, policy_of, read

STYLE = """
.desk h2 { margin-top: 36px; } .desk h3 { margin-top: 20px; }
.desk th, .desk td { text-align: left; vertical-align: top; white-space: normal; }
.desk pre { overflow-x: auto; padding: 12px; border: 1px solid var(--line); border-radius: 8px; }
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Basketwise: routes of the server</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the routes</a>
<header class="top"><p class="brand">Basketwise</p></header>
<main id="main" class="desk" tabindex="-1">
<h1>Routes of the server</h1>
<p>{summary} The same for programs: <a href="/openapi.json">openapi.json</a>. Try it by hand:
<a href="/">the page for people</a>. The Open Inference Protocol is under <code>/v2</code>.</p>
{body}
</main>
</body>
</html>
"""


@cache
def document() -> tuple[bytes, str]:
    """Return the page and its content policy."""
    style = read("basketwise.report", "templates/report.css") + read(__package__, "page.css")
    style += STYLE
    described = openapi()
    body = "\n".join([*_operations(described), "<h2>Documents</h2>", *_schemas(described)])
    page = PAGE.format(style=style, summary=escape(described["info"]["summary"]), body=body)
    return page.encode(), policy_of(style)


async def show(request: Request) -> Response:
    """Answer with the page."""
    return page_response(*document())


def _operations(described: dict[str, Any]) -> Iterator[str]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
            yield f"<p>{escape(operation['summary'])}.</p>"
            for parameter in operation.get("parameters", []):
                yield f"<p><code>?{escape(parameter['name'])}=</code> "
                yield f"{escape(parameter['description'])}</p>"
            body = operation.get("requestBody", {}).get("content", {})
            for kind, content in body.items():
                yield f"<h3>{escape(kind)}</h3>"
                yield _example(content["example"], f"{method.upper()} {path}, {kind}")
            yield _table(
                f"Answers of {method.upper()} {path}",
                ("Status", "Meaning", "Document"),
                [
                    (status, answer["description"], _shown(answer["content"]))
                    for status, answer in operation["responses"].items()
                ],
            )


def _schemas(described: dict[str, Any]) -> Iterator[str]:
    for name, schema in described["components"]["schemas"].items():
        yield f'<h3 id="{escape(name)}">{escape(name)}</h3>'
        yield f"<p>{escape(' '.join(schema.get('description', '').split()))}</p>"
        required = schema.get("required", [])
        yield _table(
            f"Members of {name}",
            ("Name", "Type", "Needed", "Meaning"),
            [
                (
                    f"<code>{escape(member)}</code>",
                    _type(own),
                    "yes" if member in required else "no",
                    escape(own.get("description", "")),
                )
                for member, own in schema.get("properties", {}).items()
            ],
        )


def _table(caption: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table; its cells are HTML already."""
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _example(example: Any, label: str) -> str:
    text = example if isinstance(example, str) else json.dumps(example, indent=2)
    return f'<pre tabindex="0" aria-label="{escape(label)}">{escape(text)}</pre>'


def _shown(content: dict[str, Any]) -> str:
    return "<br>".join(f"{escape(kind)}{_link(own['schema'])}" for kind, own in content.items())


def _link(schema: dict[str, Any]) -> str:
    text = _type(schema)
    return f": {text}" if text.startswith("<a") else ""


def _type(schema: dict[str, Any]) -> str:
    """Say what kind of value a schema is, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    if "enum" in schema:
        return ", ".join(escape(str(value)) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return escape(str(schema.get("type", "anything")))


ROUTES = [Route("/docs", show)]
