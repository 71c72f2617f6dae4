"""Work on many pieces, whose results come in the order of the pieces.

It is done by threads of this machine, or by the tasks of an engine. For the latter, work and pieces
are made of what can be handed to another machine: functions and dataclasses of the package, with
numbers, text, arrays, frames, and paths of files to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeAlias, TypeVar

from basketwise.concurrency import side_by_side

Piece = TypeVar("Piece")

Result: TypeAlias = dict[str, Any]
"""Arrays of NumPy and frames of Polars by name."""


class Map(Protocol):
    """Does some work on each piece."""

    def __call__(
        self, work: Callable[[Piece], Result], pieces: Iterable[Piece], /
    ) -> Iterator[Result]:
        """Yield a result a piece, in the order of the pieces.

        Parameters
        ----------
        work : callable
            Gives the same result for a piece however often it is tried, and in any company.
        pieces : iterable
            Each may be large: they need not all be in memory at once.
        """


here: Map = side_by_side
"""Uses the cores of this machine."""
