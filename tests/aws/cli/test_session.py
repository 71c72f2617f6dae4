"""Which workspace the commands on AWS take, before AWS is asked anything."""

from __future__ import annotations

import pytest

from tests.cli.calling import call

COMMANDS = (
    ("run", "--data", "raw"),
    ("clean", "--dry-run"),
    ("provision", "--dry-run"),
    ("policy", "run"),
    ("pipeline", "status"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=[item[0] for item in COMMANDS])
@pytest.mark.parametrize("address", ["s3://", "s3:///x", "s3://Shop_Data/x", "s3://shop-data/a//b"])
def test_an_invalid_address_is_a_wrong_argument(command: tuple[str, ...], address: str) -> None:
    outcome = call("aws", *command, "--workspace", address)
    assert outcome.code == 2
    assert f"The workspace '{address}' is not a valid S3 address." in outcome.err
    assert "s3://bucket/prefix" in outcome.err


def test_a_folder_is_refused_too() -> None:
    outcome = call("aws", "policy", "run", "--workspace", "ws")
    assert outcome.code == 2
    assert "is not in a bucket" in outcome.err
