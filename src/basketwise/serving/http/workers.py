"""Several processes that take connections from one socket, started and ended together.

Each is a whole server: it opens the model, follows the registry and has counters of its own. One
that ends by itself is replaced. They end with the process that started them, whatever ends that.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SOCKET, PARENT = "BASKETWISE_SERVE_SOCKET", "BASKETWISE_SERVE_PARENT"
"""Variables of a worker: the descriptors of the socket, and of a pipe that ends with the parent."""

FIRST = "BASKETWISE_SERVE_FIRST"
"""Variable of the worker that announces the server."""

GRACE_SECONDS = 28.0
"""After SIGTERM, until workers are killed; a little longer than they take to drain."""

SOON_SECONDS = 5.0
"""A worker that ends earlier than this after its start is not replaced."""

_POLL_SECONDS = 0.05


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    started: float


def run_workers(
    sock: socket.socket, number: int, command: Sequence[str], say: Callable[[str], None]
) -> int:
    """Run a command so many times with the same socket, until told to end by SIGTERM or SIGINT.

    Parameters
    ----------
    sock : socket
        That the workers listen on, see :func:`inherited_socket`.
    number : int
        Of workers.
    command : sequence of str
        What each runs.
    say : callable
        Is told of workers that ended by themselves.

    Returns
    -------
    int
        0, or the exit code of a worker that ended right after its start.
    """
    ended = threading.Event()
    before = {
        sign: signal.signal(sign, lambda *_: ended.set())
        for sign in (signal.SIGTERM, signal.SIGINT)
    }
    alive, owned = os.pipe()
    workers: list[_Worker] = []

    def start(is_first: bool) -> _Worker:
        own = {SOCKET: str(sock.fileno()), PARENT: str(alive), FIRST: "1" if is_first else ""}
        process = subprocess.Popen(
            command, env={**os.environ, **own}, pass_fds=[sock.fileno(), alive]
        )
        return _Worker(process, time.monotonic())

    try:
        workers += [start(position == 0) for position in range(number)]
        while not ended.wait(_POLL_SECONDS):
            for position, worker in enumerate(workers):
                code = worker.process.poll()
                if code is None:
                    continue
                if time.monotonic() - worker.started < SOON_SECONDS:
                    return abs(code)
                say(f"Worker {worker.process.pid} ended with {code}; another one is started.")
                workers[position] = start(is_first=False)
        return 0
    finally:
        _end([worker.process for worker in workers])
        os.close(owned)
        os.close(alive)
        for sign, handler in before.items():
            signal.signal(sign, handler)


def inherited_socket() -> socket.socket | None:
    """Return the socket that a worker was given; None in any other process."""
    number = os.environ.get(SOCKET, "")
    return socket.socket(fileno=int(number)) if number else None


def is_announcing() -> bool:
    """Whether this process tells where the server is: of workers, one does."""
    return not os.environ.get(SOCKET) or bool(os.environ.get(FIRST))


def end_with_parent() -> None:
    """In a worker, end as on SIGTERM when the process that started it is gone."""
    number = os.environ.get(PARENT, "")
    if not number:
        return

    def wait() -> None:
        # Nothing is ever written: it returns when the other end is closed.
        os.read(int(number), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="basketwise-parent", daemon=True).start()


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
