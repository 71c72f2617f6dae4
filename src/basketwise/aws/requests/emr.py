"""ETL as a job run of EMR Serverless, which writes silver and gold into the workspace itself.

The driver runs ``basketwise etl --engine spark`` on the workspace in the bucket. Python, Basketwise
and its libraries come in a packed environment, which Spark unpacks for the driver and for every
executor: what EMR brings is an older Python. pyspark is EMR's.
"""

from __future__ import annotations

from typing import Any

from basketwise.aws.names import AwsNames, tags
from basketwise.aws.requests.entry import CODE, environment
from basketwise.config import Config
from basketwise.settings import PREFIX, SEPARATOR

MAIN_SCRIPT = "basketwise_main.py"
"""File below ``code/`` that the driver runs: the command line."""

MAIN = '''\
"""The command line of Basketwise, as the entry point of a Spark application."""

import runpy

runpy.run_module("basketwise", run_name="__main__", alter_sys=True)
'''

UNPACKED = "environment"
"""Folder that the packed environment is unpacked to, in each process's working directory."""

PYTHON = f"./{UNPACKED}/bin/python"


def emr_job(
    names: AwsNames,
    config: Config,
    *,
    application: str,
    role_arn: str,
    packed: str,
    data: str,
    executors: int = 0,
) -> dict[str, Any]:
    """Return the ``start_job_run`` request of ETL on EMR Serverless.

    Parameters
    ----------
    names, config
        Names on AWS, all settings.
    application : str
        Id of an application of type Spark.
    role_arn : str
        The job's role: what the policy ``run`` allows, and trust for emr-serverless.amazonaws.com.
    packed : str
        Address of the packed environment, a ``.tar.gz``.
    data : str
        Address of the raw files, or the name of a table.
    executors : int
        How many at most; 0: as many as EMR allows.
    """
    arguments = ["etl", data, "--engine", "spark", "--workspace", names.uri().rstrip("/")]
    for name, value in environment(config).items():
        section, key = name.removeprefix(PREFIX).lower().split(SEPARATOR, 1)
        arguments += ["--set", f"{section}.{key}={value}"]
    confs = {
        "spark.archives": f"{packed}#{UNPACKED}",
        "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON": PYTHON,
        "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": PYTHON,
        "spark.executorEnv.PYSPARK_PYTHON": PYTHON,
        "spark.executorEnv.POLARS_MAX_THREADS": "1",
        # Of the driver, for boto3.
        "spark.emr-serverless.driverEnv.AWS_DEFAULT_REGION": names.region,
        "spark.executorEnv.AWS_DEFAULT_REGION": names.region,
    }
    if executors:
        confs["spark.dynamicAllocation.maxExecutors"] = str(executors)
    return {
        "applicationId": application,
        "executionRoleArn": role_arn,
        "name": "basketwise-etl",
        "executionTimeoutMinutes": -(-config.aws.max_run // 60),
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": f"{names.uri(CODE)}{MAIN_SCRIPT}",
                "entryPointArguments": arguments,
                "sparkSubmitParameters": " ".join(
                    f"--conf {name}={value}" for name, value in confs.items()
                ),
            }
        },
        "tags": {tag["Key"]: tag["Value"] for tag in tags(names)},
    }
