"""How a call ends: exit codes, headlines, tracebacks only when asked for."""

from __future__ import annotations

import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import click
import pytest
from polars.exceptions import PanicException

import basketwise.cli as command_line
from basketwise import __version__
from basketwise.errors import (
    BasketwiseError,
    ConfigError,
    DependencyError,
    InputError,
    WorkspaceError,
)
from basketwise.plugins import COMMANDS
from tests.cli.calling import call, called, clean_environment, command, spawn


@pytest.fixture
def ends_with(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Let ``basketwise broken`` raise what the list holds."""
    errors: list[BaseException] = []

    @click.command()
    def broken() -> None:
        raise errors[0]

    monkeypatch.setattr(command_line.LazyGroup, "get_command", lambda *_: broken)
    return errors


@pytest.mark.parametrize(
    ("error", "code"),
    [(InputError, 2), (ConfigError, 2), (WorkspaceError, 2), (DependencyError, 3)],
)
def test_our_errors_end_with_their_code(
    ends_with: list[BaseException], error: type[BasketwiseError], code: int
) -> None:
    ends_with.append(error("What was found.", "What to do."))

    outcome = call("broken")

    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err == "What was found.\nWhat to do.\n"


def test_an_unexpected_error_is_our_fault(ends_with: list[BaseException]) -> None:
    ends_with.append(ZeroDivisionError("division by zero"))

    outcome = call("broken")

    assert outcome.code == 4
    assert outcome.err.startswith("This should not have happened: ZeroDivisionError: division")
    assert "--debug" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_panic_of_polars_does_not_stand_for_the_gate(ends_with: list[BaseException]) -> None:
    ends_with.append(PanicException("called `Option::unwrap()` on a `None` value"))

    outcome = call("broken")

    assert outcome.code == 4
    assert outcome.err.startswith("This should not have happened: PanicException: called")


@pytest.mark.parametrize("arguments", [("--debug", "broken"), ("broken", "--debug")])
@pytest.mark.parametrize("error", [InputError("What was found."), ZeroDivisionError("by zero")])
def test_debug_shows_where_it_was(
    ends_with: list[BaseException], error: Exception, arguments: tuple[str, ...]
) -> None:
    ends_with.append(error)

    outcome = call(*arguments)

    assert "Traceback (most recent call last)" in outcome.err
    assert "raise errors[0]" in outcome.err
    assert outcome.code in {2, 4}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption(ends_with: list[BaseException], error: BaseException) -> None:
    ends_with.append(error)

    outcome = call("broken")

    assert outcome.code == 130
    assert "Interrupted.\nEarlier outputs are as they were.\n" in outcome.err


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), RuntimeError("sink failed: No space left on device")],
)
def test_a_full_disk_is_no_fault_of_ours(ends_with: list[BaseException], error: Exception) -> None:
    ends_with.append(error)

    outcome = call("broken")

    assert outcome.code == 2
    assert outcome.err.startswith("No room left on the disk.\n")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("fly",), "fly"),
        (("run",), "basketwise run PATH"),
        (("run", "raw", "--data", "raw"), "once"),
        (("run", "--data", "x", "--fast"), "--fast"),
        (("predict", "--data", "x"), "--out"),
        (("models", "approve"), "VERSION"),
    ],
)
def test_wrong_usage_ends_with_two(arguments: tuple[str, ...], named: str) -> None:
    outcome = call(*arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert named in outcome.err
    assert "Usage: basketwise" in outcome.err


def test_help_lists_every_command_in_order() -> None:
    text = called("--help").out

    positions = [text.index(f"\n  {name} ") for name in COMMANDS]
    assert positions == sorted(positions)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    text = called(name, "--help").out

    assert text.startswith(f"Usage: basketwise {name} ")
    if name not in ("models", "deploy", "aws"):
        assert {"--config", "--workspace", "--set", "--json"} <= set(text.split())


def test_the_version() -> None:
    assert called("--version").out.strip().endswith(__version__)


def test_a_reader_that_leaves_is_no_error() -> None:
    process = subprocess.Popen(
        command("--help"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment()
    )
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    with process.stderr:
        stderr = process.stderr.read()

    assert process.wait(timeout=60) == 0
    assert stderr == b""


def test_streams_that_are_closed_are_no_error(tmp_path: Path) -> None:
    given = " ".join(map(shlex.quote, command("init", "--out", tmp_path / "b.toml")))
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        (tmp_path / "b.toml").unlink(missing_ok=True)
        shell = ["sh", "-c", f"{given} {closed}"]
        assert subprocess.run(shell, check=False, env=clean_environment()).returncode == 0
        assert "[data]" in (tmp_path / "b.toml").read_text("utf-8")


def test_a_terminal_that_knows_few_characters(tmp_path: Path) -> None:
    done = subprocess.run(
        command("doctor", "--workspace", tmp_path / "w"),
        capture_output=True,
        check=False,
        env=clean_environment() | {"PYTHONIOENCODING": "cp1252"},
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"? config")


def test_it_is_quick_to_start() -> None:
    heavy = ("mlflow", "matplotlib", "sklearn", "polars", "pandas", "jinja2", "scipy")
    code = f"import sys, basketwise.cli.run; print([m for m in {heavy} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    assert done.stdout.strip() == "[]"


def test_the_environment_names_workspace_and_config(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[split]\nsize = 1\n")

    workspace = call("train", environment={"BASKETWISE_WORKSPACE": str(tmp_path / "elsewhere")})
    config = call("train", environment={"BASKETWISE_CONFIG": str(tmp_path / "own.toml")})

    assert f"There is no workspace {str(tmp_path / 'elsewhere')!r}" in workspace.err
    assert "split.size is not a setting" in config.err


def test_a_service_that_calls_the_command_sees_only_failures_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["basketwise", "version"])
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    command_line.console()
    monkeypatch.setattr(sys, "argv", ["basketwise", "no-such-command"])
    with pytest.raises(SystemExit) as ending:
        command_line.console()
    assert ending.value.code == 2


def test_the_installed_command_is_this_one() -> None:
    outcome = spawn("--version")

    assert outcome.out == called("--version").out
