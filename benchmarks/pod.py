"""Whether a pod's requests are enough: a server in a control group of 250m CPU and 256 MiB.

    sudo python -m benchmarks.pod FOLDER [REQUESTS_PER_SECOND …]

FOLDER is what ``basketwise deploy render --to docker`` has written. Requests of one basket with ten
lines are sent at their times, whether the ones before were answered or not; a latency counts from
that time. Needs Linux, root, and control groups that can be written to (version 1 or 2).
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from basketwise.deploy.smoke_test import EXAMPLE
from basketwise.files import ARCHIVE

CPU_PERIOD, CPU_QUOTA = 100_000, 25_000
"""Microseconds: a quarter of a core."""
MEMORY = 256 * 2**20
ROOT = Path("/sys/fs/cgroup")
GROUP = "basketwise-pod"
RATES = (20.0, 50.0, 100.0)
SECONDS = 10
LINES = 10


@contextmanager
def control_group() -> Iterator[tuple[list[Path], Path]]:
    """Yield the folders of a group of a pod's size, and the file with its peak of memory."""
    if (ROOT / "cgroup.controllers").exists():
        folders = [ROOT / GROUP]
        limits = {"cpu.max": f"{CPU_QUOTA} {CPU_PERIOD}", "memory.max": str(MEMORY)}
        peak = ROOT / GROUP / "memory.peak"
    else:
        folders = [ROOT / "cpu" / GROUP, ROOT / "memory" / GROUP]
        limits = {
            "cpu.cfs_period_us": str(CPU_PERIOD),
            "cpu.cfs_quota_us": str(CPU_QUOTA),
            "memory.limit_in_bytes": str(MEMORY),
        }
        peak = ROOT / "memory" / GROUP / "memory.max_usage_in_bytes"
    for folder in folders:
        folder.mkdir()
    try:
        for folder in folders:
            for name, value in limits.items():
                if (folder / name).exists():
                    (folder / name).write_text(value)
        yield folders, peak
    finally:
        for folder in folders:
            folder.rmdir()


@contextmanager
def server(archive: Path, token: str, groups: list[Path]) -> Iterator[int]:
    """Serve a model from a group; yield the port once it is ready, and print how long that took."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def join() -> None:
        for group in groups:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    command = [sys.executable, "-m", "basketwise", "serve", "--model", str(archive)]
    began = time.monotonic()
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        env=os.environ | {"BASKETWISE_SERVE_TOKEN": token},
        stderr=subprocess.DEVNULL,
        preexec_fn=join,
    )
    try:
        while not ready(port):
            assert process.poll() is None, "the server has ended"
            time.sleep(0.02)
        print(f"ready after {time.monotonic() - began:.1f} s")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def ready(port: int) -> bool:
    """Whether a server answers that it is."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return connection.recv(12).endswith(b"200")
    except OSError:
        return False


def request_of(folder: Path, token: str) -> bytes:
    """Return a request with one basket of products that the model knows."""
    baskets = json.loads((folder / EXAMPLE).read_bytes())["request"]["baskets"]
    known = [line for basket in baskets for line in basket["lines"]]
    lines = [known[n % len(known)] | {"SPEND": 1.0 + n} for n in range(LINES)]
    body = json.dumps({"baskets": [{"basket_id": "1", "lines": lines}]}).encode()
    head = (
        f"POST /predict HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(port: int, request: bytes, rate: float) -> tuple[Counter[int], list[float]]:
    """Send requests at a rate; return how many had each status, and the latencies of good ones."""
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(due: float) -> None:
        reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].split(b"\r\n")[0]
        await reader.readexactly(int(length))
        statuses[int(head.split()[1])] += 1
        if head.split()[1] == b"200":
            latencies.append(time.monotonic() - due)
        if b"connection: close" not in head:
            idle.append((reader, writer))

    began, tasks = time.monotonic(), []
    for number in range(int(rate * SECONDS)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(send(due)))
    await asyncio.gather(*tasks)
    return statuses, sorted(latencies)


def main(folder: Path, rates: tuple[float, ...]) -> None:
    token = secrets.token_hex(16)
    request = request_of(folder, token)
    with control_group() as (groups, peak):
        with server(folder / ARCHIVE, token, groups) as port:
            for rate in rates:
                statuses, latencies = asyncio.run(load(port, request, rate))
                p50, p95 = (1000 * latencies[int(len(latencies) * q)] for q in (0.5, 0.95))
                answers = ", ".join(f"{count} × {status}" for status, count in statuses.items())
                print(f"{rate:.0f} requests/s: {answers}, p50 {p50:.0f} ms, p95 {p95:.0f} ms")
        print(f"peak of memory: {int(peak.read_text()) / 2**20:.0f} MiB of {MEMORY >> 20}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), tuple(map(float, sys.argv[2:])) or RATES)
