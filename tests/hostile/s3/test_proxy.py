"""A proxy before the server that fails, cuts answers off, loses them, or is slow."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from basketwise.errors import DependencyError
from tests.hostile.s3.publishing import read_folder
from tests.hostile.s3.versions import number_of, opened, publish, publish_after, reading
from tests.hostile.scale import tried
from tests.seaweed import ACCESS_KEY, REGION, SECRET_KEY, S3Server

pytestmark = pytest.mark.skipif(tried(0, 1) == 0, reason="make hostile")

RATES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.9)
"""How probable it is that a request is disturbed."""

KINDS = ("500", "503", "cut", "lost", "slow")
ALL = " ".join(KINDS)
ERRORS = {"500": "InternalError", "503": "SlowDown"}


class Proxy(ThreadingHTTPServer):
    """Passes requests on, but for those that it disturbs."""

    daemon_threads = True

    def __init__(self, target: str, kinds: str, rate: float, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.target, self.kinds, self.rate = urlsplit(target).netloc, kinds.split(), rate
        self.disturbed: Counter[str] = Counter()
        self._random, self._choosing = random.Random(seed), threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def disturbance(self) -> str:
        """Choose what becomes of the next request; empty: nothing."""
        with self._choosing:
            if self._random.random() >= self.rate:
                return ""
            kind = self._random.choice(self.kinds)
            self.disturbed[kind] += 1
            return kind


class Passing(BaseHTTPRequestHandler):
    """One connection to the proxy."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def __getattr__(self, name: str) -> Any:
        # Whatever the method is.
        return self.answer if name.startswith("do_") else super().__getattribute__(name)

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.server.disturbance()
        if kind in ERRORS:
            self._send(int(kind), {}, f"<Error><Code>{ERRORS[kind]}</Code></Error>".encode())
            return
        if kind == "slow":
            time.sleep(0.3)
        upstream = HTTPConnection(self.server.target, timeout=60)
        # The host is signed: it remains that of the proxy.
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, text in self.headers.items():
            if name.lower() not in ("connection", "expect"):
                upstream.putheader(name, text)
        upstream.endheaders(body or None)
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        if kind == "lost":
            self.close_connection = True
            return
        size = answer.headers.get("Content-Length") or str(len(data))
        skipped = ("connection", "content-length", "transfer-encoding")
        kept = {name: text for name, text in answer.headers.items() if name.lower() not in skipped}
        self._send(answer.status, kept | {"Content-Length": size}, data, cut=kind == "cut")

    def _send(
        self, status: int, headers: dict[str, str], data: bytes, *, cut: bool = False
    ) -> None:
        self.send_response_only(status)
        for name, text in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection = self.close_connection or cut

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def proxy(target: str, kinds: str, rate: float, seed: int) -> Iterator[Proxy]:
    with Proxy(target, kinds, rate, seed) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def client_of(url: str) -> Any:
    """Return a client that makes three attempts, as boto3's does by default."""
    import boto3
    from botocore.config import Config

    retries: Any = {"mode": "standard", "total_max_attempts": 3}
    options = Config(connect_timeout=5, read_timeout=30, retries=retries)
    session = boto3.Session(ACCESS_KEY, SECRET_KEY, region_name=REGION)
    return session.client("s3", endpoint_url=url, config=options)


@pytest.mark.parametrize("kinds", [*KINDS, ALL])
def test_publishing_through_it(s3_server: S3Server, tmp_path: Path, kinds: str) -> None:
    prefix, client = s3_server.new_prefix(), s3_server.client()
    reader, last = (
        opened(client, s3_server, prefix, tmp_path / name) for name in ("reader", "last")
    )
    publish(last, 1, tmp_path)
    published = refused = 0
    disturbed: Counter[str] = Counter()
    for seed, rate in enumerate(RATES):
        with proxy(s3_server.endpoint_url, kinds, rate, seed) as between:
            writer = opened(client_of(between.url), s3_server, prefix, tmp_path / f"cache-{seed}")
            with reading(reader) as seen:
                try:
                    publish(writer, 2 * seed + 2, tmp_path)
                    published += 1
                except DependencyError:
                    # The command ends with exit code 3; any other error fails the test.
                    refused += 1
                with suppress(DependencyError):
                    number_of(read_folder(writer.local("gold")))
            assert seen
        disturbed += between.disturbed
        publish_after(last, 2 * seed + 3, tmp_path)
    # Else nothing would have been tested.
    assert set(disturbed) == set(kinds.split())
    assert published + refused == len(RATES)
    assert published
    print(f"{kinds}: {published} of {len(RATES)}, {disturbed.total()} disturbed")  # noqa: T201
