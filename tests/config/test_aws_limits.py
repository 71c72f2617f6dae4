from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from basketwise.config import AwsConfig
from basketwise.config.aws_limits import MAX_TAGS, RESERVED_TAGS
from basketwise.settings import load_config
from tests.aws.controls import BOUNDARY, BY_NAME, GROUPS, KEY, OWN_TAGS, SUBNETS


@pytest.mark.parametrize("name", BY_NAME)
def test_each_control_can_be_set(name: str) -> None:
    given = BY_NAME[name]
    set_up = AwsConfig(**given)
    assert {key: getattr(set_up, key) for key in given} == given


def test_they_can_be_set_in_the_environment() -> None:
    config = load_config(
        "/dev/null",
        {
            "BASKETWISE_AWS__SUBNETS": f'["{SUBNETS[0]}"]',
            "BASKETWISE_AWS__SECURITY_GROUPS": f'["{GROUPS[0]}"]',
            "BASKETWISE_AWS__TAGS": '{"CostCentre" = "4711"}',
        },
    )
    assert config.aws.subnets == SUBNETS[:1]
    assert config.aws.tags == {"CostCentre": "4711"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"subnets": SUBNETS}, "set both or none"),
        ({"security_groups": GROUPS}, "set both or none"),
        ({"subnets": ["vpc-0123456789abcdef0"], "security_groups": GROUPS}, "subnets"),
        ({"subnets": [*SUBNETS, SUBNETS[0]], "security_groups": GROUPS}, "name each once"),
        ({"subnets": [f"subnet-{n:08x}" for n in range(17)], "security_groups": GROUPS}, "16"),
        ({"subnets": SUBNETS, "security_groups": [f"sg-{n:08x}" for n in range(6)]}, "5"),
        ({"kms_key": "alias/shop"}, "kms_key"),
        ({"kms_key": KEY.replace(":key/", ":alias/")}, "kms_key"),
        ({"kms_key": KEY, "training_instance": "ml.m5d.large"}, "training_instance"),
        ({"kms_key": KEY, "processing_instance": "ml.g4dn.xlarge"}, "processing_instance"),
        ({"network_isolation": True, "etl": "spark"}, 'Set etl = "python"'),
        ({"permissions_boundary": BOUNDARY.replace(":policy/", ":role/")}, "boundary"),
        ({"tags": {"Project": "x"}}, "set by Basketwise itself"),
        ({"tags": {"aws:x": "x"}}, "AWS's own"),
        ({"tags": {"AWS:x": "x"}}, "AWS's own"),
        ({"tags": {"": "x"}}, "no key of a tag"),
        ({"tags": {"a" * 129: "x"}}, "no key of a tag"),
        ({"tags": {"a": "x" * 257}}, "value that AWS refuses"),
        ({"tags": {"a": "50 %"}}, "value that AWS refuses"),
        ({"tags": {f"k{n}": "x" for n in range(MAX_TAGS + 1)}}, "too many"),
    ],
)
def test_what_aws_would_refuse_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AwsConfig(**given)


def test_as_many_tags_as_fit_are_accepted() -> None:
    tags = {f"k{n}": "Größe 1/2" for n in range(MAX_TAGS)}
    assert AwsConfig(tags=tags).tags == tags
    assert not RESERVED_TAGS & OWN_TAGS.keys()


def test_equal_settings_have_one_hash() -> None:
    one, other = ({"a": "1", "b": "2"}, {"b": "2", "a": "1"})
    assert AwsConfig(tags=one) == AwsConfig(tags=other)
    assert len({AwsConfig(tags=one), AwsConfig(tags=other), AwsConfig()}) == 2
