"""``deploy render`` on a workspace of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from basketwise.config import RegistryConfig
from basketwise.digests import content, sha256
from basketwise.plugins import TARGETS
from basketwise.registry.opening import open_registry
from basketwise.registry.protocol import Submission
from tests.cli.calling import call, called
from tests.etl.running import Run
from tests.evaluation.running import Evaluated, tree_archive

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlops/retail-api@sha256:" + "3" * 64
URL = "s3://a-bucket/model.tar.gz"
ROLE = "arn:aws:iam::123456789012:role/serving"
NEEDED = {
    "kubernetes": ("--image", IMAGE),
    "sagemaker": ("--image", IMAGE, "--model-url", URL, "--role-arn", ROLE),
}
"""Options without which a target cannot be rendered."""


@pytest.fixture(scope="module")
def archive(
    evaluated: Evaluated, sample_run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return tree_archive(evaluated, sample_run.gold, tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def workspace(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1, approved."""
    workspace = tmp_path_factory.mktemp("deploy") / "w"
    registry = open_registry(RegistryConfig(), workspace / "registry")
    tags = {"model_name": "decision_tree"}
    registry.register(Submission("run-1", archive, sha256(archive), "", {}, {}, tags), who="test")
    called("models", "approve", "1", "--workspace", workspace)
    return workspace


@pytest.mark.parametrize("target", list(TARGETS))
def test_a_target_is_rendered(target: str, workspace: Path, archive: Path, tmp_path: Path) -> None:
    arguments: tuple[str | Path, ...] = ("deploy", "render", "--to", target)
    arguments += ("--workspace", workspace, "--out", tmp_path / "out", *NEEDED.get(target, ()))
    before = content(workspace)
    outcome = called(*arguments)
    assert f"version 1 of retail-price-sensitivity-models, sha256 {sha256(archive)}\n" in (
        outcome.out
    )
    assert "\nNext: " in outcome.out
    assert str(tmp_path / "out") in outcome.out.partition("\nNext: ")[2]
    first = content(tmp_path / "out")
    document = called(*arguments, "--json").json
    assert document["sha256"] == sha256(archive)
    assert {*document["files"], "rendered.json"} == set(first)
    assert content(tmp_path / "out") == first
    assert content(workspace) == before


def test_nothing_is_rendered_of_a_version_that_was_rejected(
    workspace: Path, tmp_path: Path
) -> None:
    latest = workspace / "deployment-configs" / "latest_model_config.json"
    text = latest.read_bytes()
    called("models", "reject", "1", "--workspace", workspace)
    try:
        arguments = ("--workspace", workspace, "--out", tmp_path / "out")
        refused = call("deploy", "render", "--to", "docker", *arguments)
        assert refused.code == 2
        assert "no version is approved" in refused.err
        # As somebody left it who changed the registry elsewhere.
        latest.write_bytes(text)
        refused = call("deploy", "render", "--to", "docker", *arguments)
        assert refused.code == 2
        assert "is Rejected now." in refused.err
        assert not (tmp_path / "out").exists()
    finally:
        called("models", "approve", "1", "--workspace", workspace)


def test_a_tag_is_no_image(workspace: Path, tmp_path: Path) -> None:
    refused = call(
        *("deploy", "render", "--to", "compose", "--workspace", workspace),
        *("--out", tmp_path / "out", "--image", "retail-api:latest"),
    )
    assert refused.code == 2
    assert refused.err.startswith("--image is 'retail-api:latest'.\nGive an image with its digest")


def test_a_workspace_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    refused = call("deploy", "render", "--to", "docker", "--workspace", tmp_path / "nowhere")
    assert refused.code == 2
    assert json.dumps(list(map(str, tmp_path.iterdir()))) == "[]"
