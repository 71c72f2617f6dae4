"""``basketwise aws emr``: ETL on EMR Serverless."""

from __future__ import annotations

import click

from basketwise.aws import clients
from basketwise.aws.cli.session import settings
from basketwise.cli.options import Common, common
from basketwise.cli.output import emit, print_json


@click.command()
@click.argument("data", metavar="s3://…|TABLE")
@click.option("--application", required=True, metavar="ID", help="Of EMR Serverless, type Spark.")
@click.option("--role-arn", required=True, metavar="ARN", help="The role that the job runs under.")
@click.option(
    "--environment",
    "packed",
    required=True,
    metavar="s3://….tar.gz",
    help="The packed Python environment with Basketwise.",
)
@click.option(
    "--executors",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="At most. Default: as many as the application allows.",
)
@click.option("--dry-run", is_flag=True, help="Print the request, and start nothing.")
@common
def emr(
    data: str,
    application: str,
    role_arn: str,
    packed: str,
    executors: int | None,
    dry_run: bool,
    common: Common,
) -> None:
    """Start ETL on EMR Serverless, into the workspace; costs money.

    It ends without waiting for the job. Then 'train', 'evaluate' and 'register' on the same
    workspace go on from what it leaves.
    """
    from basketwise.aws.errors import translated
    from basketwise.aws.requests.emr import MAIN, MAIN_SCRIPT, emr_job
    from basketwise.aws.requests.entry import CODE
    from basketwise.aws.s3 import Bucket

    config, names = settings(common)
    request = emr_job(
        names,
        config,
        application=application,
        role_arn=role_arn,
        packed=packed,
        data=data,
        executors=executors or 0,
    )
    if dry_run:
        print_json(request)
        return
    bucket = Bucket(clients.client("s3", config.aws), names.bucket, names.prefix)
    bucket.put(f"{CODE}/{MAIN_SCRIPT}", MAIN.encode())
    serverless = clients.client("emr-serverless", config.aws)
    with translated(f"start a job run of the application {application}"):
        run = str(serverless.start_job_run(**request)["jobRunId"])
    follow = f"aws emr-serverless get-job-run --application-id {application} --job-run-id {run}"
    emit(common, {"job_run": run, "follow": follow}, f"started   {run}", f"follow    {follow}")
