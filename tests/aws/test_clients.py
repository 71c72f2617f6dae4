"""Opening boto3 clients."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.loaders import JSONFileLoader

from basketwise.aws.clients import client
from basketwise.config import AwsConfig


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
