from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from basketwise.artifact.archive import pack, write_manifest
from basketwise.config import DeploymentConfig
from basketwise.digests import sha256
from basketwise.errors import InputError
from basketwise.registry.deployment import export_version, follow_champion
from basketwise.registry.protocol import ApprovalState, ModelVersion, Submission
from tests.evaluation.running import Evaluated
from tests.fakes.registry import MemoryRegistry

CONFIG = DeploymentConfig(instance_type="ml.m5.large", max_capacity=4)


@pytest.fixture
def registry(evaluated: Evaluated) -> MemoryRegistry:
    """Hold three versions of the same real archive, none of them approved."""
    made = MemoryRegistry()
    for number in range(3):
        made.register(submitted(evaluated.archive, f"run-{number}"), who="test")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deployment-configs"


def submitted(archive: Path, run: str = "run") -> Submission:
    return Submission(run, archive, sha256(archive), "a model", {}, {}, {"model_name": "xgboost"})


def approve(registry: MemoryRegistry, version: str) -> ModelVersion:
    return registry.set_state(version, ApprovalState.APPROVED, who="test", why="good")


def reject(registry: MemoryRegistry, version: str) -> ModelVersion:
    return registry.set_state(version, ApprovalState.REJECTED, who="test", why="bad")


def read(path: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(path.read_bytes()))


def latest(folder: Path) -> str | None:
    path = folder / "latest_model_config.json"
    return read(path)["metadata"]["model_version"] if path.is_file() else None


def test_an_export_says_what_the_versions_own_archive_says(
    registry: MemoryRegistry, evaluated: Evaluated, folder: Path
) -> None:
    version = approve(registry, "2")
    path = export_version(registry, version, folder, CONFIG)
    found = read(path)
    scores = read(evaluated.folder / "model_metadata.json")
    results = read(evaluated.folder / "evaluation_results.json")
    assert found["performance_metrics"] == {
        name: scores[name]
        for name in ("accuracy", "f1_score", "precision", "recall", "cv_accuracy")
    }
    assert found["feature_info"] == {
        "feature_columns": evaluated.record.feature_columns,
        "target_classes": ["Low", "Medium", "High"],
    }
    assert found["model_info"]["model_sha256"] == sha256(evaluated.archive)
    assert found["model_info"]["approval_status"] == "Approved"
    assert found["metadata"]["training_timestamp"] == results["training_timestamp"]
    assert found["metadata"]["model_version"] == "2"
    exported = datetime.fromisoformat(found["metadata"]["export_timestamp"])
    assert exported.tzinfo is UTC
    assert found["deployment_config"]["endpoint_config"]["instance_type"] == "ml.m5.large"
    assert found["deployment_config"]["auto_scaling"]["max_capacity"] == 4


def test_the_champions_export_is_the_latest(registry: MemoryRegistry, folder: Path) -> None:
    path = export_version(registry, approve(registry, "1"), folder, CONFIG)
    assert read(folder / "latest_model_config.json") == read(path)


def test_any_other_version_is_exported_without_becoming_the_latest(
    registry: MemoryRegistry, folder: Path
) -> None:
    approve(registry, "1")
    approve(registry, "2")
    for version in ("1", "3"):
        path = export_version(registry, registry.get(version), folder, CONFIG)
        assert read(path)["metadata"]["model_version"] == version
    assert latest(folder) is None


def test_the_state_is_the_registrys_and_not_what_the_caller_remembers(
    registry: MemoryRegistry, folder: Path
) -> None:
    before = registry.get("1")
    after = approve(registry, "1")
    assert (
        read(export_version(registry, before, folder, CONFIG))["model_info"]["approval_status"]
        == "Approved"
    )
    assert latest(folder) == "1"
    reject(registry, "1")
    path = export_version(registry, after, folder, CONFIG)
    assert read(path)["model_info"]["approval_status"] == "Rejected"


def test_the_latest_follows_approvals_rejections_and_rollback(
    registry: MemoryRegistry, folder: Path
) -> None:
    def follow() -> str | None:
        follow_champion(registry, folder, CONFIG)
        return latest(folder)

    assert follow() is None
    approve(registry, "1")
    assert follow() == "1"
    approve(registry, "3")
    assert follow() == "3"
    approve(registry, "2")
    assert follow() == "2"
    reject(registry, "1")
    assert follow() == "2"
    # A rollback is a rejection of the leader: what was approved before it leads again.
    reject(registry, "2")
    assert follow() == "3"
    registry.set_state("3", ApprovalState.PENDING, who="test", why="look again")
    assert follow() is None
    approve(registry, "1")
    assert follow() == "1"


def test_without_a_champion_older_configs_stay_as_a_record(
    registry: MemoryRegistry, folder: Path
) -> None:
    approve(registry, "1")
    kept = follow_champion(registry, folder, CONFIG)
    reject(registry, "1")
    assert follow_champion(registry, folder, CONFIG) is None
    assert kept is not None
    assert [path.name for path in folder.iterdir()] == [kept.name]


def test_no_champion_and_no_folder_is_no_error(folder: Path) -> None:
    assert follow_champion(MemoryRegistry(), folder, CONFIG) is None
    assert not folder.exists()


def test_an_archive_without_results_is_refused_and_nothing_is_written(
    folder: Path, tmp_path: Path
) -> None:
    empty, archive = tmp_path / "empty", tmp_path / "model.tar.gz"
    empty.mkdir()
    write_manifest(empty, {})
    pack(empty, archive)
    registry = MemoryRegistry()
    registry.register(submitted(archive), who="test")
    with pytest.raises(InputError, match=r"no readable evaluation_results\.json"):
        export_version(registry, approve(registry, "1"), folder, CONFIG)
    assert not folder.exists()
