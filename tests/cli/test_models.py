"""``models …``: what it says, what it leaves alone, and what it need not import."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from basketwise.config import RegistryConfig
from basketwise.digests import sha256
from basketwise.registry.opening import open_registry
from basketwise.registry.protocol import ApprovalState, Submission
from tests.cli.calling import call, called


def test_without_versions_it_names_the_command_for_this_workspace(tmp_path: Path) -> None:
    workspace, config = tmp_path / "my ws", tmp_path / "own.toml"
    (workspace / "gold").mkdir(parents=True)
    config.touch()
    output = called("models", "list", "--workspace", workspace, "--config", config).out
    options = f"--workspace {shlex.quote(str(workspace))} --config {config}"
    assert f"basketwise run PATH {options}\n" in output
    assert [path.name for path in workspace.iterdir()] == ["gold"]


@pytest.mark.parametrize(
    "command",
    [
        ("models", "list"),
        ("models", "history"),
        ("models", "show", "champion"),
        ("models", "approve", "1"),
        ("predict", "--data", "lines.csv", "--out", "scores.csv"),
        ("export",),
    ],
)
def test_a_workspace_that_is_not_there_is_not_made(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    outcome = call(*command, "--workspace", tmp_path / "nowhere")
    assert outcome.code == 2
    assert outcome.err.startswith(f"There is no workspace {str(tmp_path / 'nowhere')!r}.")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions, both left pending by the gate; the first is approved."""
    workspace = tmp_path_factory.mktemp("shop") / "w"
    archive = tmp_path_factory.mktemp("trained") / "model.tar.gz"
    archive.write_bytes(b"a model")
    registry = open_registry(RegistryConfig(), workspace / "registry")
    submission = Submission("run-1", archive, sha256(archive), "", {"accuracy": 0.5}, {})
    for version in ("1", "2"):
        registry.register(submission, who="gate")
        registry.set_state(version, ApprovalState.PENDING, who="gate", why="accuracy 0.5 < 0.8")
    registry.set_state("1", ApprovalState.APPROVED, who="ann", why="good")
    return workspace


def test_a_decision_that_changed_nothing_shows_no_arrow(workspace: Path) -> None:
    lines = called("models", "history", "1", "--workspace", workspace).out.splitlines()
    assert [line.split("  ", 2)[2] for line in lines] == [
        "PendingManualApproval  by gate: registered",
        "PendingManualApproval  by gate: accuracy 0.5 < 0.8",
        "PendingManualApproval → Approved  by ann: good",
    ]


@pytest.mark.parametrize("command", [("list",), ("show", "champion"), ("history",)])
def test_reading_versions_does_not_import_mlflow(command: tuple[str, ...], workspace: Path) -> None:
    assert imported("models", *command, "--workspace", str(workspace)) == []


def test_predict_does_not_import_mlflow(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.csv").write_text("BASKET_ID,PROD_CODE,SPEND,QUANTITY\n1,P1,1.5,1\n")
    arguments = ("--data", "lines.csv", "--out", "scores.csv", "--workspace", str(workspace))
    # The archive is no model, which is found out after the registry has been asked.
    assert imported("predict", *arguments, cwd=tmp_path, code=2) == []


def imported(*arguments: str, cwd: Path | None = None, code: int = 0) -> list[str]:
    """Return what a command imported of what only registering needs."""
    script = (
        "import sys\n"
        "from basketwise.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    names = {'mlflow', 'sqlalchemy', 'alembic'} & sys.modules.keys()\n"
        "    print('imported:', *sorted(names), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stderr.splitlines()[-1].split()[1:]


@pytest.mark.parametrize("command", [("models", "list"), ("aws", "run")])
def test_the_help_says_where_outputs_are_stored_by_default(command: tuple[str, ...]) -> None:
    output = " ".join(called(*command, "--help").out.split())
    assert "Default: basketwise-workspace; of 'aws …', the project's bucket." in output
    assert "[default: basketwise-workspace]" not in output
