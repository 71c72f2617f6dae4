"""The time of day, which may be wrong and may go backwards: nothing may depend on its order.

Durations are measured with ``time.perf_counter`` and ``time.monotonic``. What must be ordered, runs
and changes of versions, comes after what is there already, whatever the clock says.
"""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time in UTC, as this machine's clock has it.

    Examples
    --------
    >>> now().tzname()
    'UTC'
    """
    return datetime.now(UTC)
