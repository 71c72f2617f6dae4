"""An approved version of a small decision tree, and what a deployment knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from basketwise.config import Config
from basketwise.deploy import approved
from basketwise.deploy.approved import ApprovedModel, approved_model
from basketwise.digests import sha256
from basketwise.registry.approval import Approvals
from basketwise.registry.protocol import ApprovalState, Submission
from basketwise.storage.local import LocalStorage
from tests.etl.running import Run
from tests.evaluation.running import Evaluated, tree_archive
from tests.fakes.registry import MemoryRegistry


@dataclass(frozen=True)
class Shop:
    """A workspace whose registry is in memory; version 1 is the exported champion."""

    storage: LocalStorage
    registry: MemoryRegistry
    archive: Path
    config: Config

    def register(self) -> str:
        submission = Submission(
            "run", self.archive, sha256(self.archive), "", {}, {}, {"model_name": "decision_tree"}
        )
        return self.registry.register(submission, who="test").version

    def approve(self, version: str) -> None:
        approvals = Approvals(self.registry, self.storage, self.config.deployment)
        approvals.approve(version, who="test", why="good")

    def set_state(self, version: str, state: ApprovalState) -> None:
        """Change the registry alone, as somebody else may."""
        self.registry.set_state(version, state, who="somebody", why="elsewhere")

    def approved(self, folder: Path) -> ApprovedModel:
        return approved_model(self.config, self.storage, folder)


@pytest.fixture(scope="session")
def tree(evaluated: Evaluated, sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of a decision tree alone."""
    return tree_archive(evaluated, sample_run.gold, tmp_path_factory.mktemp("deployed"))


@pytest.fixture
def shop(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop(LocalStorage(tmp_path / "ws"), MemoryRegistry(), tree, Config())
    monkeypatch.setattr(approved, "existing_registry", lambda *_: made.registry)
    made.approve(made.register())
    return made


@pytest.fixture(scope="session")
def model(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> ApprovedModel:
    """Version 1, approved; not to be changed."""
    root = tmp_path_factory.mktemp("approved")
    made = Shop(LocalStorage(root / "ws"), MemoryRegistry(), tree, Config())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(approved, "existing_registry", lambda *_: made.registry)
        made.approve(made.register())
        return made.approved(root)
