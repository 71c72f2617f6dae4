"""Commands that messages name run as they are pasted; what is mistyped gets a suggestion."""

from __future__ import annotations

from pathlib import Path

import pytest

from basketwise import __version__
from basketwise.cli.commands import completed
from tests.cli.calling import call, called

OWN = {"--workspace": "my ws", "--config": "own.toml"}
OPTIONS = "--workspace 'my ws' --config own.toml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Run 'basketwise etl' first.", f"Run 'basketwise etl {OPTIONS}' first."),
        (
            "Run 'basketwise etl', or 'basketwise run PATH'.",
            f"Run 'basketwise etl {OPTIONS}', or 'basketwise run PATH {OPTIONS}'.",
        ),
        ("Approve it: basketwise models approve 3", f"basketwise models approve 3 {OPTIONS}"),
        ("Export it: basketwise export.", f"Export it: basketwise export {OPTIONS}."),
        # Commands without a workspace, or with one already; and what is no command.
        ("Write one with 'basketwise init'.", "Write one with 'basketwise init'."),
        ("'basketwise etl --workspace x'", "'basketwise etl --workspace x --config own.toml'"),
        ("'basketwise aws provision'", "'basketwise aws provision --config own.toml'"),
        ("basketwise of this version", "basketwise of this version"),
    ],
)
def test_commands_in_messages_get_workspace_and_config(text: str, expected: str) -> None:
    assert completed(text, OWN).endswith(expected)
    assert completed(text, {}) == text


def test_an_error_names_commands_for_this_workspace(tmp_path: Path) -> None:
    workspace = tmp_path / "w s"
    (workspace / "gold").mkdir(parents=True)
    for command in (("evaluate",), ("train",), ("models", "rollback"), ("export",)):
        outcome = call(*command, "--workspace", workspace)
        assert outcome.code == 2
        assert f"--workspace '{workspace}'" in outcome.err


def test_an_error_names_the_workspace_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "w" / "gold").mkdir(parents=True)
    outcome = call("evaluate", environment={"BASKETWISE_WORKSPACE": str(tmp_path / "w")})
    assert f"basketwise etl --workspace {tmp_path / 'w'}" in outcome.err


READING = [
    ("models", "list"),
    ("models", "show", "1"),
    ("models", "history"),
    ("models", "approve", "1"),
    ("models", "reject", "1"),
    ("models", "rollback"),
    ("predict", "--data", "lines.csv", "--out", "scores.csv"),
    ("predict", "lines.csv", "--out", "scores.csv", "--model", "3"),
    ("export",),
    ("train",),
    ("evaluate",),
    ("register",),
    ("reproduce", "run-20260101-000000"),
    ("clean", "--dry-run"),
]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_what_reads_a_workspace_creates_none(command: tuple[str, ...], tmp_path: Path) -> None:
    other = tmp_path / "raw"
    other.mkdir()
    (other / "week.csv").write_text("BASKET_ID\n")
    for name, headline in (
        ("nowhere", "There is no workspace"),
        ("raw", "is not a workspace: it contains no outputs of a run."),
    ):
        outcome = call(*command, "--workspace", tmp_path / name)
        assert outcome.code == 2
        assert headline in outcome.err
        assert repr(str(tmp_path / name)) in outcome.err
    assert list(tmp_path.iterdir()) == [other]
    assert [path.name for path in other.iterdir()] == ["week.csv"]


def test_the_doctor_creates_nothing(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    deep = called("doctor", "--workspace", tmp_path / "a" / "b" / "c")
    called("doctor", "--workspace", tmp_path / "raw")
    assert "can be created" in deep.out
    assert list(tmp_path.rglob("*")) == [tmp_path / "raw"]


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (("rum", "raw"), "Did you mean 'run'?"),
        (("predct",), "Did you mean 'predict'?"),
        (("approve", "1"), "Did you mean 'models approve'?"),
        (("provision",), "Did you mean 'aws provision'?"),
        (("config",), "Did you mean 'init'?"),
        (("models", "aprove", "1"), "Did you mean 'approve'?"),
        (("help", "modles"), "Did you mean 'models'?"),
        (("models", "rollback", "2"), "basketwise models reject 2"),
        (("models", "list", "--set", "gate.min_accuracy", "0.9"), "--set gate.min_accuracy=0.9"),
        (("run", "raw", "--models", "xgb"), "did you mean xgboost?"),
        (("run", "raw", "--split", "stratify"), "did you mean stratified?"),
        (("run", "raw", "--set", "gate.min_acuracy=1"), "did you mean min_accuracy?"),
        (("run", "raw", "--set", "gates.min_accuracy=1"), "did you mean gate?"),
        (("run",), "basketwise run PATH"),
        (("etl",), "basketwise etl PATH"),
        (("predict", "raw", "--data", "raw"), "only once: basketwise predict PATH"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_mistyped_gets_a_suggestion(
    arguments: tuple[str, ...], advice: str, tmp_path: Path
) -> None:
    workspace = (
        () if len(arguments) < 2 or arguments[0] == "help" else ("--workspace", tmp_path / "w")
    )
    outcome = call(*arguments, *workspace)
    assert outcome.code == 2
    assert outcome.out == ""
    assert advice in outcome.err


def test_what_resembles_nothing_gets_none() -> None:
    assert "Did you mean" not in call("zzz").err


def test_help_and_version_are_commands_too() -> None:
    assert called("help").out == called("--help").out
    assert called("help", "models", "approve").out == called("models", "approve", "--help").out
    assert called("version").out == called("-V").out == called("--version").out
    assert __version__ in called("version").out


def test_a_word_for_the_newest_version_leads_to_the_champion(tmp_path: Path) -> None:
    (tmp_path / "gold").mkdir()
    outcome = call("models", "show", "latest", "--workspace", tmp_path)
    assert outcome.code == 2
    assert "'champion'" in outcome.err


def test_variables_that_set_nothing_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "gold").mkdir()
    environment = {
        "BASKETWISE_GATE_MIN_ACCURACY": "0.99",
        "BASKETWISE_WORKSPCE": "x",
        "BASKETWISE_SPLIT__STRATEGY": "time",
    }
    outcome = call("models", "list", "--workspace", tmp_path, "--json", environment=environment)
    assert outcome.json == {"versions": []}
    assert outcome.err.splitlines() == [
        "Warning: BASKETWISE_GATE_MIN_ACCURACY sets nothing; did you mean "
        "BASKETWISE_GATE__MIN_ACCURACY?",
        "Warning: BASKETWISE_WORKSPCE sets nothing; did you mean BASKETWISE_WORKSPACE?",
    ]
    checked = call("doctor", "--workspace", tmp_path, environment=environment)
    assert checked.out.startswith("! config     BASKETWISE_GATE_MIN_ACCURACY sets nothing")
    assert checked.err == ""
