"""What is known of the champion and of earlier versions, asked once per evaluation, handed on."""

from __future__ import annotations

from dataclasses import dataclass

from basketwise.arrays import Labels


@dataclass(frozen=True)
class NotSeen:
    """The evaluation has no access to the registry: whether there is a champion is not known."""


@dataclass(frozen=True)
class NoChampion:
    """No version is approved at present."""


@dataclass(frozen=True)
class NotScored:
    """The champion cannot score the challenger's test baskets; ``why`` is half a sentence.

    ``broken``: nor any others, since its archive cannot be fetched or opened.
    """

    version: str
    why: str
    broken: bool = False


@dataclass(frozen=True, eq=False)
class Scored:
    """The champion, and the classes it predicts for the test baskets, in the gold file's order."""

    version: str
    predicted: Labels


Champion = NotSeen | NoChampion | NotScored | Scored


@dataclass(frozen=True, eq=False)
class Earlier:
    """What a challenger is compared with, and what its test baskets have been used for.

    ``best`` is the best version of the gate's memory that can be scored, None if that is the
    champion or there is none; ``lost`` are better ones that cannot. ``looks`` counts the
    evaluations on the same test baskets so far, None if not known.
    """

    champion: Champion
    best: Scored | None = None
    lost: tuple[NotScored, ...] = ()
    looks: int | None = None
