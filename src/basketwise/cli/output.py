"""Results on stdout: one JSON object, or text for people."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from basketwise.cli.commands import completed, program
from basketwise.cli.options import Common
from basketwise.files import ARCHIVE, REPORT_HTML
from basketwise.redaction import redacted_values
from basketwise.terminal import escaped_json, printable_line

if TYPE_CHECKING:
    from basketwise.report.types.scores import LeaderboardRow, SplitScores
    from basketwise.report.types.verdict import Impact
    from basketwise.run.pipeline import RunResult

WIDTH = 78
"""Columns of the summary: the narrowest usual terminal shows them without a break."""


def width() -> int:
    """Return the columns to fill: fewer than usual on a narrower terminal."""
    return max(20, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))


def filled(text: str, first: str = "", rest: str = "") -> str:
    """Wrap a text between its words; ``first`` and ``rest`` begin its lines."""
    return textwrap.fill(
        text,
        width(),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def shown_score(score: float) -> str:
    """Write a score; imported late, for the sake of commands that show none."""
    from basketwise.report.numbers import shown

    return shown(score)


def print_json(document: Any) -> None:
    """Print one JSON object."""
    text = json.dumps(redacted_values(document), indent=2, ensure_ascii=False, default=str)
    click.echo(escaped_json(text))


def emit(common: Common, document: Any, *lines: str) -> None:
    """Print a result: the document with ``--json``, else the lines."""
    if common.as_json:
        print_json(document)
    else:
        for text in lines:
            line = printable_line(text)
            if len(click.unstyle(line)) > width() < WIDTH:
                indent = line[: len(line) - len(line.lstrip())]
                line = filled(line.strip(), indent, f"{indent}  ")
            click.echo(line)


def run_document(result: RunResult) -> dict[str, Any]:
    """Return what ``run --json`` prints."""
    report = result.report
    winner = report["winner"]
    return {
        "run_id": result.run_id,
        "seconds": round(result.seconds, 3),
        "approved": result.approved,
        "outcome": report["verdict"].get("outcome"),
        "looks": report.get("looks"),
        "state": str(result.version.state) if result.version else None,
        "reasons": report["verdict"]["reasons"],
        "warnings": report["verdict"]["warnings"],
        "stages": {
            outcome.stage: {"status": "ran" if outcome.ran else "cached", "why": outcome.why}
            for outcome in result.outcomes
        },
        "model_version": result.version.version if result.version else None,
        "best_model": winner["model"],
        "accuracy": winner["accuracy"],
        "macro_f1": winner["macro_f1"],
        "leaderboard": report["leaderboard"],
        "lines": result.metadata.lines.model_dump(),
        "snapshots": result.metadata.snapshots,
        "impact": report["impact"],
        "artifacts": result.address,
        "report": f"{result.address}/{REPORT_HTML}",
        "model": f"{result.address}/{ARCHIVE}",
        "deployment_config": result.config_address,
    }


def print_summary(result: RunResult, tables: Iterable[str] = ()) -> None:
    """Print the final summary of a run, and which ``tables`` have its silver and gold."""
    report, metadata = result.report, result.metadata
    rule = "─" * width()
    click.echo(rule)
    click.secho(filled(report["verdict"]["headline"]), bold=True)
    click.echo(rule)
    _section("ETL")
    for name, snapshot in metadata.snapshots.items():
        _entry("  table     ", f"{name}, snapshot {snapshot}")
    lines = metadata.lines
    read = f"{lines.read:,} read = {lines.accepted:,} accepted + {lines.rejected:,} rejected"
    _entry("  lines     ", read)
    for name, count in lines.rejected_by_reason.items():
        _entry("            ", f"{count:,} {name}")
    counts = ", ".join(f"{label} {n:,}" for label, n in metadata.baskets.items())
    _entry("  baskets   ", counts)
    _entry("  split     ", report["data"]["split"]["description"])
    _section("Training")
    for line in leaderboard_lines(report["leaderboard"]):
        click.echo(f"  {line}")
    winner = report["winner"]
    for name, interval in (("accuracy", winner["accuracy"]), ("macro-F1", winner["macro_f1"])):
        _entry(
            "  ",
            f"{winner['model']}: {name} {shown_score(interval['estimate'])}, "
            f"{winner['confidence']:.0%} interval {shown_score(interval['low'])} to "
            f"{shown_score(interval['high'])}",
        )
    if looks := report.get("looks"):
        from basketwise.report.wording import looked

        _entry("  ", f"test baskets {looked(looks)}")
    _section("Registry")
    version = result.version
    if version:
        name = version.uri.split("/")[-2]
        _entry("  ", f"version {version.version} of {name}: {version.state}")
    else:
        _entry("  ", "no version: an experiment (--no-register)")
    if result.approved != report["verdict"]["approved"]:
        _entry("  ", "its state was changed manually after the gate's decision")
    for reason in report["verdict"]["reasons"]:
        _entry(f"  {'✓' if reason['passed'] else '✗'} ", reason["text"])
    for warning in report["verdict"]["warnings"]:
        _entry("  ! ", warning)
    impact = report["impact"]
    if impact and not impact["default_assumptions"]:
        _section("Business impact")
        for line in impact_lines(impact):
            narrow = len(line) + 2 > width()
            _entry("  ", " ".join(line.split())) if narrow else click.echo(f"  {line}")
    _section("Deployment readiness")
    folder, config = shown(result.address), result.config_address
    _path("  report    ", f"{folder}/{REPORT_HTML}")
    if "://" in folder:
        _path("  here      ", f"{shown(result.folder)}/{REPORT_HTML}")
    _path("  model     ", f"{folder}/{ARCHIVE}")
    missing = "none: the model is not approved" if version else "none: nothing was registered"
    _path("  config    ", shown(config)) if config else _entry("  config    ", missing)
    for name in tables:
        _path("  table     ", name)
    click.echo(f"  took      {result.seconds:.1f} s")


def print_next(result: RunResult, data: str, workspace: str, config: str | None = None) -> None:
    """Print what to do next.

    Of a model that was not approved, that is to see why; it scores by its version, as does one
    that is not the champion; without a version, by its archive.
    """
    _section("Next")
    name, options = program(), f"--workspace {shlex.quote(workspace)}"
    if config:
        options += f" --config {shlex.quote(config)}"
    version, model = result.version, ""
    if not result.approved:
        page, why = f"{shown(result.folder)}/{REPORT_HTML}", "to see why it is not approved"
        if len(f"  open {page} {why}") <= width() or width() == WIDTH:
            click.echo(f"  open {page} {why}")
        else:
            click.echo(f"  open\n    {page}")
            _entry("  ", why)
        for reason in result.report["verdict"]["reasons"]:
            if not reason["passed"]:
                named = {"--workspace": workspace} | ({"--config": config} if config else {})
                text = completed(reason["text"], named)
                _entry("  ✗ ", f"{reason['rule']}: {text}")
    if version is None:
        model = f" --model {shlex.quote(f'{shown(result.folder)}/{ARCHIVE}')}"
    elif not (result.approved and version.champion):
        model = f" --model {version.version}"
    click.echo(f"  {name} predict --data {shlex.quote(data)} --out scores.csv{model} {options}")
    if version is None:
        click.echo(f"  {name} register --run {shlex.quote(result.run_id)} {options}")
    click.echo(f"  {name} models list {options}")
    if result.approved and version is not None and version.champion:
        click.echo(f"  {name} serve {options}")


def leaderboard_lines(rows: list[LeaderboardRow]) -> list[str]:
    """Lay out the models' table; on a narrow terminal, each model's scores below its name."""
    notes = _fold_notes(rows)
    if width() < WIDTH:
        return [*(line for row in rows for line in _stacked(row)), *notes]
    table = [f"{'model':<37}{'CV macro-F1':>12}{'accuracy':>10}{'macro-F1':>10}{'fit s':>7}"]
    for row in rows:
        seconds = "–" if row["fit_seconds"] is None else f"{row['fit_seconds']:.1f}"
        table.append(
            f"{_model_name(row):<37}"
            f"{_number(row['cv_f1_mean']):>12}{_number(row['test_accuracy']):>10}"
            f"{_number(row['test_f1']):>10}{seconds:>7}"
        )
    return [*table, *notes]


def _fold_notes(rows: list[LeaderboardRow]) -> list[str]:
    """Say which candidates were given up early in the cross-validation."""
    from basketwise.report.wording import fold_note

    given_up: dict[str, list[str]] = {}
    for row in rows:
        if note := fold_note(row, rows):
            given_up.setdefault(note, []).append(row["model"])
    texts = [
        f"CV on {note}, as they could not win: {', '.join(names)}"
        for note, names in given_up.items()
    ]
    return [line for text in texts for line in textwrap.wrap(text, width() - 2)]


def _model_name(row: LeaderboardRow) -> str:
    name = f"{'*' if row['winner'] else ' '} {row['model']}"
    if row["kind"] == "ablation":
        name += f" without group {row['without']}"
    elif row["kind"] == "simpler":
        name += " on the index alone"
    return name


def _stacked(row: LeaderboardRow) -> list[str]:
    scores = [
        f"{name} {_number(value)}"
        for name, value in (
            ("CV macro-F1", row["cv_f1_mean"]),
            ("accuracy", row["test_accuracy"]),
            ("macro-F1", row["test_f1"]),
        )
        if value is not None
    ]
    # What prints the lines puts two columns before each.
    lines = textwrap.wrap(", ".join(scores), width() - 6, break_long_words=False)
    return [_model_name(row), *(f"    {line}" for line in lines)]


def split_lines(rows: list[SplitScores]) -> list[str]:
    """Lay out the winner's scores by split, if there is more than one."""
    if len(rows) < 2:
        return []
    table = [f"{'split':<14}{'train':>9}{'test':>9}{'accuracy':>10}{'macro-F1':>10}"]
    for row in rows:
        name = ("* " if row["chosen"] else "  ") + row["strategy"]
        if row["accuracy"] is None or row["macro_f1"] is None:
            table.append(f"{name:<14}not possible: {row['reason']}")
            continue
        table.append(
            f"{name:<14}{row['train_baskets']:>9,}{row['test_baskets']:>9,}"
            f"{shown_score(row['accuracy']['estimate']):>10}"
            f"{shown_score(row['macro_f1']['estimate']):>10}"
        )
    return table


