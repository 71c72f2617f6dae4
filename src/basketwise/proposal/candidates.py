"""Columns that may stand for one of ours, and those that were chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from basketwise.proposal.evidence import Column

Verdict = tuple[float, str]
"""How well values fit, from 0 (not at all) to 1, and what says so."""


@dataclass(frozen=True)
class Candidate:
    """A column that may stand for one of ours."""

    role: str
    column: Column
    score: float
    why: str


@dataclass
class Choice:
    """Columns by role.

    ``ties`` are columns between which neither names nor values decide; ``parts`` make up BASKET_ID
    where no column alone identifies a basket; ``levels`` are those of the hierarchy, finest first.
    """

    columns: dict[str, Candidate] = field(default_factory=dict)
    ties: dict[str, list[Candidate]] = field(default_factory=dict)
    parts: list[Column] = field(default_factory=list)
    levels: list[Candidate] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    basket: pl.Series | None = None

    def values(self, role: str) -> pl.Series | None:
        """Return the values of the column that was chosen."""
        return self.columns[role].column.values if role in self.columns else None

    @property
    def taken(self) -> set[str]:
        """The own names that are in use; a part of BASKET_ID may have a role of its own, too."""
        names = {candidate.column.name for candidate in self.columns.values()}
        return names | {level.column.name for level in self.levels}
