"""What the doctor says of the images that jobs run in."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from basketwise.aws.checks.image import images
from basketwise.aws.images import SPARK_UNLISTED, SUPPORTED_UNTIL, UNLISTED
from basketwise.config import AwsConfig, Config
from basketwise.doctor.check import Check
from tests.fakes.model_registry import ACCOUNT

REGION = "us-east-1"
OWN = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop/basketwise@sha256:{'a' * 64}"


def config(**aws: Any) -> Config:
    return Config(aws=AwsConfig(**{"region": REGION, **aws}))


def address(settings: Config, region: str) -> Check:
    return next(check for check in images(settings, region) if check.name == "image")


def on(monkeypatch: pytest.MonkeyPatch, day: str) -> None:
    """Let the clock show a day."""
    monkeypatch.setattr("basketwise.aws.checks.image.today", lambda: date.fromisoformat(day))


def warnings(settings: Config, region: str = REGION) -> dict[str, Check]:
    checks = list(images(settings, region))
    assert "failed" not in {check.state for check in checks}
    return {check.name: check for check in checks if check.state == "warning"}


@pytest.mark.parametrize("region", sorted(UNLISTED))
def test_a_region_that_aws_does_not_list(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "2026-11-27")
    found = warnings(config(region=region), region)

    assert list(found) == ["image region"]
    assert f"does not list {region}" in found["image region"].text
    assert 'aws.image = "own"' in found["image region"].fix
    own = OWN.replace(REGION, region)
    assert not warnings(config(region=region, image="own", image_uri=own), region)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2027-01-13", ""),
        ("2027-01-14", "ends on 2027-07-16"),
        ("2027-07-15", "ends on 2027-07-16"),
        ("2027-07-16", "ended on 2027-07-16"),
        ("2031-01-01", "ended on 2027-07-16"),
    ],
)
def test_the_end_of_an_images_support(
    day: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, day)
    found = warnings(config())

    assert bool(found) == bool(expected)
    for check in found.values():
        assert expected in check.text
        assert "aws.image_tag" in check.fix


def test_an_unknown_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "2027-01-01")
    found = warnings(config(image_tag="2.0-1-cpu-py3"))

    assert "2.0-1-cpu-py3 is not one that is known" in found["image support"].text
    assert all(tag in found["image support"].fix for tag in SUPPORTED_UNTIL)
    assert address(config(image_tag="2.0-1-cpu-py3"), REGION).text.endswith(":2.0-1-cpu-py3")


def test_the_image_of_etl_on_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "2026-11-27")
    named = {check.name: check for check in images(config(etl="spark"), REGION)}
    assert named["spark image"].text.endswith("/sagemaker-spark-processing:3.5-cpu-py312-v1.4")
    assert named["spark image"].state == "ok"
    for region in SPARK_UNLISTED:
        assert "spark image region" in warnings(config(region=region, etl="spark"), region)
    spark = {"region": "us-gov-west-1", "etl": "spark", "spark_image_uri": "1.dkr/spark:1"}
    assert "spark image region" not in warnings(config(**spark), "us-gov-west-1")
    unknown = list(images(config(etl="spark"), "ap-south-2"))
    assert [check.state for check in unknown if check.name == "spark image"] == ["failed"]


def test_graviton_needs_an_image_that_was_built_for_it() -> None:
    settings = config(image="own", image_uri=OWN, training_instance="ml.m7g.large")
    found = warnings(settings)

    assert found["processor"].text.startswith("ml.m7g.large: ARM64")
    assert "x86-64 only" in found["processor"].fix


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("docker.io/shop/basketwise:1", "is not in an ECR repository"),
        (f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/shop:1", "is in eu-west-1"),
    ],
)
def test_an_image_that_cannot_be_pulled(uri: str, expected: str) -> None:
    check = address(config(image="own", image_uri=uri), REGION)

    assert (check.state, check.exit_code) == ("failed", 2)
    assert expected in check.text
    assert "aws.image_uri" in check.fix


@pytest.mark.parametrize(("ending", "tag"), [(":1.2", "1.2"), ("", "latest")])
def test_an_image_by_a_tag_may_change(ending: str, tag: str) -> None:
    named = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop/basketwise"
    check = address(config(image="own", image_uri=f"{named}{ending}"), REGION)

    assert check.state == "warning"
    advice, command = check.fix.splitlines()
    assert f"Set aws.image_uri to {named}@sha256:" in advice
    assert f"--repository-name shop/basketwise --image-ids imageTag={tag} " in command
    assert f"--region {REGION} --registry-id {ACCOUNT} " in command


@pytest.mark.parametrize("tag", ["", ":1"])
def test_images_that_can(tag: str) -> None:
    repository = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop/basketwise"
    own = f"{repository}{tag}@sha256:{'a' * 64}"

    assert address(config(image="own", image_uri=own), REGION) == Check("image", "ok", own)
    assert address(config(), "mars-north-1").state == "failed"
