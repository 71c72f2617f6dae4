"""The HTTP service: AWS's calls as botocore sends them, on a free port of 127.0.0.1."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from tests.aws.service_model import check
from tests.fakes.model_registry import RefusedError

TARGETS = {
    "SageMaker": "sagemaker",
    "Logs_20140328": "logs",
    "ServiceQuotasV20190624": "service-quotas",
    "GraniteServiceVersion20100801": "cloudwatch",
    "AnyScaleFrontendService": "application-autoscaling",
}
VERSIONS = {"2011-06-15": "sts", "2010-05-08": "iam"}
"""Of the services that speak XML: the version that each request names."""


class Service:
    """Answers calls with the methods of its parts, which are named like the operations.

    Attributes
    ----------
    parts
        Objects that stand for a piece of AWS each; the first that knows an operation answers it.
    bucket
        The only bucket that requests may name; it is in the region of the jobs.
    calls
        Every call that was made: service, operation, parameters.
    throttle
        So many calls are refused first.
    denied, expired
        Operations that the caller may not call; whether the credentials have expired.
    endpoint_url
        Where it listens; empty before :func:`served`.
    """

    def __init__(self, parts: Sequence[object], bucket: str) -> None:
        self.parts, self.bucket = list(parts), bucket
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.throttle = 0
        self.denied: set[str] = set()
        self.expired = False
        self.endpoint_url = ""

    def called(self, operation: str) -> list[dict[str, Any]]:
        """Return the parameters of every call of an operation."""
        return [params for _, name, params in list(self.calls) if name == operation]

    def answer(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Check a call as strictly as AWS does, then let a part answer it."""
        self.calls.append((service, operation, params))
        if self.expired:
            raise RefusedError("ExpiredTokenException", "The security token has expired")
        if self.throttle:
            self.throttle -= 1
            raise RefusedError("ThrottlingException", "Rate exceeded")
        if operation in self.denied:
            raise RefusedError("AccessDeniedException", f"User is not authorized: {operation}")
        if service in TARGETS.values():
            check(service, operation, params, bucket=self.bucket)
        for part in self.parts:
            method = getattr(part, operation, None)
            if method is not None:
                result: dict[str, Any] = method(params)
                return result
        raise RefusedError("UnknownOperationException", f"{service} {operation}")


class Server(ThreadingHTTPServer):
    """Does not mind a caller that is killed."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def served(service: Service) -> Iterator[Service]:
    """Answer while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet: the second would wait for 40 ms until the first is confirmed.
        disable_nagle_algorithm = True
        wbufsize = -1

        def setup(self) -> None:
            # Nothing of Basketwise runs in this thread, so coverage need not follow it.
            sys.settrace(None)
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            target, _, operation = self.headers.get("X-Amz-Target", "").partition(".")
            try:
                if target:
                    sent = json.loads(body or b"{}")
                    result = service.answer(TARGETS[target], operation, sent)
                    self._send(200, json.dumps(result, default=_plain))
                else:
                    sent = dict(parse_qsl(body.decode()))
                    operation = sent.pop("Action")
                    result = service.answer(VERSIONS[sent.pop("Version")], operation, sent)
                    self._send(200, _xml(operation, result))
            except RefusedError as error:
                self._refuse(target, *error.args)
            except AssertionError as error:
                self._refuse(target, "ValidationException", f"invalid request: {error}")
            except Exception as error:
                # A fault of the double's own: said at once, since a 500 would be asked again.
                self._refuse(target, "DoubleFailed", f"{operation}: {error!r}")

        def _refuse(self, target: str, code: str, message: str) -> None:
            if target:
                self._send(400, json.dumps({"__type": code, "message": message}))
            else:
                message = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
                self._send(400, f"<ErrorResponse><Error>{message}</Error></ErrorResponse>")

        def _send(self, status: int, text: str) -> None:
            data = text.encode()
            self.send_response(status)
            kind = "text/xml" if text.startswith("<") else "application/x-amz-json-1.1"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        def log_message(self, *arguments: object) -> None:
            """Keep quiet."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    service.endpoint_url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield service
    finally:
        for part in service.parts:
            if close := getattr(part, "close", None):
                close()
        server.shutdown()
        server.server_close()
        thread.join()


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def flat(sent: dict[str, str], name: str) -> list[str]:
    """Return a list out of a query's parameters: ``Name.member.1``, ``Name.member.2``, …"""
    pattern = re.compile(rf"{re.escape(name)}\.member\.(\d+)")
    result = [
        (int(match[1]), value) for key, value in sent.items() if (match := pattern.match(key))
    ]
    return [value for _, value in sorted(result)]


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{value!r} is no JSON")


def _xml(operation: str, result: dict[str, Any]) -> str:
    body = f"<{operation}Result>{_elements(result)}</{operation}Result>"
    return f"<{operation}Response>{body}</{operation}Response>"


def _elements(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{key}>{_elements(item)}</{key}>" for key, item in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_elements(item)}</member>" for item in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))
