"""Deployment configurations that always agree with the registry."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from basketwise.artifact.archive import read_json
from basketwise.config import DeploymentConfig
from basketwise.files import EVALUATION_RESULTS, MODEL_METADATA
from basketwise.registry.export import LATEST, build_deployment_config, write_deployment_config
from basketwise.registry.protocol import ApprovalState, ModelVersion, Registry


def export_version(
    registry: Registry, version: ModelVersion, folder: Path, config: DeploymentConfig
) -> Path:
    """Write a version's deployment configuration, from what its own archive says.

    ``latest_model_config.json`` is written too if the version is the champion.

    Returns
    -------
    Path
        The file with the time in its name.
    """
    with TemporaryDirectory(prefix="basketwise-") as scratch:
        archive = registry.fetch(version.version, Path(scratch))
        evaluated = read_json(archive, EVALUATION_RESULTS)
        results = {**evaluated, **read_json(archive, MODEL_METADATA)}
    now = datetime.now(UTC)
    # The caller may have asked for the version before its state changed.
    current = registry.get(version.version)
    document = build_deployment_config(current, results, config, exported_at=now)
    leads = current.champion and current.state is ApprovalState.APPROVED
    return write_deployment_config(folder, document, approved=leads, at=now)


def follow_champion(registry: Registry, folder: Path, config: DeploymentConfig) -> Path | None:
    """Let ``latest_model_config.json`` name the champion, or nothing where there is none."""
    champion = registry.champion()
    if champion is None:
        (folder / LATEST).unlink(missing_ok=True)
        return None
    return export_version(registry, champion, folder, config)