def impact_lines(impact: Impact) -> list[str]:
    """Lay out the business impact with its assumptions."""
    from basketwise.report.wording import is_example

    currency = f" {impact['currency']}" if impact["currency"] else ""
    values = ((item["name"], item["value"]) for item in impact["assumptions"])
    stated = ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in values
    )
    examples = [item["name"] for item in impact["assumptions"] if is_example(item)]
    if examples:
        stated += f"; examples, not yours: {', '.join(examples)}"
    return [
        f"total per month   {impact['total_monthly_value']:>12,.0f}{currency}  "
        f"({impact['total_low']:,.0f} to {impact['total_high']:,.0f})",
        f"  revenue         {impact['monthly_revenue_impact']:>12,.0f}{currency}",
        f"  cost savings    {impact['monthly_cost_savings']:>12,.0f}{currency}",
        f"majority class    {impact['baseline_total']:>12,.0f}{currency}  (always predicting it)",
        *textwrap.wrap(f"assumed: {stated}", width() - 2, subsequent_indent=" " * 9),
    ]


def shown(path: os.PathLike[str] | str) -> str:
    """Shorten a path below the working directory; an address stays as it is."""
    text = os.fspath(path)
    if "://" in text:
        return text
    relative = os.path.relpath(text)
    return relative if not relative.startswith("..") else text


def _section(name: str) -> None:
    click.secho(f"\n{name}", bold=True)


def _entry(name: str, text: str) -> None:
    """Print a text beside its name, or below it where there is no room beside."""
    longest = max(map(len, text.split()), default=0)
    beside = len(name) + longest <= width() or not name.strip()
    if not beside:
        click.echo(name.rstrip())
    click.echo(filled(text, name if beside else "    ", " " * len(name) if beside else "    "))


def _path(name: str, text: str) -> None:
    """Print a path, which stays in one piece, beside its name or below it."""
    beside = len(name) + len(text) <= width() or width() == WIDTH
    click.echo(name + text if beside else f"{name.rstrip()}\n    {text}")


def _number(value: float | None) -> str:
    return "–" if value is None else shown_score(value)
