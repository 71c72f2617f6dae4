"""Where a model can be deployed to, and rendering for one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from basketwise.config import Config
from basketwise.deploy.approved import ApprovedModel, approved_model
from basketwise.deploy.options import Options
from basketwise.deploy.writing import Files, check_replaceable, write_files
from basketwise.plugins import TARGETS, load
from basketwise.scratch import scratch
from basketwise.storage.protocol import Storage

Renderer: TypeAlias = Callable[[ApprovedModel, Options, Path], Files]
"""Returns the files of a target; may write into the folder, which lasts until they are copied."""


@dataclass(frozen=True)
class Rendered:
    """A folder that was rendered, and the version in it."""

    target: str
    folder: Path
    files: tuple[str, ...]
    model: ApprovedModel


def render_target(
    config: Config,
    storage: Storage,
    target: str,
    options: Options,
    out: Path,
    *,
    overwrite: bool = False,
) -> Rendered:
    """Render the files that deploy the champion of a workspace.

    Parameters
    ----------
    config, storage
        Registry and workspace.
    target : str
        A key of :data:`basketwise.plugins.TARGETS`.
    options : Options
        Names and addresses.
    out : Path
        The folder to write; one that was rendered earlier and not changed since is replaced.
    overwrite : bool
        Replace it even if it was changed.

    Raises
    ------
    InputError
        If the version is not approved now, or ``out`` contains other files.
    ConfigError
        If an option is missing that the target needs.
    DependencyError
        If the registry cannot be reached, or the archive is not the exported one.
    """
    render: Renderer = load(TARGETS[target][0])
    check_replaceable(out, overwrite=overwrite)
    with scratch() as folder:
        model = approved_model(config, storage, folder)
        files = render(model, options, folder)
        write_files(out, files, model, target, overwrite=overwrite)
    return Rendered(target, out, tuple(sorted(files)), model)
