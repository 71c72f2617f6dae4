"""The page at ``/``, and the example that it fills in.

One document without any template: its style sheet is the report's with a few rules of its own, its
script asks the same server. Its content policy allows these two by their digests, requests to this
server, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def show(request: Request) -> Response:
    """Answer with the page."""
    return page_response(*document())


def page_response(body: bytes, policy: str) -> Response:
    """Return the answer with a page and its content policy."""
    headers = {"Content-Security-Policy": policy, "X-Frame-Options": "DENY"}
    return Response(body, media_type="text/html", headers=headers)


@cache
def document() -> tuple[bytes, str]:
    """Return the page and its content policy."""
    style = read("basketwise.report", "templates/report.css") + read(__package__, "page.css")
    script = read(__package__, "page.js")
    page = read(__package__, "page.html")
    page = page.replace("/*style*/", style).replace("/*script*/", script)
    return page.encode(), policy_of(style, f"script-src '{_digest(script)}'", "connect-src 'self'")


def policy_of(style: str, *more: str) -> str:
    """Return a content policy that allows a style sheet, and ``more``, but nothing else."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            *more,
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def read(package: str, name: str) -> str:
    """Return a text that is shipped with a package."""
    return resources.files(package).joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    """Return what a content policy names a style sheet or a script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


ROUTES = [Route("/", show)]
