"""Machines that share a simulated bucket: each stops before every request, until it is chosen.

Everything runs in one thread, as greenlets, so a seed gives the same interleaving again. A machine
may sleep, lose responses, or be killed at any request. The code that runs is the package's own:
only the client, the clock, threads and locks are replaced.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ConnectionClosedError
from greenlet import greenlet  # type: ignore[import-untyped]

from tests.hostile.s3.store import Client, Store, refused

LEASE = 10.0
"""Seconds, of the simulated clock."""


class KilledError(BaseException):
    """Ends a machine; nothing catches it."""


@dataclass
class Machine:
    """A process with its threads, on a clock of its own that runs at the same rate."""

    name: str
    offset: float
    awake_at: float = 0.0
    is_dead: bool = False


@dataclass
class Task:
    """A thread of a machine, stopped before its next request."""

    machine: Machine
    run: greenlet
    awake_at: float = 0.0
    is_ready: Callable[[], bool] = lambda: True
    request: str = ""


@dataclass
class Rates:
    """How probable a disturbance is, per request."""

    machine_sleeps: float
    request_is_slow: float
    killed: float
    response_lost: float


@dataclass
class World:
    """A bucket, machines, and the seed that decides what happens next."""

    seed: int
    store: Store = field(default_factory=Store)
    tasks: list[Task] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    observe: Callable[[Machine], None] = lambda _: None
    """Called after every request that may have changed the bucket."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        choice = self.random.choice
        self.rates = Rates(
            machine_sleeps=choice((0.0, 0.02, 0.08)),
            request_is_slow=choice((0.0, 0.02, 0.08)),
            killed=choice((0.0, 0.0, 0.01)),
            response_lost=choice((0.0, 0.0, 0.03)),
        )
        self._main = greenlet.getcurrent()
        self._current: Task | None = None

    def boot(self, name: str) -> Client:
        """Start the current thread anew on a machine of its own; returns its client of S3."""
        assert self._current is not None
        machine = Machine(name, self.random.uniform(0, 1e6))
        self._current.machine = machine
        return Client(self.store, self._gate, lambda: self.observe(machine))

    def spawn(self, function: Callable[[], None], machine: Machine | None = None) -> Task:
        """Start a thread, on a machine that runs already or on none yet."""

        def run() -> None:
            with suppress(KilledError):
                function()

        task = Task(machine or Machine("none", 0.0), greenlet(run, self._main))
        self.tasks.append(task)
        return task

    def run(self) -> None:
        """Let everything happen until all threads have ended."""
        steps = 0
        while self.tasks:
            steps += 1
            assert steps < 20_000, "The machines do not come to an end."
            ready = [task for task in self.tasks if self._is_ready(task)]
            if not ready:
                times = [max(task.awake_at, task.machine.awake_at) for task in self.tasks]
                self.store.now = max(
                    self.store.now, min(time for time in times if time > self.store.now)
                )
                continue
            self.store.now += self.random.choice((0.0, 0.01, 0.1))
            task = self.random.choice(ready)
            self._current = task
            task.run.switch()
            self._current = None
            if task.run.dead:
                self.tasks.remove(task)

    def clock(self) -> float:
        """Return the seconds of the current machine's clock."""
        return self.store.now + (self._current.machine.offset if self._current else 0.0)

    def pause(self, seconds: float, is_ready: Callable[[], bool] = lambda: True) -> None:
        """Stop the current thread for a time, and until a condition holds."""
        task = self._current
        if task is None:
            return
        task.awake_at, task.is_ready = self.store.now + seconds, is_ready
        self._main.switch()
        if task.machine.is_dead:
            raise KilledError

    def _is_ready(self, task: Task) -> bool:
        if task.machine.is_dead:
            return True
        awake = max(task.awake_at, task.machine.awake_at) <= self.store.now
        return awake and task.is_ready()

    def _gate(self, name: str, key: str) -> Any:
        """Stop before a request; returns what becomes of its response."""
        task = self._current
        if task is None:
            return None
        task.request = f"{name} {key}"
        if task.machine.is_dead:
            raise KilledError
        rates, chance = self.rates, self.random.random
        if chance() < rates.machine_sleeps:
            task.machine.awake_at = self.store.now + self.random.uniform(0.5, 3) * LEASE
        delay = self.random.uniform(0.5, 3) * LEASE if chance() < rates.request_is_slow else 0.0
        self.pause(delay)
        outcome: Any = None
        if chance() < rates.killed:
            task.machine.is_dead = True
            self._note(task, "KILLED before")
            raise KilledError
        if chance() < rates.response_lost:
            closed = ConnectionClosedError(endpoint_url="http://store")
            outcome = self.random.choice(("again", closed, refused("InternalError", 500)))
        self._note(task, "" if outcome is None else f"{outcome}:")
        if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionClosedError):
            raise outcome
        return outcome

    def _note(self, task: Task, words: str) -> None:
        self.log.append(f"{self.store.now - 1e6:9.2f} {task.machine.name:8} {words} {task.request}")


class Gates:
    """Replacements for threads, events and locks that let the scheduler decide."""

    def __init__(self, world: World) -> None:
        self.world = world

    def lock(self) -> Any:
        """Return a lock."""
        return _Lock(self.world)

    def event(self) -> Any:
        """Return an event."""
        return _Event(self.world)

    def thread(self, target: Callable[..., None], args: tuple[Any, ...], **_: object) -> Any:
        """Return a thread."""
        return _Thread(self.world, lambda: target(*args))


class _Lock:
    def __init__(self, world: World) -> None:
        self.world, self.held = world, False

    def __enter__(self) -> None:
        if self.held:
            self.world.pause(0.0, lambda: not self.held)
        self.held = True

    def __exit__(self, *_: object) -> None:
        self.held = False


class _Event:
    def __init__(self, world: World) -> None:
        self.world, self.is_over = world, False

    def set(self) -> None:
        self.is_over = True

    def wait(self, seconds: float) -> bool:
        end = self.world.store.now + seconds
        self.world.pause(0.0, lambda: self.is_over or self.world.store.now >= end)
        return self.is_over


class _Thread:
    def __init__(self, world: World, function: Callable[[], None]) -> None:
        self.world, self.function = world, function

    def start(self) -> None:
        current = self.world._current
        assert current is not None
        self.task = self.world.spawn(self.function, current.machine)

    def join(self, _: float) -> None:
        self.world.pause(0.0, lambda: self.task.run.dead)
