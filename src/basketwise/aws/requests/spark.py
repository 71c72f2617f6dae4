"""ETL as a SageMaker Processing job in AWS's Spark image, on several instances.

Each instance has the raw files and the code at the same paths, and runs the same script: it
installs Basketwise, and hands over to ``smspark-submit``, which makes a cluster of the instances
and starts the driver on the first of them. The instances share no folder, so tasks and driver hand
each other files in the workspace's bucket (:mod:`basketwise.aws.exchange`). What the driver leaves
in its output folders is uploaded as that of a job on one instance.
"""

from __future__ import annotations

import shlex
from typing import Any

from basketwise.aws.images import spark_image
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.entry import MODULE, installing
from basketwise.config import AwsConfig

SPARK_LOCK = "spark.txt"
"""File below ``code/``: what the job installs, for the Python of AWS's Spark image."""

SPARK_SCRIPT = "spark.sh"
"""File below ``code/`` that every instance runs."""

DRIVER_SCRIPT = "spark_etl.py"
"""File below ``code/`` that Spark's driver runs."""

LIBRARIES = "/opt/basketwise"
"""Where every instance installs; executors look there."""

# Not on PYTHONPATH: the image's own command needs its libraries as they are.
RUN = installing("pip3", LIBRARIES, SPARK_LOCK, f'run smspark-submit "$code/{DRIVER_SCRIPT}" "$@"')

DRIVER = f'''\
"""Runs ETL; smspark-submit starts it once there is a cluster."""

import os
import runpy
import sys

sys.path.insert(0, os.environ["PIP_TARGET"])
runpy.run_module("{MODULE[-1]}", run_name="__main__", alter_sys=True)
'''


def on_spark(
    request: dict[str, Any], names: AwsNames, config: AwsConfig, code: str
) -> dict[str, Any]:
    """Return the request for ETL with Spark's image, script and instances.

    ``code`` is where ``code/`` is mounted.
    """
    application, resources = request["AppSpecification"], request["ProcessingResources"]
    arguments = [*application["ContainerArguments"], "--spark-workspace", names.uri()]
    return {
        **request,
        "AppSpecification": {
            "ImageUri": spark_image(config, names.region),
            "ContainerEntrypoint": ["/bin/sh", f"{code}/{SPARK_SCRIPT}"],
            # smspark-submit puts them into a line for a shell.
            "ContainerArguments": [shlex.quote(argument) for argument in arguments],
        },
        "ProcessingResources": {
            "ClusterConfig": resources["ClusterConfig"] | {"InstanceCount": config.etl_instances}
        },
    }
