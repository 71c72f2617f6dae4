"""Deployment configurations, which always agree with the registry.

What whoever deploys a version needs to know about it is written once: a version whose
configuration is there already gets no second file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from basketwise.config import DeploymentConfig
from basketwise.errors import InputError, writing
from basketwise.files import write_whole
from basketwise.registry.protocol import ApprovalState, ModelVersion

LATEST = "latest_model_config.json"
PREFIX = "model_deployment_config_"
NAME = f"{PREFIX}%Y%m%d_%H%M%S.json"
SCORES = ("accuracy", "f1_score", "precision", "recall", "cv_accuracy")
NEEDED = (*SCORES, "feature_columns", "target_classes", "training_timestamp")


def exported(folder: Path, version: ModelVersion) -> Path | None:
    """Return the file that names a version, if ``latest_model_config.json`` says the same."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        data = (folder / LATEST).read_bytes()
        latest = json.loads(data)
        number, digest = latest["metadata"]["model_version"], latest["model_info"]["model_sha256"]
        if (number, digest) == (version.version, version.sha256):
            copies = (path for path in folder.glob(f"{PREFIX}*.json") if path.read_bytes() == data)
            return max(copies, default=folder / LATEST)
    return None


def build_deployment_config(
    version: ModelVersion,
    results: Mapping[str, Any],
    config: DeploymentConfig,
    *,
    exported_at: datetime,
) -> dict[str, Any]:
    """Return the deployment configuration of one version as plain JSON values.

    The results are what the evaluation left: the scores are fractions, precision, recall and F1
    macro averages.
    """
    check_results(version.version, results)
    return {
        "model_info": {
            "model_package_arn": version.uri,
            "model_data_url": version.model_data_url,
            "image_uri": version.image_uri,
            # models:/<group>/<version> and a package ARN end alike.
            "model_name": version.tags.get("model_name", version.uri.split("/")[-2]),
            "approval_status": str(version.state),
            "model_sha256": version.sha256,
        },
        "performance_metrics": {name: float(results[name]) for name in SCORES},
        "deployment_config": {
            "endpoint_config": {
                "instance_type": config.instance_type,
                "initial_instance_count": config.initial_instance_count,
                "max_instance_count": config.max_instance_count,
            },
            "auto_scaling": {
                "min_capacity": config.min_capacity,
                "max_capacity": config.max_capacity,
                "target_cpu_utilization": config.target_cpu_utilization,
            },
        },
        "feature_info": {
            "feature_columns": list(results["feature_columns"]),
            "target_classes": list(results["target_classes"]),
            # Only said of a model that does.
            **({"needs_history": True} if results.get("needs_history") else {}),
        },
        "metadata": {
            "training_timestamp": str(results["training_timestamp"]),
            "model_version": version.version,
            "export_timestamp": exported_at.astimezone(UTC).isoformat(),
        },
    }


def check_results(version: str, results: Mapping[str, Any]) -> None:
    """Refuse results of an evaluation that lack what a deployment configuration needs."""
    missing = [name for name in NEEDED if name not in results]
    if missing:
        raise InputError(
            f"The results of version {version} lack {', '.join(missing)}.",
            f"Needed: {', '.join(NEEDED)}. Evaluate the run again.",
        )


def write_deployment_config(
    folder: Path, document: dict[str, Any], *, latest: bool, at: datetime
) -> Path:
    """Write a deployment configuration, and if it is the ``latest``, the file of that name too.

    Each file is written whole or not at all. It is named after the time, which is timezone-aware,
    in UTC, to the second, or after the second that follows the newest file. An earlier file
    that says the same, but for the time of the export, is returned instead.

    Raises
    ------
    InputError
        If the ``latest`` is not of an Approved version; nothing is written then.
    WorkspaceError
        If the folder cannot be written to.
    """
    status = document["model_info"]["approval_status"]
    if latest and status != ApprovalState.APPROVED:
        raise InputError(
            f"{LATEST} may only name an Approved version; version "
            f"{document['metadata']['model_version']} is {status}.",
            "Approve the version first, or export it without making it the latest.",
        )
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with writing(
        f"The deployment configuration cannot be written to {folder}",
        "Free some disk space or choose a workspace that this user may write to.",
    ):
        folder.mkdir(parents=True, exist_ok=True)
        path = _existing(folder, document) or _write_new(folder, text, at.astimezone(UTC))
        data, copy = path.read_bytes(), folder / LATEST
        if latest and not (copy.is_file() and copy.read_bytes() == data):
            write_whole(copy, data)
        return path


def _existing(folder: Path, document: dict[str, Any]) -> Path | None:
    """Return the newest file that says the same as a document, but for the time of its export."""
    for path in sorted(folder.glob(f"{PREFIX}*.json"), reverse=True):
        with suppress(ValueError, KeyError, TypeError):
            earlier = json.loads(path.read_bytes())
            exported = {"export_timestamp": earlier["metadata"]["export_timestamp"]}
            if earlier == document | {"metadata": document["metadata"] | exported}:
                return path
    return None


def _write_new(folder: Path, text: str, at: datetime) -> Path:
    """Write a file named after ``at``, or so that its name follows all others.

    Whoever writes here holds the workspace's lock, so nobody else takes the name meanwhile.
    """
    for path in folder.glob(f"{PREFIX}*.json"):
        with suppress(ValueError, OverflowError):
            other = datetime.strptime(path.name, NAME).replace(tzinfo=UTC)
            at = max(at, other + timedelta(seconds=1))
    path = folder / at.strftime(NAME)
    write_whole(path, text.encode())
    return path
