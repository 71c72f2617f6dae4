"""How far probabilities can be taken at their word."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


class Bin(TypedDict):
    """Test baskets whose likeliest class has a probability from ``low`` to ``high``.

    ``confidence`` is the mean of these probabilities, ``accuracy`` the share that is right; both
    ``None`` where there is no basket.
    """

    low: float
    high: float
    baskets: int
    confidence: float | None
    accuracy: float | None


class Reliability(TypedDict):
    """How reliable probabilities are on the test set; 0 is perfect.

    ``log_loss`` in nats, ``brier`` summed over the classes (0 to 2), ``ece`` the expected
    calibration error of the likeliest class's probability over ``bins``.
    """

    log_loss: float
    brier: float
    ece: float
    bins: list[Bin]


class Calibration(TypedDict):
    """The winner's probabilities as the algorithm gives them (``raw``) and as they are shipped.

    ``description`` says in words what was fitted, on how many out-of-fold predictions.
    """

    method: Literal["temperature", "isotonic", "none"]
    description: str
    raw: Reliability
    shipped: Reliability
