"""Opening the storage that a location names, and reading raw files from one."""

from __future__ import annotations

from pathlib import Path

from basketwise.config import AwsConfig, Config
from basketwise.disk import owner
from basketwise.errors import ConfigError, InputError, writing
from basketwise.files import WORKSPACE_FOLDERS
from basketwise.plugins import DOWNLOADS, STORAGES, load
from basketwise.storage.local import LocalStorage
from basketwise.storage.protocol import Storage
from basketwise.storage.scheme import scheme_of

_OF_A_RUN = "Give the --workspace of a run, or create one:"


def open_storage(location: str, config: AwsConfig) -> Storage:
    """Open the storage at a path or an ``s3://bucket/prefix``; nothing is read or written yet.

    Parameters
    ----------
    config : AwsConfig
        Region and endpoint of the services; used for a bucket only.

    Raises
    ------
    ConfigError
        For a location of another kind, or an invalid bucket or prefix.
    InputError
        If the path is not a folder.
    DependencyError
        If boto3 is not installed.
    """
    scheme = scheme_of(location)
    if not scheme:
        root = Path(location).expanduser()
        if root.exists() and not root.is_dir():
            raise InputError(
                f"{location!r} is a file, not a folder.", "Give a folder as --workspace."
            )
        return LocalStorage(root)
    if scheme not in STORAGES:
        raise ConfigError(
            f"The workspace {location!r} is of a kind that is not supported.",
            "Give a local folder, or s3://bucket/prefix.",
        )
    storage: Storage = load(STORAGES[scheme])(location, config)
    return storage


def require_workspace(storage: Storage) -> None:
    """Refuse a folder that is no workspace, for a command that does not create one.

    Raises
    ------
    InputError
        If the folder does not exist, or contains nothing of a run's. A bucket is not asked.
    """
    if scheme_of(storage.location):
        return
    with writing(
        f"The workspace {storage.location!r} cannot be read",
        f"{owner(storage.scratch)}Fix the permissions, or give another --workspace.",
    ):
        exists = storage.scratch.is_dir()
        has_outputs = any((storage.scratch / name).exists() for name in WORKSPACE_FOLDERS)
    if not exists:
        raise InputError(
            f"There is no workspace {storage.location!r}.", f"{_OF_A_RUN} basketwise run PATH"
        )
    if not has_outputs:
        raise InputError(
            f"{storage.location!r} is not a workspace: it contains no outputs of a run.",
            f"{_OF_A_RUN} basketwise run PATH",
        )


def local_copy(data: str, config: AwsConfig) -> str:
    """Copy raw files to this machine, if they are stored in a bucket.

    Parameters
    ----------
    data : str
        A path, which is returned as it is; or ``s3://bucket/key`` of a file, a folder, or files by
        a pattern in its last part.

    Returns
    -------
    str
        A path or a pattern. A file that has not changed is not copied again.

    Raises
    ------
    InputError
        If it is not an address of files.
    DependencyError
        If there are no files, S3 refuses, or boto3 is not installed.
    """
    scheme = scheme_of(data)
    return str(load(DOWNLOADS[scheme])(data, config)) if scheme in DOWNLOADS else data


def with_local_products(config: Config) -> Config:
    """Return settings whose product file is on this machine; errors as for :func:`local_copy`."""
    path = local_copy(config.data.products, config.aws)
    data = config.data.model_copy(update={"products": path})
    return config.model_copy(update={"data": data})
