"""Errors as problem documents (RFC 9457): what the command line says, as headline and hint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from basketwise.errors import BasketwiseError, DependencyError, InputError
from basketwise.redaction import redacted
from basketwise.serving.http.bounds import MalformedError, TooLargeError
from basketwise.serving.http.media_types import JSON

PROBLEM = "application/problem+json"
UNEXPECTED = "This should not have happened. The server's log says more."

LONGEST = 2_000
"""Characters of a headline, and of a hint, that are sent: they may quote what was received."""

SAGEMAKER = ("/ping", "/invocations")
"""Paths of SageMaker's contract: there, a problem is plain JSON, and names its headline ``error``
too."""


TENSORS = "/v2/"
"""Start of the paths of the Open Inference Protocol, which does the same."""


class ProblemError(Exception):
    """A request that is refused.

    Parameters
    ----------
    status : HTTPStatus
        Of the answer.
    headline, hint : str
        What is wrong, and what to do.
    headers : mapping, optional
        More headers of the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        headline: str,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(headline)
        self.status, self.headline, self.hint = HTTPStatus(status), headline, hint
        self.headers = dict(headers or {})

    def body(self, path: str = "") -> bytes:
        """Return the document, as a path's contract writes it."""
        return problem(self.status, self.headline, self.hint, path)


def problem(status: HTTPStatus, headline: str, hint: str = "", path: str = "") -> bytes:
    """Return a problem document: ``title``, ``status``, ``detail`` (the headline), ``hint``.

    Its ``type`` is absent, which means that the status says what kind of problem it is.
    """
    document: dict[str, Any] = {
        "title": status.phrase,
        "status": status.value,
        "detail": redacted(headline[:LONGEST]),
        "hint": redacted(hint[:LONGEST]),
    }
    if _has_error(path):
        document["error"] = document["detail"]
    return json.dumps(document).encode()


def problem_type(path: str) -> str:
    """Return the media type of a path's problems."""
    return JSON if _has_error(path) else PROBLEM


def _has_error(path: str) -> bool:
    """Whether a path's contract knows plain JSON with an ``error``, and no problem documents."""
    return path in SAGEMAKER or path.startswith(TENSORS)


def problem_of(error: BaseException, path: str = "") -> ProblemError:
    """Return what a client is told of an error: nothing of an unexpected one."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, BasketwiseError):
        return ProblemError(_status(error, path), error.headline, error.hint)
    return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, UNEXPECTED)


def _status(error: BasketwiseError, path: str) -> HTTPStatus:
    if isinstance(error, TooLargeError):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if isinstance(error, InputError):
        # SageMaker's callers know of one code for what is wrong with their data.
        bad = isinstance(error, MalformedError) or path in SAGEMAKER
        return HTTPStatus.BAD_REQUEST if bad else HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, DependencyError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR
