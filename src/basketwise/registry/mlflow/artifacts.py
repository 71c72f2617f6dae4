"""Files of an embedded registry for MLflow's own tools, without a server in between.

The embedded registry records ``mlflow-artifacts:`` addresses, never an absolute path, so that a
workspace may be moved. MLflow itself resolves them through a server only. This plug-in, an entry
point of the package, also resolves them below the folder of the SQLite file; with a server nothing
changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

FOLDER = "artifacts"
SQLITE = "sqlite:///"


def open_artifacts(
    artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> ArtifactRepository:
    """Return where the files of ``mlflow-artifacts:/…`` are; MLflow calls this."""
    # MLflow imports this module while it is itself being imported, whoever of the two comes first.
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
    from mlflow.tracking import get_tracking_uri
    from sqlalchemy.engine import make_url

    store = tracking_uri or get_tracking_uri()
    if not store.startswith(SQLITE):
        return MlflowArtifactsRepository(artifact_uri, tracking_uri, registry_uri)
    root = (Path(make_url(store).database or "").parent / FOLDER).resolve()
    path = (root / unquote(urlsplit(artifact_uri).path).lstrip("/")).resolve()
    if not path.is_relative_to(root):
        raise ValueError(f"{artifact_uri!r} leads out of the registry's folder")
    return LocalArtifactRepository(path.as_uri(), tracking_uri, registry_uri)
