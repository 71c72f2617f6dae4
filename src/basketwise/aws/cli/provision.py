"""``basketwise aws provision``, ``destroy``, ``policy``: the resources of a project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from basketwise.aws import clients
from basketwise.aws.cli.session import settings
from basketwise.cli.asking import YES, confirmed, require_terminal, to_stderr
from basketwise.cli.options import Common, common
from basketwise.cli.output import print_json
from basketwise.errors import InputError

if TYPE_CHECKING:
    from basketwise.aws.account.policies import Task
    from basketwise.aws.account.stacks import Change


@click.command(short_help="Create or change bucket, role, group and schedule.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option(
    "--schedule",
    metavar="WHEN",
    help="Start the pipeline at cron(…) or rate(…), UTC; 'off' for never. Default: unchanged.",
)
@YES
@common
def provision(dry_run: bool, schedule: str | None, yes: bool, common: Common) -> None:
    """Create or change bucket, role, model package group and schedule; adopt what exists."""
    from basketwise.aws.account.existing import Clients
    from basketwise.aws.account.provisioning import provision as provision_all
    from basketwise.aws.account.template import stack_name
    from basketwise.aws.images import image_of, spark_image

    config, names = settings(common)
    skip_prompt = yes or dry_run

    def confirm_changes(changes: tuple[Change, ...]) -> bool:
        if not common.as_json:
            for change in changes:
                click.echo(str(change))
        return not dry_run and (skip_prompt or confirmed("Make these changes?"))

    if not skip_prompt:
        require_terminal("--yes, or --dry-run to see the changes only")
    stack = stack_name(names)
    services = ("cloudformation", "iam", "s3", "sagemaker")
    result = provision_all(
        Clients(*(clients.client(service, config.aws) for service in services)),
        names,
        image_of(config.aws, names.region),
        confirm=confirm_changes,
        report=to_stderr,
        schedule=schedule,
        spark_image_uri=spark_image(config.aws, names.region) if config.aws.etl == "spark" else "",
        aws=config.aws,
    )
    if common.as_json:
        print_json(
            {
                "stack": stack,
                "changes": [vars(change) for change in result.changes],
                "done": result.applied,
                "bucket": names.bucket,
                "group": names.group,
            }
        )
    elif result.applied:
        click.echo(f"The stack {stack} is ready.")
        click.echo(f"  workspace   s3://{names.bucket}")
        click.echo(f"  role        {names.role_arn}")
        click.echo(f"  group       {names.group}")
        if config.aws.notify:
            click.echo(f"  notices to  {config.aws.notify}")
        if "@" in config.aws.notify:
            click.echo("AWS mails a link first: nothing is sent before it is confirmed.")
    elif result.changes:
        click.echo("Nothing was changed.")
    else:
        click.echo(f"The stack {stack} is up to date.")


@click.command(short_help="Remove pipeline, role, schedule; data only if confirmed.")
@click.option("--delete-data", is_flag=True, help="Delete bucket and model versions too.")
@click.option(
    "--confirm", default="", metavar="BUCKET", help="The bucket's name, with --delete-data."
)
@YES
@common
def destroy(delete_data: bool, confirm: str, yes: bool, common: Common) -> None:
    """Remove pipeline, role and schedule; data only with --delete-data."""
    from basketwise.aws.account import removal

    config, names = settings(common)
    if confirm and not delete_data:
        raise InputError("--confirm is for --delete-data.", "Give both to delete all data.")
    if not yes:
        require_terminal("--yes")
    if delete_data and not confirm:
        require_terminal(f"--confirm {names.bucket}")
        click.echo(
            f"All data in s3://{names.bucket} and all versions of {names.group} will be deleted.",
            err=True,
        )
        confirm = click.prompt("Type the bucket's name to delete them", err=True)
    s3, sagemaker = clients.client("s3", config.aws), clients.client("sagemaker", config.aws)
    if delete_data:
        # Before anything is removed: a wrong name must leave everything as it is.
        removal.require_ownership(s3, sagemaker, names, confirm)
    if not (yes or confirmed(f"Remove the stack {names.project}-{names.environment}?")):
        click.echo("Nothing was removed.", err=True)
        return
    removed = removal.destroy(
        clients.client("cloudformation", config.aws),
        clients.client("iam", config.aws),
        sagemaker,
        names,
        to_stderr,
    )
    if delete_data:
        removed += removal.delete_data(s3, sagemaker, names, confirm, to_stderr)
    if common.as_json:
        print_json({"removed": removed, "data_deleted": delete_data})
        return
    for name in removed or ["nothing: none of it exists"]:
        click.echo(f"removed   {name}")
    if not delete_data:
        click.echo(f"kept      s3://{names.bucket}, {names.group}, if they exist")


@click.command()
@click.argument("task", type=click.Choice(["provision", "run", "deploy"]))
@click.option(
    "--account",
    default="",
    metavar="DIGITS",
    help="Account the policy is for. Default: that of the credentials.",
)
@common
def policy(task: Task, account: str, common: Common) -> None:
    """Print the IAM policy a person needs, as JSON."""
    from basketwise.aws.account import policies

    config, names = settings(common, account=account)
    click.echo(json.dumps(policies.policy(task, names, config.aws), indent=2))
