"""Results on stdout: one JSON object, or text for people."""

from __future__ import annotations

import json
import os
import shlex
import textwrap
from typing import TYPE_CHECKING, Any

import click

from basketwise.cli.commands import program
from basketwise.cli.options import Common
from basketwise.files import ARCHIVE, REPORT_HTML

if TYPE_CHECKING:
    from basketwise.report.types import LeaderboardRow, Report, SplitScores
    from basketwise.run.pipeline import RunResult

WIDTH = 78
"""Columns of the summary: the narrowest usual terminal shows them without a break."""

RULE = "─" * WIDTH


def shown_score(score: float) -> str:
    """Write a score; imported late, for the sake of commands that show none."""
    from basketwise.report.numbers import shown

    return shown(score)


def print_json(document: Any) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def emit(common: Common, document: Any, *lines: str) -> None:
    """Print a result: the document with ``--json``, else the lines."""
    if common.as_json:
        print_json(document)
    else:
        for line in lines:
            click.echo(line)


def run_document(result: RunResult) -> dict[str, Any]:
    """Return what ``run --json`` prints."""
    report = result.report
    winner = report["winner"]
    return {
        "run_id": result.run_id,
        "seconds": round(result.seconds, 3),
        "approved": result.approved,
        "state": str(result.version.state),
        "reasons": report["verdict"]["reasons"],
        "warnings": report["verdict"]["warnings"],
        "stages": {
            outcome.stage: {"status": "ran" if outcome.ran else "cached", "why": outcome.why}
            for outcome in result.outcomes
        },
        "model_version": result.version.version,
        "best_model": winner["model"],
        "accuracy": winner["accuracy"],
        "macro_f1": winner["macro_f1"],
        "leaderboard": report["leaderboard"],
        "lines": result.metadata.lines.model_dump(),
        "impact": report["impact"],
        "artifacts": result.address,
        "report": f"{result.address}/{REPORT_HTML}",
        "model": f"{result.address}/{ARCHIVE}",
        "deployment_config": result.config_address,
    }


def print_summary(result: RunResult) -> None:
    """Print the final summary of a run: ETL, training, registry, money, readiness."""
    report, metadata = result.report, result.metadata
    click.echo(RULE)
    click.secho(textwrap.fill(report["verdict"]["headline"], WIDTH), bold=True)
    click.echo(RULE)
    _section("ETL")
    lines = metadata.lines
    click.echo(
        f"  lines     {lines.read:,} read = {lines.accepted:,} accepted + "
        f"{lines.rejected:,} rejected"
    )
    for name, count in lines.rejected_by_reason.items():
        click.echo(f"            {count:,} {name}")
    counts = ", ".join(f"{label} {n:,}" for label, n in metadata.baskets.items())
    click.echo(f"  baskets   {counts}")
    _entry("  split     ", report["data"]["split"]["description"])
    _section("Training")
    for line in leaderboard_lines(report["leaderboard"]):
        click.echo(f"  {line}")
    winner = report["winner"]
    for name, interval in (("accuracy", winner["accuracy"]), ("macro-F1", winner["macro_f1"])):
        click.echo(
            f"  {winner['model']}: {name} {shown_score(interval['estimate'])}, "
            f"{winner['confidence']:.0%} interval {shown_score(interval['low'])} to "
            f"{shown_score(interval['high'])}"
        )
    _section("Registry")
    click.echo(
        f"  version {result.version.version} of {result.version.uri.split('/')[-2]}: "
        f"{result.version.state}"
    )
    if result.approved != report["verdict"]["approved"]:
        click.echo("  its state was changed manually after the gate's decision")
    for reason in report["verdict"]["reasons"]:
        _entry(f"  {'✓' if reason['passed'] else '✗'} ", reason["text"])
    for warning in report["verdict"]["warnings"]:
        _entry("  ! ", warning)
    if not report["impact"]["default_assumptions"]:
        _section("Business impact")
        for line in impact_lines(report):
            click.echo(f"  {line}")
    _section("Deployment readiness")
    folder, config = shown(result.address), result.config_address
    click.echo(f"  report    {folder}/{REPORT_HTML}")
    if "://" in folder:
        click.echo(f"  here      {shown(result.folder)}/{REPORT_HTML}")
    click.echo(f"  model     {folder}/{ARCHIVE}")
    click.echo(f"  config    {shown(config) if config else 'none: the model is not approved'}")
    click.echo(f"  took      {result.seconds:.1f} s")


def print_next(result: RunResult, data: str, workspace: str, config: str | None = None) -> None:
    """Print what to do next; what is not approved is to be looked at, and scores by its version."""
    _section("Next")
    name, options = program(), f"--workspace {shlex.quote(workspace)}"
    if config:
        options += f" --config {shlex.quote(config)}"
    model = ""
    if not result.approved:
        click.echo(f"  open {shown(result.folder)}/report.html to see why it is not approved")
        model = f" --model {result.version.version}"
    click.echo(f"  {name} predict --data {shlex.quote(data)} --out scores.csv{model} {options}")
    click.echo(f"  {name} models list {options}")


def leaderboard_lines(rows: list[LeaderboardRow]) -> list[str]:
    """Lay out the models' table."""
    table = [f"{'model':<37}{'CV macro-F1':>12}{'accuracy':>10}{'macro-F1':>10}{'fit s':>7}"]
    for row in rows:
        name = row["model"]
        if row["kind"] == "ablation":
            name += f" without group {row['without']}"
        elif row["kind"] == "simpler":
            name += " on the index alone"
        seconds = "–" if row["fit_seconds"] is None else f"{row['fit_seconds']:.1f}"
        table.append(
            f"{('* ' if row['winner'] else '  ') + name:<37}"
            f"{_number(row['cv_f1_mean']):>12}{_number(row['test_accuracy']):>10}"
            f"{_number(row['test_f1']):>10}{seconds:>7}"
        )
    return table


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


def impact_lines(report: Report) -> list[str]:
    """Lay out the business impact with its assumptions."""
    impact = report["impact"]
    currency = f" {impact['currency']}" if impact["currency"] else ""
    values = ((item["name"], item["value"]) for item in impact["assumptions"])
    stated = ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in values
    )
    return [
        f"total per month   {impact['total_monthly_value']:>12,.0f}{currency}  "
        f"({impact['total_low']:,.0f} to {impact['total_high']:,.0f})",
        f"  revenue         {impact['monthly_revenue_impact']:>12,.0f}{currency}",
        f"  cost savings    {impact['monthly_cost_savings']:>12,.0f}{currency}",
        f"majority class    {impact['baseline_total']:>12,.0f}{currency}  (always predicting it)",
        *textwrap.wrap(f"assumed: {stated}", WIDTH - 2, subsequent_indent=" " * 9),
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
    click.echo(textwrap.fill(text, WIDTH, initial_indent=name, subsequent_indent=" " * len(name)))


def _number(value: float | None) -> str:
    return "–" if value is None else shown_score(value)
