"""What ``models list`` says where there is nothing to list, and what the help says of the place."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from basketwise.cli.models import making
from basketwise.cli.options import DEFAULT_WORKSPACE
from tests.cli.calling import called


def test_without_versions_it_names_the_command_for_this_workspace(tmp_path: Path) -> None:
    place = tmp_path / "my ws"
    said = called("models", "list", "--workspace", place).out
    assert f"basketwise run --data PATH --workspace {shlex.quote(str(place))}\n" in said


@pytest.mark.parametrize(
    ("workspace", "command"),
    [
        (DEFAULT_WORKSPACE, "basketwise run --data PATH"),
        ("s3://b/p", "basketwise aws run --data PATH --workspace s3://b/p"),
    ],
)
def test_a_version_is_made_where_the_workspace_lies(workspace: str, command: str) -> None:
    assert making(workspace) == command


@pytest.mark.parametrize("command", [("models", "list"), ("aws", "run")])
def test_the_help_says_where_outputs_lie_by_default(command: tuple[str, ...]) -> None:
    said = " ".join(called(*command, "--help").out.split())
    assert "Default: basketwise-workspace; of 'aws …', the project's bucket." in said
    assert "[default: basketwise-workspace]" not in said
