"""The four functions that AWS's prebuilt images call to serve a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from basketwise.errors import InputError
from basketwise.model.archive import load_model_archive
from basketwise.serving.http.answers import Answer, answer
from basketwise.serving.http.baskets import Request, read_request
from basketwise.serving.http.formats import ACCEPT, accepted, written
from basketwise.serving.http.media_types import JSON, media_type
from basketwise.serving.http.problems import problem
from basketwise.serving.http.served import Served

REPLACED = "\N{REPLACEMENT CHARACTER}"
"""What AWS's scikit-learn image has put in place of each byte that is not UTF-8."""

NOT_UTF8 = f"The body is not UTF-8, or contains the replacement character {REPLACED}."
SEND_UTF8 = "Send UTF-8; if that character is meant, with '; charset=utf-8' in the Content-Type."


@dataclass(frozen=True)
class Refused:
    """Why a request is refused; passed from function to function, and returned by the last one.

    AWS's scikit-learn image turns every exception into a 500 without the reason. It passes what the
    last function returns, unless that is a pair, to Flask, and Flask answers with any WSGI
    application (PEP 3333). This is one.
    """

    status: HTTPStatus
    headline: str
    hint: str

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer as a WSGI application."""
        body = problem(self.status, self.headline, self.hint, "/invocations")
        headers = [("Content-Type", JSON), ("Content-Length", str(len(body)))]
        start_response(f"{self.status.value} {self.status.phrase}", headers)
        return [body]


def model_fn(model_dir: str) -> Served:
    """Load the model from a folder that contains the files of a ``model.tar.gz``.

    Raises InputError if it is not a model that Basketwise packed, or was changed since.
    """
    return Served(load_model_archive(Path(model_dir)))


def input_fn(request_body: bytes | str, request_content_type: str) -> Request | Refused:
    """Read a request, see :func:`basketwise.serving.http.baskets.read_request`.

    A text has been decoded by AWS's image, which does that with JSON and CSV whose type names no
    encoding. Other bodies are the bytes that were sent.
    """
    if isinstance(request_body, str) and REPLACED in request_body:
        return Refused(HTTPStatus.BAD_REQUEST, NOT_UTF8, SEND_UTF8)
    body = request_body.encode() if isinstance(request_body, str) else bytes(request_body)
    try:
        return read_request(body, request_content_type)
    except InputError as error:
        unknown = media_type(request_content_type) is None
        status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE if unknown else HTTPStatus.BAD_REQUEST
        return Refused(status, error.headline, error.hint)


def predict_fn(input_data: Request | Refused, model: Served) -> Answer | Refused:
    """Score a request, see :func:`basketwise.serving.http.answers.answer`."""
    if isinstance(input_data, Refused):
        return input_data
    try:
        return answer(input_data, model)
    except InputError as error:
        return Refused(HTTPStatus.BAD_REQUEST, error.headline, error.hint)


def output_fn(prediction: Answer | Refused, accept: str | None) -> tuple[str, str] | Refused:
    """Return the answer in a type that is accepted, and that type; or the refusal."""
    if isinstance(prediction, Refused):
        return prediction
    kind = accepted(accept, prediction.kind)
    if kind is None:
        headline = f"The answer cannot be given as {accept!r}."
        return Refused(HTTPStatus.NOT_ACCEPTABLE, headline, ACCEPT)
    return written(prediction, kind), kind
