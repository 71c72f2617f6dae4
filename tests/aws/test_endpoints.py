"""An ``aws.endpoint_url`` that is no address of a server, in every command that reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import call

WORKSPACE = ("--workspace", "s3://shop-data/retail")

COMMANDS = (
    ("run", "raw", *WORKSPACE),
    ("train", *WORKSPACE),
    ("models", "list", *WORKSPACE),
    ("models", "list", "--set", "registry.uri=sagemaker"),
    ("etl", "s3://shop-data/lines.csv"),
    ("aws", "run", "--data", "raw"),
    ("aws", "clean", "--dry-run"),
    ("aws", "provision", "--dry-run"),
    ("aws", "destroy", "--yes"),
    ("aws", "policy", "run"),
    ("aws", "pipeline", "status"),
    ("aws", "pipeline", "upsert", "--dry-run"),
)

ADDRESSES = ("file:///x", "javascript:alert(1)", "ftp://host", "http://", "http://host:99999", "x")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_it_is_refused_as_a_wrong_setting(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for address in ADDRESSES:
        outcome = call(*command, "--set", f"aws.endpoint_url={address}")
        assert (address, outcome.code) == (address, 2)
        assert f"aws.endpoint_url is {address!r}, which is not a valid endpoint." in outcome.err
        assert "Give http(s)://host[:port], or leave it empty." in outcome.err


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_doctor_names_it(address: str) -> None:
    outcome = call("doctor", "--aws", "--set", f"aws.endpoint_url={address}")
    assert outcome.code == 2
    assert f"aws.endpoint_url is {address!r}, which is not a valid endpoint." in outcome.out
