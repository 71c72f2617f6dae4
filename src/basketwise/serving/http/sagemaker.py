"""SageMaker's contract: ``/ping`` and ``/invocations``."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from basketwise.serving.http.problems import ProblemError
from basketwise.serving.http.service import Service


async def ping(request: Request) -> Response:
    """Answer whether the model scores; SageMaker asks every few seconds, and waits for two."""
    service: Service = request.app.state.service
    if not await service.is_ready():
        reason = "The server ends." if service.draining else "No working model is loaded."
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, reason)
    return JSONResponse({})


async def invocations(request: Request) -> Response:
    """Score baskets."""
    service: Service = request.app.state.service
    return await service.invoke(request)


ROUTES = [
    Route("/ping", ping),
    Route("/invocations", invocations, methods=["POST"]),
]
