"""Kills a process in the midst of what it does to the disk."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from typing import Any


class Killer:
    """Kills this process at a step: before the first write (0), after it (1), and so on."""

    def __init__(self, step: int) -> None:
        self._left = step

    def watch(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            self._next()
            answer = write(*arguments, **options)
            self._next()
            return answer

        return watched

    def _next(self) -> None:
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def killed(step: int, writes: Iterable[tuple[Any, str]], work: Callable[[], object]) -> bool:
    """Do some work in a process that is killed at a step; False if it ended before.

    ``writes`` are the functions that count as steps: their owners and their names.
    """
    child = os.fork()
    if not child:
        code = 1
        try:
            killer = Killer(step)
            for owner, function in writes:
                setattr(owner, function, killer.watch(getattr(owner, function)))
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)
