"""Basketwise: from raw till lines to an approved model of each basket's price sensitivity.

>>> import basketwise as bw
>>> run = bw.train(bw.sample(baskets=3_000), workspace="ws", split="customer")
>>> model = bw.load("ws")
>>> scores = model.predict(bw.sample(baskets=100, seed=7))

Everything is imported when it is first used: ``import basketwise`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from basketwise.api.loading import load, sample
    from basketwise.api.training import train
    from basketwise.api.training_run import TrainingRun
    from basketwise.config import Config
    from basketwise.errors import (
        BasketwiseError,
        ConfigError,
        DependencyError,
        InputError,
        WorkspaceError,
    )
    from basketwise.estimators.product_index import ProductIndex
    from basketwise.etl.lines.accepting import clean_table as clean
    from basketwise.model.scoring import Model

__version__ = "0.1.0"

_EXPORTS = {
    "train": ("basketwise.api.training", "train"),
    "load": ("basketwise.api.loading", "load"),
    "sample": ("basketwise.api.loading", "sample"),
    "clean": ("basketwise.etl.lines.accepting", "clean_table"),
    "Model": ("basketwise.model.scoring", "Model"),
    "TrainingRun": ("basketwise.api.training_run", "TrainingRun"),
    "ProductIndex": ("basketwise.estimators.product_index", "ProductIndex"),
    "Config": ("basketwise.config", "Config"),
    "BasketwiseError": ("basketwise.errors", "BasketwiseError"),
    "InputError": ("basketwise.errors", "InputError"),
    "ConfigError": ("basketwise.errors", "ConfigError"),
    "WorkspaceError": ("basketwise.errors", "WorkspaceError"),
    "DependencyError": ("basketwise.errors", "DependencyError"),
}
"""Module and name of what the package offers; the rest is its own affair and may change."""

__all__ = [  # noqa: RUF022 - in the order in which people meet them
    "train",
    "load",
    "sample",
    "clean",
    "Model",
    "TrainingRun",
    "ProductIndex",
    "Config",
    "BasketwiseError",
    "InputError",
    "ConfigError",
    "WorkspaceError",
    "DependencyError",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, original = _EXPORTS[name]
    value = getattr(import_module(module), original)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted([*__all__, "__version__"])
