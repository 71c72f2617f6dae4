"""What a server imports until it is ready: nothing that only training needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from basketwise.config import Config
from basketwise.digests import sha256
from basketwise.registry.opening import registry_of
from basketwise.registry.protocol import ApprovalState, Submission
from basketwise.storage.local import LocalStorage
from tests.etl.running import Run
from tests.evaluation.running import Evaluated, tree_archive

HEAVY = {"mlflow", "matplotlib", "sklearn", "scipy", "xgboost", "pandas", "pyarrow", "sqlalchemy"}

SCRIPT = """
import asyncio, json, os, sys
from basketwise.cli import main
from basketwise.serving.http.server import Server

def ready(server, sock, started=None):
    assert asyncio.run(server.service.health.is_healthy())
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), flush=True)
    os._exit(0)

Server.serve_on = ready
main()
"""


@pytest.fixture(scope="module")
def workspace(
    evaluated: Evaluated, sample_run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A workspace whose registry has one version, a decision tree, approved."""
    folder = tmp_path_factory.mktemp("served")
    archive = tree_archive(evaluated, sample_run.gold, folder)
    registry = registry_of(Config(), LocalStorage(folder / "ws"))
    submission = Submission("run", archive, sha256(archive), "", {}, {})
    version = registry.register(submission, who="test").version
    registry.set_state(version, ApprovalState.APPROVED, who="test", why="")
    return folder / "ws"


def test_the_champion_is_ready_without_a_library_of_training(workspace: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "serve", "--port", "0", "--workspace", str(workspace)],
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert HEAVY & set(json.loads(done.stdout)) == set()
