"""Heavy libraries, loaded by one thread at a time.

Two threads that load parts of a library at once can meet modules that are half loaded: where each
waits for what the other has begun, Python lets one of them go on. So a library that a thread loads
ahead, while others work, is loaded under one lock wherever it is needed first.
"""

from __future__ import annotations

import os
import threading
from importlib import import_module

LOADING = threading.RLock()
"""Held while a heavy library is loaded."""

LEARNING = (
    "sklearn.ensemble",
    "sklearn.isotonic",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "sklearn.tree",
    "skops.io",
    "xgboost",
)
"""What training needs."""

DRAWING = (
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "matplotlib.font_manager",
    "matplotlib.layout_engine",
    "matplotlib.legend",
)
"""What the pictures need."""

WAITING = "OMP_WAIT_POLICY"
"""Variable that OpenMP, whose threads XGBoost works in, reads when it is loaded."""


def wait_passively() -> None:
    """Let threads of OpenMP sleep while they wait for one another, if not told otherwise.

    They would look again and again otherwise, and take a core from whatever else is running.
    scikit-learn and XGBoost must not have been imported yet. The environment has the last word.
    """
    os.environ.setdefault(WAITING, "PASSIVE")


def load(*names: str) -> None:
    """Load modules, one after the other, if they are not loaded."""
    for name in names:
        with LOADING:
            import_module(name)
