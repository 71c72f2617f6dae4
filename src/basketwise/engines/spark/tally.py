"""What is counted of raw lines when each is cleaned: in a task, and added up by the driver."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from basketwise.engines.spark.reading import Piece
from basketwise.etl.lines.cleaned import Cleaned
from basketwise.etl.lines.cleaning import clean
from basketwise.etl.lines.repeats import duplicates_policy, only_pieces
from basketwise.etl.lines.rules import Rules
from basketwise.schema import BASKET_ID


def shown(source: str) -> str:
    """Return the name of a table as people know it: a reader puts the file's number before it."""
    return source.partition("/")[2] or source


def cleaned(piece: Piece, rules: Rules) -> Cleaned:
    """Clean the lines of a piece one by one."""
    raw = piece.raw
    return clean(
        raw.frame,
        rules,
        source=shown(piece.source),
        rows=raw.rows,
        malformed=raw.malformed,
        blanks=raw.blanks,
    )


@dataclass
class Tally:
    """Counts of some lines, and what these decide of all.

    Attributes
    ----------
    lines
        Number of lines read.
    rejected
        Lines that are refused for themselves, by reason.
    pieces
        Whether every QUANTITY is 1, so that equal lines are pieces.
    whole_ids
        Whether every accepted line's BASKET_ID is a whole number.
    """

    lines: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    pieces: bool = True
    whole_ids: bool = True

    def take(self, piece: Piece, done: Cleaned) -> None:
        """Count a piece that was cleaned."""
        self.lines += piece.raw.records
        self.rejected.update(done.reasons)
        self.pieces &= only_pieces(done.lines)
        self.whole_ids &= done.lines.schema[BASKET_ID] == pl.Int64

    def add(self, document: dict[str, Any]) -> None:
        """Add what :meth:`document` told of other lines."""
        self.lines += document["lines"]
        self.rejected.update(document["rejected"])
        self.pieces &= document["pieces"]
        self.whole_ids &= document["whole_ids"]

    def document(self) -> dict[str, Any]:
        """Return it as what JSON has."""
        return dict(vars(self))

    def settled(self, rules: Rules) -> Rules:
        """Settle what becomes of repeated lines, which all lines decide."""
        policy = duplicates_policy(rules, pieces=self.pieces)
        return rules.model_copy(update={"duplicates": policy})
