"""A run that is killed at any moment: the next one succeeds, with the same model."""

from __future__ import annotations

import random
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from basketwise.digests import sha256
from tests.cli.calling import SMALL, called, clean_environment
from tests.cli.till import delivered, delivery
from tests.hostile.filesystem.faulty import rest
from tests.hostile.registry.shop import Shop
from tests.hostile.scale import tried
from tests.warm import WarmProcess

pytestmark = pytest.mark.skipif(tried(0, 1) == 0, reason="make hostile")


@dataclass(frozen=True)
class Undisturbed:
    """What a run makes that nobody disturbs, and how long a process takes for it."""

    raw: Path
    digest: str
    data: dict[str, str]
    seconds: float


def data_of(workspace: Path) -> dict[str, str]:
    """Return the digests of silver and gold, without what carries a time."""
    files = [*workspace.glob("silver/**/*.parquet"), *workspace.glob("gold/**/*.parquet")]
    return {path.relative_to(workspace).as_posix(): sha256(path) for path in sorted(files)}


def digest_of(workspace: Path) -> str:
    (version,) = Shop(workspace).registry.versions()
    return version.model_digest


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    root = tmp_path_factory.mktemp("undisturbed")
    raw = delivered(root / "raw", delivery())
    began = time.monotonic()
    assert started(raw, root / "w", root).wait(200) == 0
    seconds = time.monotonic() - began
    return Undisturbed(raw, digest_of(root / "w"), data_of(root / "w"), seconds)


def started(raw: Path, workspace: Path, temporary: Path) -> WarmProcess:
    """Start a run in a process of its own."""
    log = workspace.with_suffix(f".{uuid4().hex}")
    return WarmProcess(
        "basketwise",
        ["run", str(raw), "--workspace", str(workspace), *SMALL],
        environment=clean_environment() | {"TMPDIR": str(temporary)},
        cwd=workspace.parent,
        stdout=log,
        stderr=log,
    )


@pytest.mark.parametrize("seed", range(32))
def test_a_run_that_is_killed(
    undisturbed: Undisturbed, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, temporary = tmp_path / "w", tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    process = started(undisturbed.raw, workspace, temporary)
    with suppress(subprocess.TimeoutExpired):
        process.wait(random.Random(seed).uniform(0.2, 1.0) * undisturbed.seconds)
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait(60)
    outcome = called("run", undisturbed.raw, "--workspace", workspace, *SMALL, "--json")
    assert digest_of(workspace) == undisturbed.digest
    assert data_of(workspace) == undisturbed.data
    assert Shop(workspace).is_settled
    assert [path.name for path in workspace.glob("artifacts/*")] == [outcome.json["run_id"]]
    assert list(temporary.iterdir()) == []
    assert not list(rest(workspace))
    for name in (".staging", ".interrupted", "checkpoints"):
        assert not (workspace / name).exists(), name


@pytest.mark.parametrize("round_number", range(3))
def test_runs_at_the_same_time(undisturbed: Undisturbed, tmp_path: Path, round_number: int) -> None:
    workspace = tmp_path / f"w{round_number}"
    processes = [started(undisturbed.raw, workspace, tmp_path) for _ in range(4)]
    ended = [(process.wait(200), process.communicate()[0]) for process in processes]
    assert {code for code, _ in ended} <= {0, 2}
    assert 0 in {code for code, _ in ended}
    assert all("Another run" in text for code, text in ended if code), ended
    assert digest_of(workspace) == undisturbed.digest
