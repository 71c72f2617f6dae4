"""Parsing of S3 addresses, ``s3://bucket/key``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from basketwise.errors import ConfigError
from basketwise.storage.scheme import OWN

SCHEME = "s3://"

NAMEABLE = re.compile(r"[\w.-]*")
HINT = (
    "Give s3://bucket or s3://bucket/prefix; a bucket's name has 3 to 63 lower-case letters, "
    "digits, dots and dashes."
)
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class Address:
    """A bucket and a key or prefix in it.

    Attributes
    ----------
    key
        Without slashes at its ends; empty for the whole bucket.

    Examples
    --------
    >>> Address.parse("s3://bucket/a/b/"), str(Address("bucket", "a/b"))
    (Address(bucket='bucket', key='a/b'), 's3://bucket/a/b')
    """

    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parse an address.

        Only what no bucket's name contains is refused, with a ConfigError: AWS's message would
        repeat it, and before an ``@`` it may be a password.
        """
        bucket, _, key = text.removeprefix(SCHEME).partition("/")
        if not NAMEABLE.fullmatch(bucket):
            raise ConfigError(f"{text!r} is not a valid S3 address.", HINT)
        return cls(bucket, key.strip("/"))

    def __str__(self) -> str:
        return SCHEME + "/".join(part for part in (self.bucket, self.key) if part)


def is_address(text: str) -> bool:
    """Whether a text is an address in S3, valid or not."""
    return text.startswith(SCHEME)


def workspace_address(location: str) -> Address:
    """Parse a workspace's address; raises ConfigError if it is not valid."""
    address = Address.parse(location)
    parts = address.key.split("/") if address.key else []
    if not BUCKET.fullmatch(address.bucket) or {"", ".", "..", OWN} & set(parts):
        raise ConfigError(f"The workspace {location!r} is not a valid S3 address.", HINT)
    return address
