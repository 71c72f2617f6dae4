"""Raw files of a bucket, also of one where little is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from basketwise.aws import clients
from basketwise.config import AwsConfig
from basketwise.errors import DependencyError, InputError
from basketwise.storage.opening import local_copy
from tests.seaweed import S3Server


class Source:
    """A folder of the bucket, and a client that may list and read there only."""

    def __init__(self, server: S3Server) -> None:
        self.s3, self.bucket = server.client(), server.bucket
        self.folder = f"{server.new_prefix()}/raw"
        self.address = f"s3://{self.bucket}/{self.folder}"
        self.listed: list[str] = []
        self.fetched: list[str] = []

    def put(self, name: str, text: str) -> None:
        """Write an object below the folder."""
        self.s3.put_object(Bucket=self.bucket, Key=f"{self.folder}/{name}", Body=text.encode())

    def guard(self) -> None:
        """Refuse, from now on, what a narrow policy refuses."""
        events = self.s3.meta.events
        events.register("provide-client-params.s3.ListObjectsV2", self._list)
        events.register("provide-client-params.s3.GetObject", self._get)

    def _list(self, params: dict[str, Any], **_: object) -> None:
        self.listed.append(params["Prefix"])
        self._refuse(params["Prefix"], "ListObjectsV2")

    def _get(self, params: dict[str, Any], **_: object) -> None:
        self.fetched.append(params["Key"].rpartition("/")[2])
        self._refuse(params["Key"], "GetObject")

    def _refuse(self, key: str, action: str) -> None:
        if not key.startswith(f"{self.folder}/"):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": key}}, action)


@pytest.fixture
def source(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = Source(s3_server)
    monkeypatch.setattr(clients, "client", lambda *_: source.s3)
    return source


def test_only_the_data_are_requested(source: Source) -> None:
    for name in ("a.csv", "b.csv", "deep/c.csv", "mark/"):
        source.put(name, name)
    source.guard()

    folder = Path(local_copy(source.address + "/", AwsConfig()))

    assert (folder / "a.csv").read_text() == "a.csv"
    result = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert result == ["a.csv", "b.csv", "deep/c.csv"]
    assert set(source.listed) == {f"{source.folder}/"}

    source.fetched.clear()
    assert local_copy(source.address, AwsConfig()) == str(folder)
    assert source.fetched == []


def test_one_file_or_a_pattern(source: Source) -> None:
    source.put("a.csv", "1")
    source.put("b.csv.gz", "2")
    source.guard()

    assert Path(local_copy(f"{source.address}/a.csv", AwsConfig())).read_text() == "1"
    pattern = Path(local_copy(f"{source.address}/*.csv", AwsConfig()))
    assert [path.name for path in pattern.parent.glob(pattern.name)] == ["a.csv"]


def test_a_folder_with_a_longer_name_is_another(source: Source) -> None:
    source.s3.put_object(Bucket=source.bucket, Key=f"{source.folder}-old/a.csv", Body=b"1")

    with pytest.raises(DependencyError, match="No raw files found"):
        local_copy(source.address, AwsConfig())


@pytest.mark.parametrize("data", ["s3://", "s3:///raw", "s3://bucket", "s3://bucket/*.csv"])
def test_other_addresses_are_refused(data: str) -> None:
    with pytest.raises(InputError, match="names no files"):
        local_copy(data, AwsConfig())


def test_local_data_are_not_copied() -> None:
    assert local_copy("data/*.csv", AwsConfig()) == "data/*.csv"
