"""Models, configurations and endpoints as SageMaker shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from basketwise.aws.cleanup.serving import ANY, remove, serving_of
from basketwise.errors import DependencyError
from tests.aws.leftover_scene import Scene, running_scene
from tests.seaweed import S3Server


@pytest.fixture
def scene(s3_server: S3Server, tmp_path: Path) -> Iterator[Scene]:
    with running_scene(s3_server, tmp_path) as running:
        yield running


def test_names_tags_and_uses_are_listed(scene: Scene) -> None:
    scene.model("retail-a", "run-a")
    scene.model("retail-b", "run-b", tagged=False)
    scene.model("theirs-retail-c", "run-c")
    scene.model("unused", "run-d")
    scene.config("retail-config", "retail-a")
    scene.config("other", "retail-b", "theirs-retail-c", tagged=False)
    scene.config("spare", "unused", tagged=False)
    scene.endpoint("shop", "other")
    result = serving_of(scene.sagemaker, scene.cloud.names)
    assert {item.name: (item.owned, set(item.uses)) for item in result.configs} == {
        "retail-config": (True, {"retail-a"}),
        "other": (False, {"retail-b", "theirs-retail-c"}),
        "spare": (False, {"unused"}),
    }
    assert {item.name: item.owned for item in result.models} == {
        "retail-a": True,
        "retail-b": False,
        # Not ours, but served: its archive may be one of ours.
        "theirs-retail-c": False,
    }
    archive = f"{scene.cloud.names.uri('artifacts', 'run-c')}model.tar.gz"
    assert [item.uses for item in result.models if item.name == "theirs-retail-c"] == [{archive}]
    assert result.in_use == {"other"}


def test_other_environments_are_not_owned(scene: Scene) -> None:
    scene.model("retail-a")
    tag = {"Key": "Environment", "Value": "prod"}
    arn = scene.resources.by_kind["Model"]["retail-a"]["ModelArn"]
    scene.sagemaker.add_tags(ResourceArn=arn, Tags=[tag])
    assert [item.owned for item in serving_of(scene.sagemaker, scene.cloud.names).models] == [False]


def test_ones_own_tags_may_change(scene: Scene) -> None:
    scene.model("retail-a")
    names = replace(scene.cloud.names, own_tags=(("CostCentre", "4711"),))
    assert [item.owned for item in serving_of(scene.sagemaker, names).models] == [True]


def test_an_endpoint_that_is_being_changed_uses_both_configurations(scene: Scene) -> None:
    scene.model("retail-a")
    for name in ("retail-old", "retail-new"):
        scene.config(name, "retail-a")
    scene.endpoint("shop", "retail-old")
    changing = {"EndpointConfigName": "retail-new"}
    scene.resources.by_kind["Endpoint"]["shop"]["PendingDeploymentSummary"] = changing
    result = serving_of(scene.sagemaker, scene.cloud.names)
    assert result.in_use == {"retail-old", "retail-new"}


def test_all_ways_to_name_a_model_and_an_archive_count(scene: Scene) -> None:
    scene.model("retail-a")
    scene.config("retail-config", "retail-a")
    config = scene.resources.by_kind["EndpointConfig"]["retail-config"]
    config["ShadowProductionVariants"] = [{"VariantName": "s", "ModelName": "retail-b"}]
    config["ProductionVariants"].append({"VariantName": "components"})
    model = scene.resources.by_kind["Model"]["retail-a"]
    del model["PrimaryContainer"]
    model["Containers"] = [
        {"ModelPackageName": "arn:1"},
        {"ModelDataSource": {"S3DataSource": {"S3Uri": "s3://b/x/"}}},
        {"AdditionalModelDataSources": [{"S3DataSource": {"S3Uri": "s3://b/y/"}}]},
    ]
    result = serving_of(scene.sagemaker, scene.cloud.names)
    assert result.configs[0].uses == {"retail-a", "retail-b", ANY}
    assert result.models[0].uses == {"arn:1", "s3://b/x/", "s3://b/y/"}


def test_foreign_configurations_are_ignored_without_a_model(scene: Scene) -> None:
    scene.model("theirs")
    scene.config("spare", "theirs")
    assert serving_of(scene.sagemaker, scene.cloud.names).configs == ()
    assert scene.cloud.service.called("DescribeEndpointConfig") == []


def test_resources_deleted_meanwhile_are_ignored(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.model("retail-a")
    listed = scene.resources.ListModels({})
    remove(scene.sagemaker, "model", "retail-a")
    remove(scene.sagemaker, "model", "retail-a")
    remove(scene.sagemaker, "endpoint config", "retail-c")
    monkeypatch.setattr(scene.resources, "ListModels", lambda _: listed)
    assert serving_of(scene.sagemaker, scene.cloud.names).models == ()


@pytest.mark.parametrize("operation", ["ListEndpoints", "DescribeModel", "ListTags"])
def test_a_denied_listing_is_not_empty(scene: Scene, operation: str) -> None:
    scene.model("retail-a")
    scene.cloud.service.denied.add(operation)
    with pytest.raises(DependencyError, match="not authorized"):
        serving_of(scene.sagemaker, scene.cloud.names)
