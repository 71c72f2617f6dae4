"""The gate's memory: which approved version was the best of late.

Every version records its lead over what it was compared with, paired on the test set of that time.
Only what such a lead shows counts: the part of its interval beyond 0. So a version takes the place
of the best only if it was shown to be better, and small losses within the margin cannot make a
worse one the measure of what follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from basketwise.registry.protocol import ApprovalState, ModelVersion

LEAD_OVER = "lead_over"
"""The tag with the version that the lead is over."""

LEAD_LOW, LEAD_HIGH = "lead_low", "lead_high"
"""The metrics with the ends of its interval."""


def best_first(versions: Sequence[ModelVersion], memory: int) -> list[ModelVersion]:
    """Rank the approved versions of the memory, the best first.

    ``versions`` are a registry's, newest first; the memory are the ``memory`` newest that are
    approved. Of versions that nothing tells apart, the earliest is first.
    """
    approved = (version for version in versions if version.state is ApprovalState.APPROVED)
    remembered = list(islice(approved, memory))[::-1]
    position: dict[str, float] = {}
    for version in remembered:
        other = position.get(version.tags.get(LEAD_OVER, ""), 0.0)
        position[version.version] = other + _shown_lead(version)
    return sorted(remembered, key=lambda version: -position[version.version])


def _shown_lead(version: ModelVersion) -> float:
    low, high = (version.metrics.get(name, 0.0) for name in (LEAD_LOW, LEAD_HIGH))
    return max(low, 0.0) + min(high, 0.0)
