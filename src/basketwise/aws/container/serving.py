"""An endpoint on SageMaker: the HTTP application, started as SageMaker starts a container."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from basketwise.aws.container import layout
from basketwise.errors import BasketwiseError, ConfigError
from basketwise.model.scoring import NO_HISTORY
from basketwise.serving.http.app import create_app
from basketwise.serving.http.limits import MEBIBYTE, Limits, bounds_of
from basketwise.serving.http.served import Current, Served, open_path
from basketwise.serving.http.server import Server, listen
from basketwise.serving.http.service import Service

MAX_BODY = 25
"""MiB of a request, unless SageMaker sets another limit: its own limit for endpoints."""

CONCURRENT_REQUESTS = 4
WAITING = 1_000
"""Requests that are scored at a time, and that wait: SageMaker itself bounds what it sends."""


def main(arguments: Sequence[str]) -> None:
    """Serve until the process is ended.

    ``--model`` is a model's folder or ``model.tar.gz``; by default where SageMaker puts it.
    ``--host`` is the address to listen on; by default all, as SageMaker calls from outside, and
    decides who may.
    """
    parser = layout.Parser("serve", description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", type=Path, default=layout.model_dir())
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104
    options = parser.parse_args(arguments)
    port = _number("SAGEMAKER_BIND_TO_PORT", 8080)
    limits = limits_of(_number("SAGEMAKER_MAX_PAYLOAD_IN_MB", MAX_BODY))
    service = Service(Current(_open(options.model)), limits)
    app = create_app(service, log_requests=True)
    sock = listen(options.host, port)
    server = Server(app, service, limits)
    if not server.serve_on(sock, lambda: click.echo(f"listening on port {port}", err=True)):
        # Python would wait for the threads, whose clients have been told already.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def limits_of(mebibytes: int) -> Limits:
    """Return the limits of an endpoint whose requests have at most so many MiB."""
    body = mebibytes * MEBIBYTE
    return Limits(
        body=body,
        concurrency=CONCURRENT_REQUESTS,
        waiting=WAITING,
        wait_seconds=math.inf,
        bodies=8 * body,
        bounds=bounds_of(body),
    )


def _open(path: Path) -> Served | None:
    try:
        served = open_path(path)
    except BasketwiseError as error:
        # /ping reports it too; without its response the cause would stay unknown.
        layout.report_failure(str(error))
        return None
    if served.model.lacks_history:
        click.echo(f"warning: {NO_HISTORY}", err=True)
    return served


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise ConfigError(f"{name} is {text!r}.", "Give a positive whole number.")
    return int(text)
