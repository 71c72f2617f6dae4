"""Files that Spark's tasks and their driver hand each other, below a prefix of a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from basketwise.aws import clients
from basketwise.aws.address import Address
from basketwise.aws.s3 import Bucket
from basketwise.config import AwsConfig
from basketwise.errors import BasketwiseError, DependencyError
from basketwise.scratch import scratch

MARK = "exchange"
"""What shows that a machine reaches the prefix."""


@dataclass(frozen=True)
class BucketExchange:
    """An exchange of the engine's, see :data:`basketwise.plugins.EXCHANGES`; a file is an object.

    Attributes
    ----------
    location
        An address, ``s3://bucket/prefix``.
    config
        Region and endpoint.
    """

    location: str
    config: AwsConfig
    _names: dict[Path, str] = field(default_factory=dict, compare=False, repr=False)
    """Of the driver's files that are in the bucket already."""

    def __reduce__(self) -> tuple[type[BucketExchange], tuple[str, AwsConfig]]:
        """Send to tasks where it is."""
        return BucketExchange, (self.location, self.config)

    @property
    def _bucket(self) -> Bucket:
        address = Address.parse(self.location)
        client = _client(self.config.region, self.config.endpoint_url)
        return Bucket(client, address.bucket, address.key)

    def open(self) -> None:
        """Write the mark."""
        self._bucket.put(MARK, b"")

    def is_reached(self) -> bool:
        """Whether the mark can be read."""
        try:
            return self._bucket.get(MARK) is not None
        except BasketwiseError:
            return False

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Give a temporary path, and upload it at the end of the block."""
        with scratch() as folder:
            path = folder / "file"
            yield path
            self._bucket.upload(path, name)

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Download the file for the time of the block."""
        with scratch() as folder:
            path = folder / "file"
            self._download(name, path)
            yield path

    def take(self, name: str, target: Path) -> None:
        """Download the file; it stays in the bucket, where tasks may be offered it again."""
        self._download(name, target)
        self._names[target.absolute()] = name

    def _download(self, name: str, target: Path) -> None:
        listed = self._bucket.below(name).get(name)
        if listed is None:
            raise DependencyError(
                f"{self._bucket.uri(name)} is missing, which a task has written.",
                "Somebody else has deleted it. Run the command again.",
            )
        self._bucket.fetch(listed, target)

    def offer(self, path: Path) -> str:
        """Upload a file, unless it came from here."""
        path = path.absolute()
        if path not in self._names:
            name = f"offered/{uuid4().hex}"
            self._bucket.upload(path, name)
            self._names[path] = name
        return self._names[path]

    def close(self) -> None:
        """Delete everything below the prefix."""
        self._bucket.remove(self._bucket.listed(""))


@cache
def _client(region: str, endpoint_url: str) -> Any:
    return clients.client("s3", AwsConfig(region=region, endpoint_url=endpoint_url))
