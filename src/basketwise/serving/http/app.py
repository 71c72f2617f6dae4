"""The application: the routes of every contract, around one model.

To add a contract, write a module with ``ROUTES`` and add it to :data:`CONTRACTS`; handlers find the
:class:`~basketwise.serving.http.service.Service` in ``request.app.state.service``, whose
``current.get()`` is the model, and whose ``invoke`` and ``turns`` score within the limits. To serve
another model from now on, ``swap`` it in the :class:`~basketwise.serving.http.served.Current` that
the application was created with. To see every answer, give ``observe``.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from basketwise.serving.http import description, inference_protocol, own, sagemaker
from basketwise.serving.http.auth import Auth
from basketwise.serving.http.guard import Guard
from basketwise.serving.http.page import reference, show
from basketwise.serving.http.problems import ProblemError
from basketwise.serving.http.service import Service

CONTRACTS: tuple[list[BaseRoute], ...] = (
    [*own.ROUTES],
    [*sagemaker.ROUTES],
    [*inference_protocol.ROUTES],
    [*description.ROUTES],
    [*show.ROUTES],
    [*reference.ROUTES],
)
"""The routes of each contract."""


def create_app(
    service: Service, auth: Auth | None = None, *, log_requests: bool = False
) -> Starlette:
    """Return the application.

    Parameters
    ----------
    service : Service
        The model, the limits and who observes.
    auth : Auth, optional
        Who may ask. Default: everybody who reaches it.
    log_requests : bool
        Whether every request gets a line on stderr; those that fail always do.
    """
    routes = [route for contract in CONTRACTS for route in contract]
    guard = Middleware(Guard, service=service, auth=auth or Auth(), log_requests=log_requests)
    app = Starlette(routes=routes, middleware=[guard], exception_handlers={HTTPException: _refuse})
    # A redirect would name the host that the client claims to ask.
    app.router.redirect_slashes = False
    app.state.service = service
    return app


async def _refuse(request: Request, error: Exception) -> Response:
    """Turn what Starlette refuses into a problem."""
    status = HTTPStatus(getattr(error, "status_code", HTTPStatus.INTERNAL_SERVER_ERROR))
    if status == HTTPStatus.NOT_FOUND:
        raise ProblemError(status, "There is no such path.", "GET /docs lists all.") from error
    raise ProblemError(status, f"{status.phrase}.", "", getattr(error, "headers", None)) from error
