from __future__ import annotations

import shlex
from typing import Any

import pytest

from basketwise.aws.requests.emr import MAIN, emr_job
from basketwise.config import Config
from tests.aws.requests.examples import BUCKET, CONFIG, NAMES, OWN
from tests.aws.service_model import check

GIVEN: dict[str, Any] = {
    "application": "00abc",
    "role_arn": "arn:aws:iam::123456789012:role/emr-etl",
    "packed": f"s3://{BUCKET}/code/environment.tar.gz",
    "data": f"s3://{BUCKET}/raw/",
}


@pytest.mark.parametrize("config", [CONFIG, OWN])
@pytest.mark.parametrize("executors", [0, 20])
def test_aws_accepts_it(config: Config, executors: int) -> None:
    request = emr_job(NAMES, config, **GIVEN, executors=executors)
    check("emr-serverless", "StartJobRun", request | {"clientToken": "made-by-boto3"})


def test_the_driver_runs_etl_on_the_workspace_with_the_settings() -> None:
    submit = emr_job(NAMES, OWN, **GIVEN)["jobDriver"]["sparkSubmit"]
    assert submit["entryPoint"] == f"s3://{BUCKET}/code/basketwise_main.py"
    etl = ["etl", f"s3://{BUCKET}/raw/", "--engine", "spark", "--workspace", f"s3://{BUCKET}"]
    arguments = submit["entryPointArguments"]
    assert arguments[: len(etl)] == etl
    settings = arguments[len(etl) :]
    assert settings[0::2] == ["--set"] * 4
    assert "training.folds=3" in settings[1::2]
    assert 'training.models=["xgboost"]' in settings[1::2]


def test_every_process_has_the_packed_python() -> None:
    submit = emr_job(NAMES, CONFIG, **GIVEN, executors=7)["jobDriver"]["sparkSubmit"]
    words = shlex.split(submit["sparkSubmitParameters"])
    confs = dict(word.split("=", 1) for word in words[1::2])
    assert confs["spark.archives"] == f"s3://{BUCKET}/code/environment.tar.gz#environment"
    pythons = {value for name, value in confs.items() if name.endswith("PYTHON")}
    assert pythons == {"./environment/bin/python"}
    assert confs["spark.dynamicAllocation.maxExecutors"] == "7"


def test_the_entry_point_is_the_command_line() -> None:
    compile(MAIN, "basketwise_main.py", "exec")
    assert 'run_module("basketwise", run_name="__main__"' in MAIN
