"""An endpoint on SageMaker: one model, and whether it is healthy."""

from __future__ import annotations

import json
import math
import os
import sys
import time
import traceback
from collections.abc import Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import click

from basketwise.aws.container import layout
from basketwise.aws.container.answering import JSON, answer, read_request
from basketwise.aws.container.connection import Connection
from basketwise.errors import BasketwiseError, ConfigError, DependencyError, InputError
from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import NO_HISTORY, Model

MEBIBYTE = 2**20
MAX_BODY = 25 * MEBIBYTE
"""Bytes of a request, unless SageMaker sets another limit: its own limit for endpoints."""

CONCURRENT_REQUESTS = 4
"""Requests that are scored at a time; the others wait."""

QUEUE = 30.0
"""Seconds that a request waits for its turn: after 60 in all, SageMaker has given up on it."""

HEALTHY_SECONDS = 60.0
"""Seconds for which a model that has scored is healthy without another check."""

_LINE = {"PROD_CODE": "EXAMPLE", "SPEND": 0.5, "QUANTITY": 1}
EXAMPLE = json.dumps({"baskets": [{"basket_id": "example", "lines": [_LINE]}]}).encode()
"""What a model must be able to score to be healthy."""


class Endpoint(ThreadingHTTPServer):
    """Serves one model; without one it answers that it is not healthy.

    Bodies have at most ``limit`` bytes; a request waits at most ``queue`` seconds for its turn.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        scorer: Model | None,
        limit: int = MAX_BODY,
        queue: float = QUEUE,
    ) -> None:
        super().__init__(address, Connection)
        self.scorer, self.limit, self.queue = scorer, limit, queue
        self._turns = BoundedSemaphore(CONCURRENT_REQUESTS)
        self._scored = -math.inf

    def answer(self, body: bytes, content_type: str) -> dict[str, Any]:
        """Score a request's baskets.

        Raises InputError if the body is malformed, or none of its lines can be used, and
        DependencyError if there is no model, or too many requests are before this one.
        """
        if self.scorer is None:
            raise DependencyError("No model is loaded.", "The log says why.")
        request = read_request(body, content_type)
        if not self._turns.acquire(timeout=self.queue):
            raise DependencyError("Too many requests are waiting.", "Send it again later.")
        try:
            document = answer(request, self.scorer)
        except InputError:
            raise
        except BaseException:
            # The next /ping must check the model again.
            self._scored = -math.inf
            raise
        finally:
            self._turns.release()
        self._scored = time.monotonic()
        return document

    def is_healthy(self) -> bool:
        """Whether a model is loaded and scores: it has just done so, or scores the example now.

        SageMaker waits two seconds for this, and a busy model must not look unhealthy. So the
        example bypasses the queue, and is scored only if nothing else was recently.
        """
        if self.scorer is None:
            return False
        if time.monotonic() - self._scored < HEALTHY_SECONDS:
            return True
        try:
            document = answer(read_request(EXAMPLE, JSON), self.scorer)
        except Exception:
            click.echo(traceback.format_exc(), err=True)
            return False
        is_scored = len(document["predictions"]) == 1
        if is_scored:
            self._scored = time.monotonic()
        return is_scored

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error of a connection, unless the client has just closed it."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def main(arguments: Sequence[str]) -> None:
    """Serve until the process is ended.

    ``--model`` is a model's folder or ``model.tar.gz``; by default where SageMaker puts it.
    ``--host`` is the address to listen on; by default all, as SageMaker calls from outside.
    """
    parser = layout.Parser("serve", description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", type=Path, default=layout.model_dir())
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104
    options = parser.parse_args(arguments)
    port = _number("SAGEMAKER_BIND_TO_PORT", 8080)
    limit = _number("SAGEMAKER_MAX_PAYLOAD_IN_MB", MAX_BODY // MEBIBYTE) * MEBIBYTE
    scorer = None
    try:
        scorer = load_model_archive(options.model)
        if scorer.lacks_history:
            click.echo(f"warning: {NO_HISTORY}", err=True)
    except BasketwiseError as error:
        # /ping reports it too; without its response the cause would stay unknown.
        layout.report_failure(str(error))
    with Endpoint((options.host, port), scorer, limit) as endpoint:
        # The first prediction takes longest; nobody waits for it yet.
        endpoint.is_healthy()
        click.echo(f"listening on port {port}", err=True)
        endpoint.serve_forever()


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise ConfigError(f"{name} is {text!r}.", "Give a positive whole number.")
    return int(text)
