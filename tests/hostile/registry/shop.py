"""A workspace with versions of a real model, made without a training."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from basketwise.config import DeploymentConfig, RegistryConfig
from basketwise.digests import sha256
from basketwise.files import DEPLOYMENT_CONFIGS
from basketwise.registry.approval import PENDING_EXPORT, Approvals
from basketwise.registry.deployment import LATEST
from basketwise.registry.mlflow.registry import MlflowRegistry
from basketwise.registry.opening import open_registry
from basketwise.registry.protocol import Submission
from basketwise.storage.local import LocalStorage
from tests.artifact.test_frozen import FROZEN
from tests.cli.calling import Outcome, call

LINES = FROZEN / "lines.csv.gz"


@dataclass(frozen=True)
class Shop:
    """A workspace in a folder."""

    folder: Path

    @property
    def registry(self) -> MlflowRegistry:
        registry = open_registry(RegistryConfig(), self.folder / "registry")
        assert isinstance(registry, MlflowRegistry)
        return registry

    @property
    def approvals(self) -> Approvals:
        return Approvals(self.registry, LocalStorage(self.folder), DeploymentConfig())

    @property
    def champion(self) -> str | None:
        champion = self.registry.champion()
        return champion.version if champion else None

    @property
    def states(self) -> str:
        """The first letter of each version's state, the oldest version first."""
        return "".join(version.state[0] for version in reversed(self.registry.versions()))

    @property
    def latest(self) -> str | None:
        """The version that ``latest_model_config.json`` names."""
        file = self.folder / DEPLOYMENT_CONFIGS / LATEST
        if not file.exists():
            return None
        return str(json.loads(file.read_bytes())["metadata"]["model_version"])

    @property
    def is_settled(self) -> bool:
        """Whether registry and export agree, and nothing is left to be finished."""
        return self.latest == self.champion and not (self.folder / PENDING_EXPORT).exists()

    def archive(self, version: str) -> Path:
        return Path(self.registry.get(version).model_data_url)

    def call(self, *arguments: str | Path) -> Outcome:
        return call(*arguments, "--workspace", self.folder)

    def copied(self, folder: Path) -> Shop:
        return Shop(Path(shutil.copytree(self.folder, folder)))


def build(folder: Path, versions: int) -> Shop:
    """Register versions of one model, all approved, so that the last one is the champion."""
    shop, archive = Shop(folder), FROZEN / "model-format-1.tar.gz"
    tags = {"data_source": str(LINES), "model_name": "decision_tree"}
    for number in range(1, versions + 1):
        given = Submission(f"run-{number}", archive, sha256(archive), "a model", {}, {}, tags)
        version = shop.registry.register(given, who="gate").version
        shop.approvals.approve(version, who="ann", why="good")
    return shop


def commands(text: str) -> list[list[str]]:
    """Return the arguments of every command that a message names."""
    named = re.findall(r"(?<=')basketwise [^'\n]+(?=')|(?<=: )basketwise [^\n]+$", text, re.M)
    return [shlex.split(line)[1:] for line in named]
