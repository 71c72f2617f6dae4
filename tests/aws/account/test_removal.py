from collections.abc import Iterator

import pytest

from basketwise.aws.account import removal
from basketwise.errors import ConfigError
from tests.aws.calls import BUCKET, NAMES, STEM
from tests.aws.data import fill
from tests.aws.moto_account import Account, account


@pytest.fixture
def aws() -> Iterator[Account]:
    with account() as running:
        yield running


def destroy(aws: Account) -> list[str]:
    return removal.destroy(aws.cloudformation, aws.iam, aws.sagemaker, NAMES, lambda _: None)


def delete_data(aws: Account, typed: str = BUCKET) -> list[str]:
    return removal.delete_data(aws.s3, aws.sagemaker, NAMES, typed, lambda _: None)


def groups(aws: Account) -> int:
    return len(aws.sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"])


def test_destroy_removes_role_and_pipeline_and_keeps_data(aws: Account) -> None:
    aws.provision(schedule="rate(7 days)")
    fill(aws)
    removed = destroy(aws)
    role = f"role {STEM}-sagemaker-execution"
    assert removed == [f"pipeline {STEM}-pipeline", f"stack {STEM}", role]
    assert aws.roles() == []
    assert aws.s3.get_object(Bucket=BUCKET, Key="raw/w.csv")["Body"].read() == b"second"
    assert groups(aws) == 1


def test_destroying_nothing_is_no_error(aws: Account) -> None:
    assert destroy(aws) == []
    assert delete_data(aws) == []


def test_data_are_deleted_once_the_name_is_confirmed(aws: Account) -> None:
    aws.provision()
    fill(aws)
    destroy(aws)
    assert delete_data(aws) == [
        "model package group retail-price-sensitivity-models (2 versions)",
        f"bucket {BUCKET} (4 object versions)",
    ]
    assert aws.buckets() == []
    assert groups(aws) == 0


@pytest.mark.parametrize("typed", ["", "yes", BUCKET.upper(), f"{BUCKET} "])
def test_another_name_deletes_nothing(aws: Account, typed: str) -> None:
    aws.provision()
    fill(aws)
    with pytest.raises(ConfigError, match="is not the bucket's name"):
        delete_data(aws, typed)
    assert aws.buckets() == [BUCKET]
    assert groups(aws) == 1


@pytest.mark.parametrize("tags", [[], [{"Key": "ManagedBy", "Value": "basketwise/other-dev"}]])
def test_a_foreign_bucket_is_refused(aws: Account, tags: list[dict[str, str]]) -> None:
    aws.s3.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": NAMES.region}
    )
    if tags:
        aws.s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags})
    aws.s3.put_object(Bucket=BUCKET, Key="theirs", Body=b"")
    with pytest.raises(ConfigError, match="was not created by 'basketwise aws provision'"):
        delete_data(aws)
    assert aws.s3.head_object(Bucket=BUCKET, Key="theirs")


def test_a_foreign_group_is_refused(aws: Account) -> None:
    aws.sagemaker.create_model_package_group(ModelPackageGroupName=NAMES.group)
    with pytest.raises(ConfigError, match="The group"):
        delete_data(aws)
    assert groups(aws) == 1
