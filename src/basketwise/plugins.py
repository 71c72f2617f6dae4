"""Everything that is imported by its name, and only when it is chosen.

An entry is ``module:attribute``. No other module outside of ``basketwise.aws`` names that package,
or boto3: a run on one machine imports neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

STORAGES = {"s3": "basketwise.aws.storage.opening:open_storage"}
"""Opens a workspace, by the scheme of its address."""

DOWNLOADS = {"s3": "basketwise.aws.storage.opening:local_copy"}
"""Copies raw files to this machine, by the scheme of their address."""

REGISTRIES = {"sagemaker": "basketwise.aws.registry.opening:open_registry"}
"""Opens a registry, by ``registry.uri``."""

CHECKS = {"s3": "basketwise.aws.checks.examine:examine"}
"""Checks what a run needs, by the scheme of the workspace's address."""

COMMANDS = {
    "sample": "basketwise.cli.setup:sample",
    "init": "basketwise.cli.setup:init",
    "doctor": "basketwise.cli.doctor:doctor",
    "run": "basketwise.cli.run:run",
    "etl": "basketwise.cli.stages:etl",
    "train": "basketwise.cli.stages:train",
    "evaluate": "basketwise.cli.stages:evaluate",
    "register": "basketwise.cli.stages:register",
    "export": "basketwise.cli.stages:export",
    "models": "basketwise.cli.models:models",
    "predict": "basketwise.cli.predict:predict",
    "reproduce": "basketwise.cli.reproduce:reproduce",
    "aws": "basketwise.aws.cli:aws",
}
"""The commands, in the order of a project's life."""

HANDLERS = "basketwise.aws.container.inference"
"""The module whose functions AWS's scikit-learn image calls to serve a model."""


def load(entry: str) -> Any:
    """Import what an entry names.

    Examples
    --------
    >>> load("basketwise.errors:InputError").exit_code
    2
    """
    module, _, attribute = entry.partition(":")
    return getattr(import_module(module), attribute)
