from io import BytesIO
from typing import Any

import pytest

from basketwise.aws import clients
from basketwise.config import AwsConfig
from tests.aws.calls import BUCKET, GROUP, NAMES, RUN
from tests.aws.moto_account import account
from tests.aws.recording import PASSED, Recorder, actions, as_sent
from tests.aws.service_model import mistakes

OBJECT = f"arn:aws:s3:::{BUCKET}/raw/w.csv"


@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    [
        ("s3", "HeadObject", {"Bucket": BUCKET, "Key": "raw/w.csv"}, [("s3:GetObject", OBJECT)]),
        ("s3", "UploadPart", {"Bucket": BUCKET, "Key": "raw/w.csv"}, [("s3:PutObject", OBJECT)]),
        ("s3", "ListObjectsV2", {"Bucket": BUCKET}, [("s3:ListBucket", f"arn:aws:s3:::{BUCKET}")]),
        (
            "s3",
            "DeleteObjects",
            {
                "Bucket": BUCKET,
                "Delete": {"Objects": [{"Key": "a"}, {"Key": "b", "VersionId": "1"}]},
            },
            [
                ("s3:DeleteObject", f"arn:aws:s3:::{BUCKET}/a"),
                ("s3:DeleteObjectVersion", f"arn:aws:s3:::{BUCKET}/b"),
            ],
        ),
        (
            "sagemaker",
            "CreateTrainingJob",
            {
                "TrainingJobName": NAMES.training_job(RUN),
                "RoleArn": NAMES.role_arn,
                "Tags": [{"Key": "a", "Value": "b"}],
            },
            [
                (
                    "sagemaker:CreateTrainingJob",
                    NAMES.arn(f"training-job/{NAMES.training_job(RUN)}"),
                ),
                ("sagemaker:AddTags", NAMES.arn(f"training-job/{NAMES.training_job(RUN)}")),
                ("iam:PassRole", NAMES.role_arn),
            ],
        ),
        (
            "sagemaker",
            "ListModelPackages",
            {"ModelPackageGroupName": GROUP},
            [("sagemaker:ListModelPackages", "*")],
        ),
        ("sts", "GetCallerIdentity", {}, []),
    ],
)
def test_a_call_is_what_aws_checks(
    service: str, operation: str, params: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    result = list(actions(service, operation, params, NAMES))
    assert [(action, resource) for action, resource, _ in result] == expected
    passed = [context for action, _, context in result if action == "iam:PassRole"]
    assert passed in ([], [{PASSED: "sagemaker.amazonaws.com"}])


def test_a_call_of_an_unknown_shape_fails() -> None:
    with pytest.raises(AssertionError, match="teach"):
        list(actions("sagemaker", "DescribeDomain", {"DomainId": "d"}, NAMES))


def test_opened_clients_are_recorded_while_requested() -> None:
    recorder = Recorder("run", NAMES)
    with account():
        with recorder.everywhere():
            s3 = clients.client("s3", AwsConfig(region="eu-west-1"))
            with pytest.raises(s3.exceptions.NoSuchBucket):
                s3.list_objects_v2(Bucket=BUCKET)
        with pytest.raises(s3.exceptions.NoSuchBucket):
            s3.list_objects_v2(Bucket=BUCKET)
    assert [str(call) for call in recorder.calls] == [
        f"run: s3:ListBucket on arn:aws:s3:::{BUCKET}"
    ]


def test_a_request_that_aws_would_refuse_fails_where_it_is_made() -> None:
    recorder = Recorder("run", NAMES)
    with account() as aws:
        with (
            recorder.watching(aws.s3, aws.cloudformation),
            pytest.raises(AssertionError, match=r"PutObject.StorageClass: 'CHEAP' is not in"),
        ):
            aws.s3.put_object(Bucket=BUCKET, Key="a", StorageClass="CHEAP")
        with (
            recorder.watching(aws.cloudformation),
            pytest.raises(AssertionError, match=r"DescribeStackEvents.StackName"),
        ):
            aws.cloudformation.describe_stack_events()
    assert recorder.calls == []


def test_conveniences_of_boto3_are_accepted() -> None:
    copied = {"Bucket": BUCKET, "Key": "b", "CopySource": {"Bucket": BUCKET, "Key": "a"}}
    assert list(mistakes("s3", "CopyObject", copied))
    assert not list(mistakes("s3", "CopyObject", as_sent(copied)))
    assert as_sent(copied)["CopySource"] == f"{BUCKET}/a"
    stream = BytesIO(b"text")
    put = {"Bucket": BUCKET, "Key": "b", "Body": stream}
    assert not list(mistakes("s3", "PutObject", as_sent(put)))
    assert stream.read() == b"text"
