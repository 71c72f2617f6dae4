"""What a retailer's labels mean: how sensitive to prices the shoppers of a basket are."""

from __future__ import annotations

from collections.abc import Iterable

from basketwise.proposal.names import folded
from basketwise.schema import DEFAULT_LABELS, UNCLASSIFIED

_MEANINGS: dict[str, str] = {
    "High": """high pricesensitive highlysensitive verysensitive sensitive budget value economy
        discount saver basic lessaffluent lowincome bargain priceconscious
        hoch preissensibel preisbewusst guenstig gunstig preiswert
        sparpreis billig
        eleve haute fort forte economique
        alto alta sensible economico economica
        hoog prijsbewust wysoka""",
    "Medium": """medium mid middle standard mainstream midmarket average moderate core regular
        mittel mittelmass normal
        moyen moyenne moderee
        medio media medie
        midden gemiddeld gemiddelde srednia""",
    "Low": """low insensitive priceinsensitive notsensitive premium upmarket luxury finest quality
        affluent gourmet organicpremium
        niedrig gering gehoben preisunsensibel
        faible bas basse
        bajo baja basso bassa baixo baixa
        laag niska""",
    UNCLASSIFIED: """unclassified unknown none other others notclassified na nolabel undefined
        unbekannt keine sonstige
        inconnu inconnue desconocido desconocida sconosciuto sconosciuta onbekend nieznana""",
}
_BY_NAME = {
    folded(name): meaning for meaning, names in _MEANINGS.items() for name in names.split()
} | {name.casefold(): meaning for name, meaning in DEFAULT_LABELS.items()}

AFFLUENCE = ("afflu", "income", "einkommen", "revenu", "ingres", "reddito", "wealth", "kaufkraft")
"""In a column's name: high values are probably those of shoppers who mind prices least."""


def meaning(label: str) -> str | None:
    """Return the class that a label stands for; None where its name does not tell.

    Examples
    --------
    >>> meaning("Budget"), meaning("UM"), meaning("A")
    ('High', 'Low', None)
    """
    return _BY_NAME.get(folded(label))


def known_share(labels: Iterable[str]) -> float:
    """Return the share of some labels whose meaning is known."""
    known = [meaning(label) is not None for label in labels]
    return sum(known) / len(known) if known else 0.0


def is_reversed(column: str) -> bool:
    """Whether a column's name speaks of wealth rather than of prices."""
    return any(word in folded(column) for word in AFFLUENCE)
