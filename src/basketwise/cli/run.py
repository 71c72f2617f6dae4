"""``basketwise run``."""

from __future__ import annotations

import sys

import click

from basketwise.cli.options import (
    FORCE_OPTION,
    MODELS_OPTION,
    SPLIT_OPTION,
    Common,
    common,
    context,
)
from basketwise.errors import GATE_NOT_PASSED


@click.command()
@click.argument("path", required=False)
@click.option("--data", metavar="PATH", help="The same: a file, a folder or a quoted glob.")
@SPLIT_OPTION
@MODELS_OPTION
@click.option("--require-approval", is_flag=True, help="Exit with 1 if the gate does not approve.")
@FORCE_OPTION
@common
def run(
    path: str | None,
    data: str | None,
    split: str | None,
    models: str | None,
    require_approval: bool,
    force: bool,
    common: Common,
) -> None:
    """Run every stage, from the raw files at PATH to an approved, exported model."""
    if (data is None) == (path is None):
        raise click.UsageError("Name the raw files once: basketwise run PATH.")
    data = data or path or ""
    config = common.config(*overrides(split, models))
    from basketwise.cli.output import print_json, print_next, print_summary, run_document
    from basketwise.run.pipeline import run_all

    result = run_all(data, context(common, config, force=force))
    if common.as_json:
        print_json(run_document(result))
    else:
        print_summary(result)
        print_next(result, data, common.workspace, common.config_path)
    # The version's state counts, not the verdict: a person may have rejected it since.
    if require_approval and not result.approved:
        sys.exit(GATE_NOT_PASSED)


def overrides(split: str | None, models: str | None) -> list[str]:
    """Turn a command's own flags into settings."""
    flags = []
    if split:
        flags.append(f"split.strategy={split}")
    if models:
        flags.append(f"training.models={models}")
    return flags
