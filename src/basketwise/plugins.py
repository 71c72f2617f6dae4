"""Everything that is imported by its name, and only when it is chosen.

An entry is ``module:attribute``. No other module outside of ``basketwise.aws`` names that package,
or boto3, and none outside of ``basketwise.engines.spark`` names pyspark: a run on one machine
imports none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

STORAGES = {"s3": "basketwise.aws.storage.opening:open_storage"}
"""Opens a workspace, by the scheme of its address."""

DOWNLOADS = {"s3": "basketwise.aws.storage.opening:local_copy"}
"""Copies raw files to this machine, by the scheme of their address."""

REGISTRIES = {"sagemaker": "basketwise.aws.registry.registry:open_registry"}
"""Opens a registry, by ``registry.uri``."""

CHECKS = {"s3": "basketwise.aws.checks.examine:examine"}
"""Checks what a run needs, by the scheme of the workspace's address."""

ENGINES = {"spark": "basketwise.engines.spark.batch:predict"}
"""Scores files, by ``--engine``; without one, that is done on this machine."""

PLATFORMS = {"spark": "basketwise.engines.spark.platform:spark_platform"}
"""Runs ETL, by ``--engine``; without one, that is done on this machine."""

TABLES = {"spark": "basketwise.engines.spark.warehouse:open_warehouse"}
"""Writes silver and gold as tables, by ``--engine``."""

FRAME_PLATFORMS = {"spark": "basketwise.engines.spark.platform:frame_platform"}
"""Runs ETL on the lines of a frame, by the library that the frame is of."""

EXCHANGES = {"s3": "basketwise.aws.exchange:BucketExchange"}
"""Hands over files between an engine's tasks and their driver, by the scheme of an address."""

FRAMES = {"spark": "basketwise.engines.spark.scoring:predict"}
"""Scores the lines of a frame, by the library that the frame is of, where that is an engine."""

TARGETS = {
    "docker": ("basketwise.deploy.docker:docker_files", "docker build --tag {name}:{tag} {out}"),
    "compose": (
        "basketwise.deploy.compose:compose_files",
        "docker compose --project-directory {out} up --detach --wait",
    ),
    "kubernetes": ("basketwise.deploy.kubernetes:manifests", "kubectl apply --kustomize {out}"),
    "sagemaker": ("basketwise.aws.rendering:endpoint_files", "sh {out}/deploy.sh"),
    "github": ("basketwise.deploy.github:workflow_files", "cp -r {out}/.github ."),
}
"""Renders what deploys a model, and the command that uses it, by the name of the target."""

COMMANDS = {
    "sample": ("basketwise.cli.setup:sample", "Write synthetic till lines for a first try."),
    "init": (
        "basketwise.cli.init:init",
        "Write a basketwise.toml, for your own files with --data.",
    ),
    "doctor": (
        "basketwise.cli.doctor:doctor",
        "Check config, data, workspace, registry, disk, memory, AWS.",
    ),
    "run": ("basketwise.cli.run:run", "Run all stages: raw files to an approved, exported model."),
    "etl": ("basketwise.cli.run:etl", "Clean raw files and compute features."),
    "train": ("basketwise.cli.run:train", "Train the candidates."),
    "evaluate": (
        "basketwise.cli.run:evaluate",
        "Evaluate a training run: scores, verdict, report.",
    ),
    "register": (
        "basketwise.cli.run:register",
        "Register the model of an evaluated run.",
    ),
    "export": ("basketwise.cli.run:export", "Write a version's deployment configuration."),
    "models": ("basketwise.cli.models:models", "List, show, approve, reject, roll back versions."),
    "predict": ("basketwise.cli.predict:predict", "Score the baskets of raw files."),
    "serve": ("basketwise.cli.serve:serve", "Answer requests over HTTP with the approved model."),
    "deploy": (
        "basketwise.cli.deploy:deploy",
        "Render files that put the approved version into production.",
    ),
    "reproduce": (
        "basketwise.cli.reproduce:reproduce",
        "Reproduce a run and show what differs.",
    ),
    "clean": (
        "basketwise.cli.clean:clean",
        "Remove old runs, checkpoints and other leftovers.",
    ),
    "aws": ("basketwise.aws.cli:aws", "Provision, run and clean up on Amazon SageMaker."),
}
"""The commands with their help texts, in the order of a typical project."""

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
