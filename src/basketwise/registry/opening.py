"""Opening the registry that the configuration names."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from basketwise.config import AwsConfig, Config, RegistryConfig
from basketwise.errors import ConfigError, DependencyError
from basketwise.plugins import REGISTRIES, load
from basketwise.redaction import redacted_address
from basketwise.registry.protocol import Registry
from basketwise.storage.opening import require_workspace
from basketwise.storage.protocol import Storage
from basketwise.storage.scheme import scheme_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

REACH_SECONDS = 5.0
"""So long may a server take to accept a connection, and again to say anything."""

REGISTRY = "registry"
"""The embedded registry's folder in a workspace."""

SAGEMAKER = "sagemaker"
"""The ``registry.uri`` that means SageMaker Model Registry."""


def open_registry(
    config: RegistryConfig, folder: Path, aws: AwsConfig | None = None, workspace: str = ""
) -> Registry:
    """Open the registry; nothing is created yet, and a server is only asked whether it answers.

    Parameters
    ----------
    config : RegistryConfig
        ``uri`` empty: MLflow on SQLite in ``folder``; of a workspace in a bucket, and if it is
        ``sagemaker``: SageMaker Model Registry. Else the http(s) URI of an MLflow server, whose
        credentials come from MLflow's own variables
        (``MLFLOW_TRACKING_USERNAME``, ``MLFLOW_TRACKING_PASSWORD``, ``MLFLOW_TRACKING_TOKEN``); or
        the ARN of one that SageMaker runs, whose requests are signed with AWS credentials.
    folder : Path
        The workspace's registry folder: gets ``registry.db`` and ``artifacts/`` with the first
        registration. May be moved as a whole between two openings.
    aws : AwsConfig, optional
        Region, bucket and image of SageMaker Model Registry.
    workspace : str
        Where the workspace is; if that is in S3, SageMaker Model Registry stores its files there.

    Raises
    ------
    ConfigError
        If ``uri`` is neither empty, ``sagemaker``, http(s)://host… nor such an ARN.
    DependencyError
        If the server cannot be reached (within about 10 seconds), or the plug-in for an ARN is not
        installed.
    """
    if on_sagemaker(config, workspace):
        settings = Config(registry=config, aws=aws or AwsConfig())
        registry: Registry = load(REGISTRIES[SAGEMAKER])(settings, workspace)
        return registry
    if config.uri:
        return _on_server(config)
    return _embedded(config.group, folder)


def on_sagemaker(config: RegistryConfig, workspace: str) -> bool:
    """Whether versions are stored in SageMaker: as a bucket's workspace does by itself."""
    return config.uri == SAGEMAKER or (not config.uri and scheme_of(workspace) == "s3")


def registry_of(config: Config, storage: Storage) -> Registry:
    """Open a workspace's registry, or the server that the configuration names."""
    folder = storage.scratch / REGISTRY
    return open_registry(config.registry, folder, config.aws, storage.location)


def existing_registry(config: Config, storage: Storage) -> Registry:
    """Open a workspace's registry for a command that works on versions.

    Raises
    ------
    InputError
        If the registry would be a folder of a workspace, and that does not exist.
    """
    elsewhere = config.registry.uri or on_sagemaker(config.registry, storage.location)
    if not elsewhere:
        require_workspace(storage)
    return registry_of(config, storage)


def _embedded(group: str, folder: Path) -> Registry:
    from basketwise.registry.mlflow.calls import Address, connect
    from basketwise.registry.mlflow.database import DATABASE, create
    from basketwise.registry.mlflow.registry import MlflowRegistry

    folder = folder.resolve()
    database = folder / DATABASE
    uri = f"sqlite:///{database.as_posix()}"

    def created() -> MlflowClient:
        from sqlalchemy.engine import make_url

        create(database)
        if make_url(uri).database == str(database):
            return connect(uri)
        return connect(f"sqlite:///{_alias_folder(folder).name}/{REGISTRY}/{DATABASE}")

    return MlflowRegistry(Address(uri, folder), group=group, connect=created)


@cache
def _alias_folder(folder: Path) -> TemporaryDirectory[str]:
    """Link to a folder whose path an SQLite address cannot contain; the link lasts as the process.

    A ``?`` ends the path there, and SQLAlchemy 2.1 decodes ``%20``, which 2.0 does not.
    """
    alias = TemporaryDirectory(prefix="basketwise-", ignore_cleanup_errors=True)
    (Path(alias.name) / REGISTRY).symlink_to(folder, target_is_directory=True)
    return alias


def _on_server(config: RegistryConfig) -> Registry:
    shown = redacted_address(config.uri)
    if config.uri.startswith("arn:"):
        return _on_managed_server(config)
    if not is_server(config.uri):
        raise ConfigError(
            f"registry.uri is {shown!r}.",
            "Leave it empty for the registry in the workspace, write 'sagemaker', or give the "
            "address of an MLflow server: http://host:port or https://host.",
        )
    _reach(config.uri, shown)

    from basketwise.registry.mlflow.calls import Address, connect
    from basketwise.registry.mlflow.registry import MlflowRegistry

    return MlflowRegistry(Address(shown), group=config.group, connect=lambda: connect(config.uri))


def _on_managed_server(config: RegistryConfig) -> Registry:
    from basketwise.registry.mlflow.calls import Address
    from basketwise.registry.mlflow.managed import address_of, connect_managed, is_managed
    from basketwise.registry.mlflow.registry import MlflowRegistry

    arn = config.uri
    if not is_managed(arn):
        raise ConfigError(
            f"registry.uri is {redacted_address(arn)!r}.",
            "Of ARNs, give that of an MLflow on SageMaker: arn:aws:sagemaker:REGION:ACCOUNT:"
            "mlflow-tracking-server/NAME, or …:mlflow-app/ID.",
        )
    _reach(address_of(arn), arn)
    return MlflowRegistry(Address(arn), group=config.group, connect=lambda: connect_managed(arn))


def is_server(uri: str) -> bool:
    """Whether an address is one of a server.

    A library that parses a malformed one names what it could not read, which may be a password.

    Examples
    --------
    >>> is_server("https://ann:secret@h:5000/x"), is_server("http://ann:se/cret@h")
    (True, False)
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return False
    written = uri.isprintable() and not set(uri) & set(' \\<>"^`{|}')
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port != 0 and written


def _reach(uri: str, shown: str) -> None:
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
        reason = type(error).__name__
        if isinstance(error, requests.Timeout):
            reason = f"no answer within {REACH_SECONDS:.0f} seconds"
        elif isinstance(error, requests.ConnectionError):
            reason = "no connection"
        raise DependencyError(
            f"The MLflow server at {shown} cannot be reached: {reason}.",
            "Check registry.uri and that the server runs and can be reached from here; or leave "
            "registry.uri empty to use the registry in the workspace.",
        ) from error
