"""The Open Inference Protocol, version 2, over REST: what KServe, Triton and others speak.

Reference: Open Inference Protocol, "Predict Protocol - Version 2", REST API.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from basketwise import __version__
from basketwise.schema import GROUP_NAME
from basketwise.serving.http.answers import answer
from basketwise.serving.http.baskets import parsed
from basketwise.serving.http.bounds import refuse_objects
from basketwise.serving.http.limits import content_length
from basketwise.serving.http.problems import ProblemError
from basketwise.serving.http.served import Served
from basketwise.serving.http.service import Service, service_of
from basketwise.serving.http.tensors import (
    FORM,
    INPUTS,
    OUTPUTS,
    read_tensors,
    wanted_outputs,
    write_tensors,
)

SERVER = {"name": "basketwise", "version": __version__, "extensions": []}
_LONGEST_ID = 256


async def live(request: Request) -> Response:
    """Answer that the process is alive."""
    return JSONResponse({"live": True})


async def ready(request: Request) -> Response:
    """Answer whether the server can answer inference requests."""
    is_ready = await service_of(request).is_ready()
    status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({"ready": is_ready}, status)


async def server(request: Request) -> Response:
    """Answer what server this is."""
    return JSONResponse(SERVER)


async def model(request: Request) -> Response:
    """Answer what the model takes, and what it answers."""
    served = _named(request)
    outputs = [
        {"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in OUTPUTS.items()
    ]
    return JSONResponse(
        {
            "name": GROUP_NAME,
            "versions": [served.version] if served.version else [],
            "platform": "basketwise",
            "inputs": INPUTS,
            "outputs": outputs,
        }
    )


async def model_ready(request: Request) -> Response:
    """Answer whether the model can answer."""
    _named(request)
    is_ready = await service_of(request).is_ready()
    status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({"name": GROUP_NAME, "ready": is_ready}, status)


async def infer(request: Request) -> Response:
    """Score the baskets of the tensors."""
    service = service_of(request)
    _named(request)
    version = request.path_params.get("version")
    length = content_length(request.scope["headers"], service.limits.body)
    body = await service.bodies.read(request.receive, length)
    return await service.turns.run(lambda: _infer(service, body, version))


def _infer(service: Service, body: bytes, version: str | None) -> Response:
    refuse_objects(body, service.limits.bounds)
    document = parsed(body, "The body", FORM)
    own = service.served().model.rules.columns
    baskets = read_tensors(document, service.limits.bounds, own)
    names, identifier = wanted_outputs(document), document.get("id")

    def score(served: Served) -> Any:
        _check_version(served, version)
        return answer(baskets, served)

    result = service.scored(score)
    identity = result.served.identity
    parameters = {
        "sha256": identity["sha256"] or "",
        "rejected_lines": sum(result.rejected.values()),
        "rejected": json.dumps(result.rejected),
        # Outputs have no element of these, and need not have ids.
        "unscored": json.dumps(result.unscored),
    }
    stated = {"model_version": identity["version"]} if identity["version"] else {}
    if isinstance(identifier, str):
        stated["id"] = identifier[:_LONGEST_ID]
    return JSONResponse(
        {
            "model_name": GROUP_NAME,
            **stated,
            "parameters": parameters,
            "outputs": write_tensors(result, names),
        }
    )


def _named(request: Request) -> Served:
    """Return the model that a path names.

    Raises
    ------
    ProblemError
        If it is not the one that is served.
    """
    name = request.path_params["name"]
    if name != GROUP_NAME:
        raise ProblemError(
            HTTPStatus.NOT_FOUND, f"There is no model {name[:80]!r}.", f"Ask for {GROUP_NAME}."
        )
    served = service_of(request).served()
    _check_version(served, request.path_params.get("version"))
    return served


def _check_version(served: Served, version: str | None) -> None:
    if version is not None and version != served.version:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            f"Version {version[:80]!r} is not served.",
            f"This server answers with {served.name}.",
        )


_MODEL = "/v2/models/{name}"
ROUTES = [
    Route("/v2", server),
    Route("/v2/health/live", live),
    Route("/v2/health/ready", ready),
    *(
        route
        for path in (_MODEL, f"{_MODEL}/versions/{{version}}")
        for route in (
            Route(path, model),
            Route(f"{path}/ready", model_ready),
            Route(f"{path}/infer", infer, methods=["POST"]),
        )
    ),
]
