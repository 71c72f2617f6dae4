"""What a proposal consists of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Match:
    """A column of the retailer that stands for one of ours; ``why`` says what speaks for it.

    Several own columns make up BASKET_ID together.
    """

    own: tuple[str, ...]
    ours: str
    examples: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Question:
    """What the data do not tell; ``choices`` are settings, one of which answers it.

    Attributes
    ----------
    section
        The table of the settings file that the answer belongs to.
    text
        What is unknown, and how to find out.
    choices
        Lines of TOML, to be uncommented or filled in.
    """

    section: str
    text: str
    choices: tuple[str, ...]


@dataclass
class Proposal:
    """Settings for some raw files, and what they rest on.

    Attributes
    ----------
    data
        Path of the files, as given.
    scope
        Which lines were looked at.
    matches
        The columns that are used.
    settings
        Values by section and key, such as ``{"data": {"date": "InvoiceDate"}}``.
    reasons
        Why each setting was chosen, by ``section.key``.
    missing
        Required columns that nothing stands for, each with what it would contain.
    questions
        What only the retailer knows.
    notes
        What else was noticed.
    unused
        Columns that are not read.
    lines, rejected
        How many lines were tried with these settings, and how many of them were rejected, by
        reason.
    """

    data: str
    scope: str
    matches: list[Match] = field(default_factory=list)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    lines: int = 0
    rejected: dict[str, int] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether a model can be trained with these settings as they are."""
        return not self.missing and not self.questions

    def set(self, section: str, key: str, value: Any, why: str) -> None:
        """Add a setting."""
        self.settings.setdefault(section, {})[key] = value
        self.reasons[f"{section}.{key}"] = why
