"""A workspace with runs and versions, made without a training."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from basketwise.cleanup.leftovers import Cleaned
from basketwise.cleanup.local import Limits, Listing, list_leftovers, remove_leftovers
from basketwise.config import Config, RegistryConfig
from basketwise.digests import sha256
from basketwise.registry.mlflow.registry import MlflowRegistry
from basketwise.registry.opening import open_registry
from basketwise.registry.protocol import ApprovalState, Submission
from basketwise.run.workspace import Workspace
from basketwise.storage.local import LocalStorage

RUN_FILES = ("manifest.json", "report.html", "model.tar.gz", "confusion_matrix_xgboost.png")


def named(day: int) -> str:
    """Return the name of a run of a day in January 2026."""
    return f"run-202601{day:02}-120000"


@dataclass(frozen=True)
class Scene:
    """A workspace in a folder, looked at 40 days after everything in it was written."""

    folder: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace(LocalStorage(self.folder))

    def registry(self, group: str = "") -> MlflowRegistry:
        config = RegistryConfig(group=group) if group else RegistryConfig()
        registry = open_registry(config, self.folder / "registry")
        assert isinstance(registry, MlflowRegistry)
        return registry

    def put(self, *keys: str) -> None:
        """Write files that contain their own names."""
        for key in keys:
            path = self.folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(path.name)

    def run(self, name: str, uri: str = "") -> None:
        """Write what a run leaves."""
        self.put(*(f"artifacts/{name}/{file}" for file in RUN_FILES))
        manifest = self.folder / "artifacts" / name / "manifest.json"
        manifest.write_text(json.dumps({"config": {"registry": {"uri": uri}}}))

    def register(self, run: str, state: ApprovalState, group: str = "") -> str:
        """Register the model of a run; return the version's number."""
        registry, archive = self.registry(group), self.folder / "artifacts" / run / "model.tar.gz"
        submission = Submission(run, archive, sha256(archive), "a model", {}, {})
        version = registry.register(submission, who="gate").version
        registry.set_state(version, state, who="ann", why="so")
        return version

    def limits(self, *, older_than: int = 30, runs: int = 1, days: float = 40) -> Limits:
        now = datetime.now(UTC) + timedelta(days=days)
        return Limits(now, timedelta(days=older_than), runs)

    def listing(self, limits: Limits | None = None, config: Config | None = None) -> Listing:
        return list_leftovers(self.workspace, config or Config(), limits or self.limits())

    def names(self, limits: Limits | None = None) -> list[str]:
        return [leftover.name for leftover in self.listing(limits).leftovers]

    def clean(self, config: Config | None = None) -> Cleaned:
        """Remove everything that is listed."""
        limits, config = self.limits(), config or Config()
        agreed = self.listing(limits, config).leftovers
        return remove_leftovers(self.workspace, config, limits, agreed, lambda _: None)

    def files(self) -> list[str]:
        """Return all files of the workspace but its lock, sorted."""
        return sorted(
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if not path.is_dir() and path.name != ".lock"
        )

    def age(self, key: str, days: float) -> None:
        """Let a file look as if it was written days ago, or after the others if negative."""
        moment = (datetime.now(UTC) - timedelta(days=days)).timestamp()
        os.utime(self.folder / key, (moment, moment))
