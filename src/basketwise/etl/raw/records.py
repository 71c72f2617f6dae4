"""Records of a CSV's text, and why some of them are refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TOO_MANY, TOO_FEW = "too_many_fields", "too_few_fields"
UNCLOSED, STRAY, BREAK = "unclosed_quote", "text_after_quote", "line_break_in_field"
MALFORMED = (TOO_MANY, TOO_FEW, UNCLOSED, STRAY, BREAK)
"""Why a record cannot be parsed, in the words of rejection reasons."""


class Malformed(NamedTuple):
    """A record that is refused: number of its line, reason, and its fields where they count."""

    line: int
    reason: str
    fields: int = 0


@dataclass
class Records:
    """The records of some text.

    Attributes
    ----------
    text
        The well-formed records, each ended by a line feed; before them, up to ``start``, whole
        lines that are none.
    lines
        Number of the line of each of them, the text's first being 0; None where they are
        0, 1, 2, … without a gap.
    count
        How many well-formed records there are.
    malformed
        The records that are refused.
    height
        How many lines the text has that were looked at.
    pending
        The end of the text, from a record on that more text may complete.
    blanks
        Whether a value may have blanks around it.
    start
        Where in ``text`` the records start.
    """

    text: bytes
    lines: NDArray[np.int64] | None
    count: int
    malformed: list[Malformed] = field(default_factory=list)
    height: int = 0
    pending: bytes = b""
    blanks: bool = True
    start: int = 0
