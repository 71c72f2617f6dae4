"""Progress for people, on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console

Tick = Callable[[str, int, int], None]
"""Told (what is being done, units done, units in all)."""


class StageLog(Protocol):
    """What a stage tells while it runs."""

    def tick(self, what: str, done: int, total: int) -> None:
        """Tell how far a part of the stage is."""
        ...

    def finish(self, result: str) -> None:
        """Tell what the stage made, in a few words; shown with its time."""
        ...


class Reporter:
    """Shows stages on a console.

    Parameters
    ----------
    console : rich Console
        Where to; bars are drawn if it is a terminal.
    quiet : bool
        Whether nothing is shown at all.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console = console
        self.quiet = quiet

    @contextmanager
    def stage(self, name: str) -> Iterator[StageLog]:
        """Show one stage: its progress while it runs, one line with time and result after it."""
        started = time.perf_counter()
        log = _Log()
        if self.quiet:
            yield log
        elif self.console.is_terminal:
            with self._bar(name) as log:
                yield log
        else:
            yield log
        if not self.quiet:
            self._tell(name, time.perf_counter() - started, log.result)

    def say(self, line: str) -> None:
        """Show a line as it is, above a bar that is drawn."""
        if not self.quiet:
            self.console.print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def _tell(self, name: str, seconds: float, result: str) -> None:
        head = f"{name:<12}{seconds:>7.1f} s   "
        line = head + result
        if self.console.is_terminal:
            # In a file or a pipe one line stays one line; on a terminal words are kept whole.
            width = max(self.console.width, 2 * len(head))
            indent = " " * len(head)
            line = textwrap.fill(result, width, initial_indent=head, subsequent_indent=indent)
        self.console.print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)

    @contextmanager
    def _bar(self, name: str) -> Iterator[_Log]:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.fields[stage]:<12}", markup=False),
            BarColumn(bar_width=28),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            yield _Bar(progress.add_task("", total=None, stage=name), progress)


class _Log:
    """Keeps what a stage made; shows nothing on the way."""

    def __init__(self) -> None:
        self.result = ""

    def tick(self, what: str, done: int, total: int) -> None:
        """Ignore progress."""

    def finish(self, result: str) -> None:
        """Keep the result."""
        self.result = result


class _Bar(_Log):
    """Moves a bar."""

    def __init__(self, task: object, progress: object) -> None:
        super().__init__()
        self._task = task
        self._progress = progress

    def tick(self, what: str, done: int, total: int) -> None:
        """Move the bar."""
        update = getattr(self._progress, "update")  # noqa: B009 - rich is imported only when used
        update(self._task, description=f"{what} {done}/{total}", completed=done, total=total)
