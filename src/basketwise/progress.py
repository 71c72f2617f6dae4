"""Progress for people, on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

Tick = Callable[[str, int, int], None]
"""Called with (what is being done, units done, units in total)."""


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> counted(1, "file"), counted(1200, "line")
    ('1 file', '1,200 lines')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class StageLog:
    """What a running stage reports; progress is shown by :class:`_Bar` only."""

    result = ""

    def tick(self, what: str, done: int, total: int) -> None:
        """Report how far a task of the stage has come."""

    def finish(self, result: str) -> None:
        """Report the result of the stage in a few words; shown with its time."""
        self.result = result


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
        if self.console.is_terminal and not self.quiet:
            with self._bar(name) as log:
                yield log
        else:
            log = StageLog()
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
    def _bar(self, name: str) -> Iterator[StageLog]:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.fields[stage]:<12}", markup=False),
            BarColumn(bar_width=28),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            yield _Bar(progress.add_task("", total=None, stage=name), progress)


class _Bar(StageLog):
    """Moves a bar."""

    def __init__(self, task: TaskID, progress: Progress) -> None:
        self._task, self._progress = task, progress

    def tick(self, what: str, done: int, total: int) -> None:
        """Move the bar."""
        text = f"{what} {done}/{total}"
        self._progress.update(self._task, description=text, completed=done, total=total)
