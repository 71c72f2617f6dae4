"""Answering one request for predictions: from its headers to the text of its answer."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from time import perf_counter

import click
from polars.exceptions import PanicException
from starlette.requests import Request
from starlette.responses import Response

from basketwise.errors import BasketwiseError
from basketwise.model.estimating import seconds_estimating
from basketwise.serving.http.answers import Answer, answer
from basketwise.serving.http.baskets import read_request
from basketwise.serving.http.formats import ACCEPT, accepted, headers, written
from basketwise.serving.http.health import Health
from basketwise.serving.http.limits import Bodies, Limits, content_length
from basketwise.serving.http.media_types import SEND, media_type
from basketwise.serving.http.metrics import Metrics
from basketwise.serving.http.problems import ProblemError
from basketwise.serving.http.served import Current, Served
from basketwise.serving.http.turns import Turns

Observer = Callable[[Answer, Served], None]
"""Is told of every answer, in the thread that scored it; must not block."""


@dataclass
class Service:
    """What the handlers of all routes share: ``request.app.state.service``.

    Attributes
    ----------
    current
        The model that is served; each request takes it once.
    limits
        What is taken on.
    observe
        Told of every answer.
    draining
        Whether the server ends: nothing new is to be sent to it.
    """

    current: Current
    limits: Limits = field(default_factory=Limits)
    observe: Observer | None = None
    draining: bool = False

    def __post_init__(self) -> None:
        self.turns, self.bodies = Turns(self.limits), Bodies(self.limits)
        self.health, self.metrics = Health(self.current), Metrics(self.current)

    async def is_ready(self) -> bool:
        """Whether requests are to be sent here."""
        return not self.draining and await self.health.is_healthy()

    async def invoke(self, request: Request, *, explain: bool = False) -> Response:
        """Answer a request for predictions.

        Raises
        ------
        ProblemError, InputError
            If the request is refused.
        """
        content_type = request.headers.get("content-type", "")
        kind = media_type(content_type)
        if kind is None:
            raise ProblemError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"The content type {content_type!r} is not supported.",
                SEND,
            )
        coding = request.headers.get("content-encoding", "identity")
        if coding.lower() != "identity":
            raise ProblemError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"The content encoding {coding!r} is not supported.",
                SEND,
            )
        accept = request.headers.get("accept")
        wanted = accepted(accept, kind)
        if wanted is None:
            raise ProblemError(
                HTTPStatus.NOT_ACCEPTABLE,
                f"The answer cannot be given as {accept!r}.",
                ACCEPT,
            )
        length = content_length(request.scope["headers"], self.limits.body)
        body = await self.bodies.read(request.receive, length)
        return await self.turns.run(lambda: self._respond(body, kind, wanted, explain=explain))

    def _respond(self, body: bytes, kind: str, wanted: str, *, explain: bool) -> Response:
        """Parse, score and write, in one turn."""
        served = self.served()
        with self.metrics.timed("parse"):
            own = served.model.rules.columns
            request = read_request(body, kind, self.limits.bounds, own)
        result = self.scored(lambda served: answer(request, served, explain=explain), served)
        with self.metrics.timed("write"):
            text = written(result, wanted)
        return Response(text, media_type=wanted, headers=headers(result))

    def scored(self, score: Callable[[Served], Answer], served: Served | None = None) -> Answer:
        """Let a model answer, by default the current one, in a turn; count it, tell who observes.

        Raises
        ------
        ProblemError
            If there is no model.
        """
        served = served or self.served()
        started, _ = perf_counter(), seconds_estimating()
        try:
            result = score(served)
        except BasketwiseError:
            raise
        except (Exception, PanicException) as error:
            self.health.doubt()
            # A panic of Polars is no Exception, and would end the server.
            raise RuntimeError("the baskets could not be scored") from error
        in_model = seconds_estimating()
        self.metrics.took("features", perf_counter() - started - in_model)
        self.metrics.took("model", in_model)
        self.health.mark(served)
        self.metrics.answered(result)
        if self.observe is not None:
            try:
                self.observe(result, served)
            except Exception:
                click.echo(traceback.format_exc(), err=True)
        return result

    def served(self) -> Served:
        """Return the model that is served now.

        Raises
        ------
        ProblemError
            If there is none.
        """
        served = self.current.get()
        if served is None:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "No model is loaded.", "The server's log says why."
            )
        return served

    def close(self) -> bool:
        """End the threads; whether none is at work any more."""
        self.health.close()
        return self.turns.close()


def service_of(request: Request) -> Service:
    """Return what the application of a request has been made for."""
    service: Service = request.app.state.service
    return service
