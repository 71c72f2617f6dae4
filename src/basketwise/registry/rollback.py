"""Going back to the version that led before."""

from __future__ import annotations

from basketwise.errors import InputError
from basketwise.registry.protocol import ApprovalState, ModelVersion, Registry


def rollback(registry: Registry, *, who: str, why: str) -> tuple[ModelVersion, ModelVersion]:
    """Reject the champion, so that the version approved before it leads again.

    Returns
    -------
    tuple of ModelVersion
        The version that was rejected (its history says ``rolled back: <why>``), and the one that
        leads now.

    Raises
    ------
    InputError
        If no version leads, or no other version is approved; nothing is changed then.
    """
    versions = registry.versions()
    champion = next((version for version in versions if version.champion), None)
    if champion is None:
        raise InputError(
            "There is nothing to roll back: no version is approved.",
            "Approve a version first: basketwise models approve VERSION",
        )
    if not any(v.state is ApprovalState.APPROVED and not v.champion for v in versions):
        raise InputError(
            f"Version {champion.version} cannot be rolled back: no other version is approved.",
            "Approve an earlier version first, or reject this one to be left without a champion: "
            f"basketwise models reject {champion.version}",
        )
    rejected = registry.set_state(
        champion.version, ApprovalState.REJECTED, who=who, why=f"rolled back: {why}"
    )
    successor = registry.champion()
    if successor is None:
        raise InputError(
            f"Version {champion.version} was rolled back, but nothing leads now: the other "
            "approved versions were rejected at the same moment.",
            "See who did it with: basketwise models history",
        )
    return rejected, successor
