"""An open-loop HTTP client: requests leave on schedule, whether or not answers have come.

Latencies count from the scheduled time, so a server that stalls is charged for all who had to wait.
"""

from __future__ import annotations

import asyncio
import random
import selectors
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

CONNECTIONS = 128
"""Open connections over all servers; each carries one request at a time."""


@dataclass
class Load:
    """What came of the requests of one run: seconds from the scheduled time, by status."""

    rate: float
    seconds: dict[int, list[float]] = field(default_factory=dict)
    took: float = 0.0

    @property
    def sent(self) -> int:
        """Number of requests."""
        return sum(map(len, self.seconds.values()))

    def share(self, status: int) -> float:
        """Share of the requests with a status."""
        return len(self.seconds.get(status, [])) / max(self.sent, 1)

    def quantile(self, q: float, status: int = 200) -> float:
        """Quantile of the latencies in ms; infinite without any."""
        ordered = sorted(self.seconds.get(status, []))
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))] * 1e3 if ordered else 1e9


class _Connection(asyncio.Protocol):
    """One kept connection; ``answer`` is what its request waits for."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._length: int | None = None
        self._status = 0
        self.answer: asyncio.Future[int] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(0)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._length is None:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._received[:end]).lower()
            self._status = int(head[9:12])
            _, _, length = head.partition(b"content-length:")
            self._length = int(length.split(b"\r\n")[0])
            del self._received[: end + 4]
        if len(self._received) >= self._length:
            self._received.clear()
            self._length = None
            if self.answer is not None and not self.answer.done():
                self.answer.set_result(self._status)


def request(path: str, body: bytes, content_type: str = "application/json") -> bytes:
    """Return the bytes of one request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(ports: Sequence[int], requests: Sequence[bytes], rate: float, seconds: float) -> Load:
    """Send requests to servers in turn, at the times of a Poisson process."""
    # epoll waits whole milliseconds: each request would leave 0.6 ms late, at the median.
    with asyncio.Runner(loop_factory=_exact_loop) as runner:
        return runner.run(_run(ports, requests, rate, seconds))


def _exact_loop() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


async def _run(
    ports: Sequence[int], requests: Sequence[bytes], rate: float, seconds: float, seed: int = 1
) -> Load:
    loop, rng, load = asyncio.get_running_loop(), random.Random(seed), Load(rate)  # noqa: S311
    free = {port: deque[_Connection]() for port in ports}
    waiting: dict[int, deque[asyncio.Future[_Connection]]] = {port: deque() for port in ports}

    async def connected(port: int) -> _Connection:
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", port)
        return connection

    for port in ports:
        free[port].extend([await connected(port) for _ in range(CONNECTIONS // len(ports))])

    async def send(number: int, scheduled: float) -> None:
        port = ports[number % len(ports)]
        if free[port]:
            connection = free[port].popleft()
        else:
            turn = loop.create_future()
            waiting[port].append(turn)
            connection = await turn
        if connection.transport is None:
            connection = await connected(port)
        assert connection.transport is not None
        connection.answer = loop.create_future()
        connection.transport.write(requests[number % len(requests)])
        status = await connection.answer
        load.seconds.setdefault(status, []).append(time.perf_counter() - scheduled)
        if waiting[port]:
            waiting[port].popleft().set_result(connection)
        else:
            free[port].append(connection)

    started = scheduled = time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    while scheduled < started + seconds:
        delay = scheduled - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        tasks.append(asyncio.create_task(send(len(tasks), scheduled)))
        scheduled += rng.expovariate(rate)
    await asyncio.gather(*tasks)
    load.took = time.perf_counter() - started
    for connections in free.values():
        for connection in connections:
            if connection.transport is not None:
                connection.transport.close()
    return load
