from __future__ import annotations

import os
import platform
import runpy
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from basketwise import provenance as lineage
from basketwise.errors import ConfigError

ROOT = Path(__file__).parents[1]


def git(*arguments: str) -> str:
    environment = {
        **os.environ,
        **{
            f"GIT_{who}_{what}": "x"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.strip()


def test_the_commit_is_that_of_the_folder_the_command_runs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    commit = lineage.git_commit()
    assert commit is not None
    assert len(commit) == 40
    assert commit == git("rev-parse", "HEAD")


def test_outside_a_repository_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert lineage.git_commit() is None


def test_a_repository_without_a_commit_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    assert lineage.git_commit() is None


def test_a_machine_without_git_has_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert lineage.git_commit() is None


def test_a_git_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], *, timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert lineage.git_commit() is None


def test_the_versions_are_those_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "LIBRARIES", ("numpy", "polars", "no-such-library"))
    assert lineage.library_versions() == {
        "numpy": version("numpy"),
        "polars": version("polars"),
        "no-such-library": "absent",
    }


@pytest.mark.parametrize(("platform", "xgboost"), [("linux", "xgboost-cpu"), ("darwin", "xgboost")])
def test_the_libraries_are_the_dependencies_of_the_platform(
    platform: str, xgboost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    libraries = runpy.run_path(lineage.__file__)["LIBRARIES"]
    assert xgboost in libraries
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needs = map(Requirement, document["project"]["dependencies"])
    environment = {"sys_platform": platform}
    assert set(libraries) <= {
        n.name for n in needs if not n.marker or n.marker.evaluate(environment)
    }


def test_the_host_is_a_kind_of_machine_and_never_a_name() -> None:
    host = lineage.host()
    assert host["python"] == platform.python_version()
    assert host["cpus"] >= 1
    assert platform.node() not in host["platform"].split()


@pytest.mark.parametrize("epoch", ["9" * 30, "999999999999"])
def test_a_source_date_that_is_no_time_is_refused(
    monkeypatch: pytest.MonkeyPatch, epoch: str
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    with pytest.raises(ConfigError, match="SOURCE_DATE_EPOCH"):
        lineage.timestamp()
