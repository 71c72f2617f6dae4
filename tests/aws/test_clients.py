"""Opening boto3 clients."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.loaders import JSONFileLoader

from basketwise.aws.clients import client
from basketwise.config import AwsConfig
from tests.aws.controls import KEY


def test_a_service_is_parsed_once_and_its_clients_stay_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed, load = [], JSONFileLoader.load_file

    def counted(self: Any, path: str) -> Any:
        parsed.append(path)
        return load(self, path)

    first = client("sagemaker", AwsConfig(region="eu-west-1"))
    monkeypatch.setattr(JSONFileLoader, "load_file", counted)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    second = client("sagemaker", AwsConfig(region="us-east-1"))
    assert parsed == []
    assert (first.meta.region_name, second.meta.region_name) == ("eu-west-1", "us-east-1")
    assert second._request_signer._credentials.access_key == "another"


@pytest.mark.parametrize("key", ["", KEY])
def test_whatever_is_written_is_encrypted_with_the_key(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    s3 = client("s3", AwsConfig(region="eu-west-1", kms_key=key))
    sent = []

    def stop(params: dict[str, Any], **_: Any) -> Any:
        sent.append(params["headers"])
        raise RuntimeError("sent")

    s3.meta.events.register("before-call.s3", stop)
    place = {"Bucket": "shop", "Key": "a"}
    for request, more in (
        (s3.put_object, {"Body": b"x"}),
        (s3.copy_object, {"CopySource": "shop/b"}),
        (s3.create_multipart_upload, {}),
        (s3.get_object, {}),
    ):
        with pytest.raises(RuntimeError, match="sent"):
            request(**place, **more)
    name = "x-amz-server-side-encryption"
    keys = [headers.get(f"{name}-aws-kms-key-id") for headers in sent]
    assert keys == ([KEY, KEY, KEY, None] if key else [None] * 4)
    assert [headers.get(name) for headers in sent] == ["aws:kms" if key else None] * 3 + [None]
