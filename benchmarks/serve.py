"""Serving over HTTP, under a load that does not wait for answers.

``python -m benchmarks.serve --model model.tar.gz`` starts servers of its own, one after the other,
on this machine, where the client takes its part of the cores too: ``basketwise serve``, a FastAPI
application around ``basketwise.load`` (:mod:`benchmarks.fastapi_app`) and, with ``--mlflow``,
``mlflow models serve`` of the same model. Each request is one made-up basket of 9 to 11 lines with
all of their columns.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measuring import machine, table
from benchmarks.open_loop import Load, request, run

USUAL = 200.0
"""Requests a second, of which the latencies are told."""
LATE = 50.0
"""Milliseconds; a rate is sustained if 99 % are answered, and 95 % within this."""
RATES = (50, 100, 200, 300, 400, 500, 600, 800, 1_000, 1_200, 1_400)
MANY = 1_000
START_SECONDS = 120.0


@dataclass(frozen=True)
class Candidate:
    """A server to measure: how it is started, and what it is sent."""

    name: str
    command: Sequence[str]
    port: int
    ready: str
    path: str
    processes: int = 1
    mlflow: bool = False


@dataclass(frozen=True)
class Basket:
    """One basket's lines, with and without its id."""

    key: str
    lines: list[dict[str, object]]


def baskets(number: int) -> list[Basket]:
    """Make up baskets of 9 to 11 lines."""
    import basketwise as bw

    made: list[Basket] = []
    lines = bw.sample(baskets=20 * number, seed=42)
    for (key,), own in lines.group_by("BASKET_ID", maintain_order=True):
        if 9 <= own.height <= 11 and len(made) < number:
            made.append(Basket(str(key), own.drop("BASKET_ID").to_dicts()))
    return made


def body(some: Sequence[Basket], *, mlflow: bool) -> bytes:
    """Write the body of a request."""
    if mlflow:
        records = [{**line, "BASKET_ID": b.key} for b in some for line in b.lines]
        return json.dumps({"dataframe_records": records}).encode()
    document = {"baskets": [{"basket_id": b.key, "lines": b.lines} for b in some]}
    return json.dumps(document).encode()


@contextmanager
def running(candidate: Candidate) -> Iterator[tuple[float, int]]:
    """Run a server; yield the seconds until it was ready, and its process id."""
    started = time.perf_counter()
    programs = str(Path(sys.executable).parent)
    process = subprocess.Popen(
        candidate.command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # MLflow calls a program beside it by its name.
        env={**os.environ, "PATH": os.pathsep.join((programs, os.environ["PATH"]))},
        process_group=0,
    )
    try:
        _wait(f"http://127.0.0.1:{candidate.port}{candidate.ready}", process, started)
        yield time.perf_counter() - started, process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], started: float) -> None:
    while True:
        if process.poll() is not None:
            raise SystemExit(f"The server of {url} ended with {process.returncode}.")
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310
                return
        except OSError as error:
            if time.perf_counter() - started > START_SECONDS:
                raise SystemExit(f"{url} does not answer: {error}") from error
            time.sleep(0.02)


def memory(pid: int) -> float:
    """Return the resident memory of a process and its children in MB."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(status.parent.name))
    pending, pages = [pid], 0
    while pending:
        pid = pending.pop()
        pending += children.get(pid, [])
        pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(
    candidate: Candidate, some: Sequence[Basket], many: Sequence[Basket], *, seconds: float
) -> list[str]:
    """Measure one candidate; return its cells."""
    one = [request(candidate.path, body([b], mlflow=candidate.mlflow)) for b in some]

    def load(rate: float, duration: float = seconds) -> Load:
        return run([candidate.port], one, rate, duration)

    with running(candidate) as (ready, pid):
        held = [memory(pid)]
        load(20, 2)
        usual = load(USUAL)
        sustained = 0.0
        for rate in RATES:
            # Other work on the machine spoils a run now and then, hardly two of them.
            if not any(_is_sustained(candidate, load(rate)) for _ in range(2)):
                break
            sustained = rate
        double = load(2 * max(sustained, RATES[0]))
        print(f"{candidate.name}, double: {_told(double)}", file=sys.stderr)
        held.append(memory(pid))
        whole = body(many, mlflow=candidate.mlflow)
        at_once = statistics.median(
            _seconds(candidate.port, candidate.path, whole) for _ in range(5)
        )
        held.append(memory(pid))
    return [
        candidate.name,
        f"{ready:.1f}",
        *(f"{own / candidate.processes:.0f}" for own in held),
        f"{usual.quantile(0.5):.1f}" if usual.share(200) > 0.99 else "–",
        f"{usual.quantile(0.95):.1f}" if usual.share(200) > 0.99 else "–",
        f"{sustained:.0f}",
        f"{100 * double.share(429):.0f} %",
        f"{double.quantile(0.95):.0f}",
        f"{at_once * 1e3:.0f}",
    ]


def _is_sustained(candidate: Candidate, result: Load) -> bool:
    print(f"{candidate.name}: {_told(result)}", file=sys.stderr)
    return result.share(200) >= 0.99 and result.quantile(0.95) <= LATE


def _told(result: Load) -> str:
    counts = {status: len(own) for status, own in sorted(result.seconds.items())}
    latencies = f"p50 {result.quantile(0.5):.1f} p95 {result.quantile(0.95):.1f} ms"
    return f"{result.rate:.0f}/s {counts} {latencies}"


def _seconds(port: int, path: str, content: bytes) -> float:
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", content, {"Content-Type": "application/json"}
    )
    started = time.perf_counter()
    with urllib.request.urlopen(asked, timeout=300) as answer:  # noqa: S310
        answer.read()
    return time.perf_counter() - started


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as own:
        return int(own.getsockname()[1])


def candidates(model: Path, mlflow: Path | None) -> Iterator[Candidate]:
    """Yield the servers that are compared."""
    programs = Path(sys.executable).parent
    for number in (1, 2):
        port = free_port()
        command = [str(programs / "basketwise"), "serve", "--model", str(model)]
        command += ["--port", str(port), "--workers", str(number)]
        name = f"`basketwise serve --workers {number}`"
        yield Candidate(name, command, port, "/ready", "/predict", number)
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.fastapi_app", str(model), str(port)]
    yield Candidate("FastAPI around `basketwise.load`", command, port, "/ready", "/predict")
    if mlflow is not None:
        port = free_port()
        command = [str(programs / "mlflow"), "models", "serve", "--env-manager", "local"]
        command += ["-m", str(mlflow), "-p", str(port)]
        yield Candidate(
            "`mlflow models serve`", command, port, "/ping", "/invocations", mlflow=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a model.tar.gz")
    parser.add_argument("--mlflow", action="store_true", help="measure MLflow's server too")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    given = parser.parse_args()
    from basketwise.registry.mlflow.pyfunc import write_model

    some, many = baskets(150), baskets(MANY)
    with TemporaryDirectory() as folder:
        mlflow = Path(folder) / "model" if given.mlflow else None
        if mlflow is not None:
            write_model(mlflow, given.model)
        rows = [
            measure(candidate, some, many, seconds=given.seconds)
            for candidate in candidates(given.model, mlflow)
        ]
    heads = (
        "server",
        "ready s",
        "MB each when ready",
        "after the loads",
        "after large requests",
        f"p50 ms at {USUAL:.0f}/s",
        "p95 ms",
        "sustained/s",
        "429 at double",
        "p95 ms of the accepted",
        f"{MANY:,} baskets at once, ms",
    )
    print(table(heads, rows))
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
