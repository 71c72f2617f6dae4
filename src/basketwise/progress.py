"""Progress for people, on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from basketwise.redaction import redacted
from basketwise.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

BAR_FROM = 70
"""Columns from which a bar leaves room for the words beside it."""

Tick = Callable[[str, int, int], None]
"""Called with (what is being done, units done, units in total)."""


def silent(what: str, done: int, total: int) -> None:
    """Show nothing, as a :data:`Tick`."""


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
        # A dumb terminal cannot take a bar away again, and would show a blank line instead.
        if self.console.is_terminal and not self.console.is_dumb_terminal and not self.quiet:
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
            line = printable(redacted(line))
            self.console.print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def _tell(self, name: str, seconds: float, result: str) -> None:
        head, result = f"{name:<12}{seconds:>7.1f} s   ", printable(redacted(result))
        line = head + result
        if self.console.is_terminal:
            # In a file or a pipe one line stays one line; on a terminal words are kept whole.
            width, indent = self._width(), " " * len(head)
            if width < 2 * len(head):
                # No room beside the time.
                head, indent = f"{head.rstrip()}\n    ", "    "
            parts = textwrap.wrap(
                result, max(width - len(indent), 1), break_long_words=False, break_on_hyphens=False
            )
            line = head + f"\n{indent}".join(parts)
        self.console.print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def _width(self) -> int:
        if self.console.is_dumb_terminal:
            # Rich takes every dumb terminal for one of 80 columns.
            return shutil.get_terminal_size((80, 25)).columns
        return self.console.width

    @contextmanager
    def _bar(self, name: str) -> Iterator[StageLog]:
        from rich.progress import (
            BarColumn,
            Progress,
            ProgressColumn,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.table import Column

        whole = Column(no_wrap=True, overflow="ellipsis")
        bar = (BarColumn(bar_width=28),) if self.console.width >= BAR_FROM else ()
        columns: tuple[ProgressColumn, ...] = (
            TextColumn("{task.fields[stage]:<12}", markup=False, table_column=whole),
            *bar,
            TextColumn("{task.description}", markup=False, table_column=whole.copy()),
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
        text = f"{printable(redacted(what))} {done}/{total}"
        self._progress.update(self._task, description=text, completed=done, total=total)
