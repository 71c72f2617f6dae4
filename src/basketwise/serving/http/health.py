"""Whether the model that is served can score."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import click
from polars.exceptions import PanicException

from basketwise.model.scoring import Model
from basketwise.serving.http.answers import answer
from basketwise.serving.http.baskets import read_request
from basketwise.serving.http.media_types import JSON
from basketwise.serving.http.served import Current, Served

HEALTHY_SECONDS = 60.0
"""Seconds for which a model that has scored is healthy without another check."""


def example(model: Model) -> bytes:
    """Return a request that every model must be able to score to be healthy: one basket.

    Its product is one that the model knows, if it knows any: a new one may need the second model,
    which is opened late.
    """
    code = next(iter(model.products), "EXAMPLE")
    line = {"PROD_CODE": code, "SPEND": 0.5, "QUANTITY": 1}
    return json.dumps({"baskets": [{"basket_id": "example", "lines": [line]}]}).encode()


class Health:
    """Knows when the model last scored, and lets it score the example where that is long ago.

    SageMaker waits two seconds for this, and a busy model must not look unhealthy. So the example
    has a thread of its own, and is scored only if nothing else was recently.
    """

    def __init__(self, current: Current) -> None:
        self._current = current
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="health")
        self._scored: tuple[Served, float] | None = None

    def mark(self, served: Served) -> None:
        """Note that a model has just scored."""
        self._scored = (served, time.monotonic())

    def doubt(self) -> None:
        """Let the next check try the model again."""
        self._scored = None

    async def is_healthy(self) -> bool:
        """Whether there is a model, and it scores: it has just done so, or scores the example."""
        served = self._current.get()
        if served is None:
            return False
        if self._is_recent(served):
            return True
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._try, served)

    def _is_recent(self, served: Served) -> bool:
        scored = self._scored
        if scored is None or scored[0] is not served:
            return False
        return time.monotonic() - scored[1] < HEALTHY_SECONDS

    def _try(self, served: Served) -> bool:
        # Others may have asked at the same time.
        if self._is_recent(served):
            return True
        try:
            result = answer(read_request(example(served.model), JSON), served)
        except (Exception, PanicException):
            click.echo(traceback.format_exc(), err=True)
            return False
        if len(result.predictions) == 1:
            self.mark(served)
            return True
        return False

    def close(self) -> None:
        """End its thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)
