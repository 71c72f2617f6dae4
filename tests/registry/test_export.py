from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from basketwise.config import DeploymentConfig
from basketwise.errors import InputError, WorkspaceError
from basketwise.registry.export import build_deployment_config, write_deployment_config
from basketwise.registry.protocol import ApprovalState, ModelVersion

AT = datetime(2026, 3, 1, 12, 30, 59, tzinfo=UTC)
RESULTS: dict[str, Any] = {
    "accuracy": 0.91,
    "f1_score": 0.9,
    "precision": 0.89,
    "recall": 0.88,
    "cv_accuracy": 0.87,
    "feature_columns": ("total_spend", "avg_spend"),
    "target_classes": ("Low", "Medium", "High"),
    "training_timestamp": "2026-03-01T11:00:00+00:00",
    "another": object(),
}


def version(state: ApprovalState = ApprovalState.APPROVED) -> ModelVersion:
    return ModelVersion(
        version="3",
        run_id="run-7",
        state=state,
        created_at=AT,
        sha256="ab" * 32,
        uri="models:/retail-price-sensitivity-models/3",
        model_data_url="registry/artifacts/1/artifacts/model.tar.gz",
        description="",
        metrics={},
        tags={},
        champion=True,
    )


def document(state: ApprovalState = ApprovalState.APPROVED) -> dict[str, Any]:
    return build_deployment_config(version(state), RESULTS, DeploymentConfig(), exported_at=AT)


def test_the_document_has_exactly_the_agreed_shape() -> None:
    assert document() == {
        "model_info": {
            "model_package_arn": "models:/retail-price-sensitivity-models/3",
            "model_data_url": "registry/artifacts/1/artifacts/model.tar.gz",
            "image_uri": None,
            "model_name": "retail-price-sensitivity-models",
            "approval_status": "Approved",
            "model_sha256": "ab" * 32,
        },
        "performance_metrics": {
            "accuracy": 0.91,
            "f1_score": 0.9,
            "precision": 0.89,
            "recall": 0.88,
            "cv_accuracy": 0.87,
        },
        "deployment_config": {
            "endpoint_config": {
                "instance_type": "ml.t2.medium",
                "initial_instance_count": 1,
                "max_instance_count": 10,
            },
            "auto_scaling": {
                "min_capacity": 1,
                "max_capacity": 10,
                "target_cpu_utilization": 70,
            },
        },
        "feature_info": {
            "feature_columns": ["total_spend", "avg_spend"],
            "target_classes": ["Low", "Medium", "High"],
        },
        "metadata": {
            "training_timestamp": "2026-03-01T11:00:00+00:00",
            "model_version": "3",
            "export_timestamp": "2026-03-01T12:30:59+00:00",
        },
    }


def test_results_that_lack_something_are_refused_by_name() -> None:
    lacking = {name: value for name, value in RESULTS.items() if name not in ("recall", "f1_score")}
    with pytest.raises(InputError, match="version 3 lack f1_score, recall"):
        build_deployment_config(version(), lacking, DeploymentConfig(), exported_at=AT)


def test_an_approved_version_becomes_the_latest(tmp_path: Path) -> None:
    folder = tmp_path / "deployment-configs"
    path = write_deployment_config(folder, document(), approved=True, at=AT)
    assert path == folder / "model_deployment_config_20260301_123059.json"
    latest = folder / "latest_model_config.json"
    assert json.loads(path.read_text()) == json.loads(latest.read_text()) == document()
    assert sorted(folder.iterdir()) == sorted([path, latest])
    changed = document() | {"metadata": {"model_version": "4"}}
    write_deployment_config(folder, changed, approved=True, at=AT)
    assert json.loads(latest.read_text())["metadata"]["model_version"] == "4"
    assert json.loads(path.read_text()) == document()


def test_other_versions_leave_the_latest_alone(tmp_path: Path) -> None:
    pending = document(ApprovalState.PENDING)
    path = write_deployment_config(tmp_path, pending, approved=False, at=AT)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("state", [ApprovalState.PENDING, ApprovalState.REJECTED])
def test_the_latest_never_names_another_state(tmp_path: Path, state: ApprovalState) -> None:
    with pytest.raises(InputError, match=f"version 3 is {state}"):
        write_deployment_config(tmp_path, document(state), approved=True, at=AT)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_same_second_is_never_overwritten(tmp_path: Path) -> None:
    paths = [
        write_deployment_config(tmp_path, {**document(), "n": n}, approved=False, at=AT)
        for n in range(3)
    ]
    assert [path.name[-11:] for path in paths] == ["123059.json", "123100.json", "123101.json"]
    assert [json.loads(path.read_text())["n"] for path in paths] == [0, 1, 2]


def test_the_name_is_in_utc(tmp_path: Path) -> None:
    local = AT.astimezone(timezone(timedelta(hours=5)))
    path = write_deployment_config(tmp_path, document(), approved=False, at=local)
    assert path.name == "model_deployment_config_20260301_123059.json"


def test_file_systems_without_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    names = [
        write_deployment_config(tmp_path, document(), approved=False, at=AT).name for _ in range(2)
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WorkspaceError, match="No space left on device"):
        write_deployment_config(tmp_path, document(), approved=True, at=AT)
    assert list(tmp_path.iterdir()) == []
