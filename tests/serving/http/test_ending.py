"""The end of a server: nobody loses an answer."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from basketwise.model.scoring import Model
from basketwise.serving.http.limits import Limits
from basketwise.serving.http.served import Current, Served
from basketwise.serving.http.server import listen
from basketwise.serving.http.service import Service
from tests.evaluation.running import Evaluated
from tests.serving.http.client import EXAMPLE, send, serving

KIND = {"Content-Type": "application/json"}


def test_a_server_that_ends_says_so(scorer: Model) -> None:
    service = Service(Current(Served(scorer)), Limits())
    with serving(service) as port:
        assert send(port, "GET", "/ready", None)[0] == 200
        service.draining = True
        for path in ("/ready", "/ping", "/v2/health/ready"):
            assert send(port, "GET", path, None)[0] == 503
        assert send(port, "GET", "/health", None)[0] == 200
        status, headers, _ = send(port, "POST", "/predict", EXAMPLE, **KIND)
        assert (status, headers["Connection"]) == (200, "close")


def client(port: int) -> Counter[str]:
    """Ask again and again until the server takes no more connections; count what happens."""
    seen: Counter[str] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    reset = ""
    while True:
        is_new = connection.sock is None
        try:
            if is_new:
                connection.connect()
        except ConnectionError:
            if reset:
                # The system had made the connection just when the server stopped to take any.
                seen["not taken"] += 1
            return seen
        if reset:
            seen[reset] += 1
            reset = ""
        try:
            connection.request("POST", "/predict", EXAMPLE, KIND)
            response = connection.getresponse()
            response.read()
            seen[str(response.status)] += 1
        except (ConnectionError, http.client.HTTPException) as error:
            connection.close()
            if is_new and isinstance(error, ConnectionResetError):
                reset = repr(error)
            else:
                seen[repr(error)] += 1


def test_sigterm_under_load_loses_no_request(evaluated: Evaluated) -> None:
    with listen("127.0.0.1", 0) as free:
        port = int(free.getsockname()[1])
    command = ("serve", "--model", str(evaluated.archive), "--port", str(port), "--queue", "100")
    process = subprocess.Popen(
        [sys.executable, "-m", "basketwise", *command],
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Serving sha256 ")
        with ThreadPoolExecutor(8) as pool:
            clients = [pool.submit(client, port) for _ in range(8)]
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            assert process.wait(25) == 0
            seen = sum((done.result() for done in clients), Counter[str]())
    finally:
        process.kill()
        process.communicate()
    assert seen["200"] >= 8
    assert seen.pop("not taken", 0) <= 2
    assert set(seen) == {"200"}
