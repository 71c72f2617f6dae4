"""A group in SageMaker's double and a workspace in a bucket of a real S3 server."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from basketwise.aws.names import names_of
from basketwise.config import Config
from basketwise.registry.protocol import Submission
from tests.aws.registry.scene import Setup
from tests.fakes.model_registry import ACCOUNT, REGION, ModelRegistryDouble
from tests.seaweed import S3Server


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> str:
    return s3_server.new_bucket()


@pytest.fixture(scope="module")
def s3(s3_server: S3Server) -> Any:
    return s3_server.client()


@pytest.fixture
def setup(s3: Any, bucket: str, tmp_path: Path) -> Setup:
    archive, plot = tmp_path / "model.tar.gz", tmp_path / "plot.png"
    archive.write_bytes(b"a model")
    plot.write_bytes(b"a plot")
    submission = Submission(
        run_id="run-7",
        model_archive=archive,
        sha256=hashlib.sha256(b"a model").hexdigest(),
        description="xgboost, trained on 1,000 lines\n\naccuracy 0.91 ≥ 0.80\x00",
        metrics={"accuracy": 0.91, "f1_score": 0.9, "loss": 0.2},
        params={"training.seed": "7"},
        tags={"model_name": "xgboost", "git_commit": "abc", "dataset_size": "1000"},
        attachments=(plot,),
    )
    workspace = f"s3://{bucket}/{uuid4().hex}"
    names = names_of(Config(), account_id=ACCOUNT, region=REGION, workspace=workspace)
    return Setup(ModelRegistryDouble(), s3, names, submission)
