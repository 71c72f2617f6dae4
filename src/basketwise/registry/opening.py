"""Opening the registry that the configuration names."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import SplitResult, urlsplit

from basketwise.config import AwsConfig, Config, RegistryConfig
from basketwise.errors import ConfigError, DependencyError, WorkspaceError
from basketwise.plugins import REGISTRIES, load
from basketwise.registry.protocol import Registry
from basketwise.storage.opening import scheme_of

REACH_SECONDS = 5.0
"""So long may a server take to accept a connection, and again to say anything."""

CREATE_SECONDS = 120.0
"""So long is another process waited for that creates the same registry."""

DATABASE = "registry.db"

SAGEMAKER = "sagemaker"
"""The ``registry.uri`` that means SageMaker Model Registry."""


def open_registry(
    config: RegistryConfig, folder: Path, aws: AwsConfig | None = None, workspace: str = ""
) -> Registry:
    """Open the registry; the embedded one is created where there is none.

    Parameters
    ----------
    config : RegistryConfig
        ``uri`` empty: MLflow on SQLite in ``folder``; of a workspace in a bucket, and if it is
        ``sagemaker``: SageMaker Model Registry. Else the http(s) URI of an MLflow server, whose
        credentials come from MLflow's own variables
        (``MLFLOW_TRACKING_USERNAME``, ``MLFLOW_TRACKING_PASSWORD``, ``MLFLOW_TRACKING_TOKEN``).
    folder : Path
        The workspace's registry folder: gets ``registry.db`` and ``artifacts/``. May be moved as
        a whole between two openings.
    aws : AwsConfig, optional
        Region, bucket and image of SageMaker Model Registry.
    workspace : str
        Where the workspace lies; if that is in S3, SageMaker Model Registry keeps its files there.

    Returns
    -------
    Registry

    Raises
    ------
    ConfigError
        If ``uri`` is neither empty, ``sagemaker`` nor http(s)://host….
    WorkspaceError
        If the folder cannot be made.
    DependencyError
        If the server cannot be reached (within about 10 seconds) or the database is unusable.
    """
    if on_sagemaker(config, workspace):
        settings = Config(registry=config, aws=aws or AwsConfig())
        registry: Registry = load(REGISTRIES[SAGEMAKER])(settings, workspace)
        return registry
    if config.uri:
        return _on_server(config)
    return _embedded(config.group, folder)


def on_sagemaker(config: RegistryConfig, workspace: str) -> bool:
    """Whether versions are kept in SageMaker: as a bucket's workspace does by itself."""
    return config.uri == SAGEMAKER or (not config.uri and scheme_of(workspace) == "s3")


def _embedded(group: str, folder: Path) -> Registry:
    from basketwise.registry.mlflow.calls import Address, connect, translated
    from basketwise.registry.mlflow.registry import MlflowRegistry

    folder = folder.resolve()
    if "?" in str(folder):
        raise WorkspaceError(
            f"The registry cannot lie in {folder}: SQLite addresses must not contain '?'.",
            "Rename the folder or choose another workspace.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceError(
            f"The registry folder {folder} cannot be made: {error.strerror or error}.",
            "Choose a workspace that this user may write to.",
        ) from error
    uri = f"sqlite:///{(folder / DATABASE).as_posix()}"
    address = Address(uri, folder)
    translated(address, "creating it", lambda: _create(folder / DATABASE))
    client = translated(address, "opening it", lambda: connect(uri))
    return MlflowRegistry(client, group=group, address=address)


def _create(database: Path) -> None:
    """Make the database, unless it is there: whole or not at all.

    MLflow builds the tables in some fifty steps of seconds in all. Two processes that do so in one
    file break it, and so does a Ctrl-C between two steps.
    """
    if database.exists():
        return
    from filelock import FileLock

    from basketwise.registry.mlflow.calls import connect

    with FileLock(database.with_suffix(".lock"), timeout=CREATE_SECONDS):
        if database.exists():
            return
        # MLflow keeps the file open for good, so a copy gets the name, not the file itself.
        with TemporaryDirectory(prefix="basketwise-", ignore_cleanup_errors=True) as scratch:
            draft = Path(scratch) / database.name
            connect(f"sqlite:///{draft.as_posix()}")
            copied = Path(shutil.copyfile(draft, database.with_suffix(".new")))
            copied.replace(database)


def _on_server(config: RegistryConfig) -> Registry:
    parts = _address(config.uri)
    place = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    _reach(config.uri, place)

    from basketwise.registry.mlflow.calls import Address, connect, translated
    from basketwise.registry.mlflow.registry import MlflowRegistry

    address = Address(place)
    client = translated(address, "opening it", lambda: connect(config.uri))
    return MlflowRegistry(client, group=config.group, address=address)


def _address(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"registry.uri is {uri!r}.",
            "Leave it empty for the registry in the workspace, write 'sagemaker', or give the "
            "address of an MLflow server: http://host:port or https://host.",
        )
    return parts


def _reach(uri: str, place: str) -> None:
    """Refuse a server that does not answer, before MLflow asks it again and again for minutes."""
    # Comes with MLflow, and goes through the same proxies as MLflow will.
    import requests

    try:
        with requests.get(f"{uri.rstrip('/')}/health", timeout=REACH_SECONDS, stream=True):
            return
    except requests.exceptions.SSLError:
        # Somebody answers; whom to trust is set in MLflow's variables and judged by MLflow.
        return
    except requests.RequestException as error:
        raise DependencyError(
            f"The MLflow server at {place} cannot be reached: {_reason(error)}.",
            "Check registry.uri and that the server runs and can be reached from here; or leave "
            "registry.uri empty to use the registry in the workspace.",
        ) from error


def _reason(error: Exception) -> str:
    """Return what lies at the bottom of a chain of errors about one connection."""
    import requests

    if isinstance(error, requests.Timeout):
        return f"no answer within {REACH_SECONDS:.0f} seconds"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__
