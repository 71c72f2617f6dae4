"""What runs leave behind in an account."""

from __future__ import annotations

from tests.aws.calls import BUCKET, NAMES, STEM
from tests.aws.moto_account import Account


def fill(aws: Account) -> None:
    """Put in a pipeline, two model versions, an overwritten object and a deleted one."""
    aws.sagemaker.create_pipeline(
        PipelineName=f"{STEM}-pipeline",
        PipelineDefinition="{}",
        RoleArn=NAMES.role_arn,
        ClientRequestToken="0" * 32,
    )
    for _ in range(2):
        aws.sagemaker.create_model_package(ModelPackageGroupName=NAMES.group)
    for body in (b"first", b"second"):
        aws.s3.put_object(Bucket=BUCKET, Key="raw/w.csv", Body=body)
    aws.s3.put_object(Bucket=BUCKET, Key="gold/x", Body=b"")
    aws.s3.delete_object(Bucket=BUCKET, Key="gold/x")
