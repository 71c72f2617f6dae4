"""Models to score with, and made-up lines to try them on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from basketwise.api.raw_data import PathLike
from basketwise.errors import ConfigError, InputError
from basketwise.files import DEFAULT_WORKSPACE, MANIFEST
from basketwise.settings import load_config

if TYPE_CHECKING:
    from basketwise.model.scoring import Model


def load(
    source: PathLike = DEFAULT_WORKSPACE,
    *,
    version: str | int | None = None,
    history: PathLike | None = None,
) -> Model:
    """Load a model for scoring baskets.

    Parameters
    ----------
    source : path or str
        A workspace, local or ``s3://bucket/prefix``; or a ``model.tar.gz``, or a folder of its
        files.
    version : str or int, optional
        Number of a version in the workspace's registry. Default: the champion.
    history : path or str, optional
        File with the customers' history, for a model with the group ``customer``. Default: that of
        the model's run in the workspace, or ``customer_history.parquet`` beside the archive.

    Raises
    ------
    InputError
        If there is no such model, no version is approved, or the history cannot be used.

    Examples
    --------
    >>> import basketwise as bw
    >>> run = bw.train(bw.sample(baskets=3_000), workspace="ws", split="customer")
    >>> model = bw.load("ws")
    >>> scores = model.predict(bw.sample(baskets=100, seed=7))
    >>> scores.columns[:5]
    ['basket_id', 'predicted_sensitivity', 'p_low', 'p_medium', 'p_high']
    """
    from basketwise.serving.versions import load_version, open_archive

    known = None if history is None else Path(history).expanduser()
    location = os.fspath(source)
    path = Path(location).expanduser()
    if "://" not in location and (path.is_file() or (path / MANIFEST).is_file()):
        if version is not None:
            raise ConfigError(
                f"{location!r} is one model, and version={version!r} was given.",
                "Name a workspace to choose a version of it.",
            )
        return open_archive(path, known)
    if "://" not in location and not path.is_dir():
        raise InputError(
            f"There is no workspace and no model at {location!r}.",
            "Name a workspace, a model.tar.gz, or a folder of its files.",
        )
    from basketwise.run.workspace import open_workspace

    config = load_config(None, os.environ)
    storage = open_workspace(location, config.aws).storage
    return load_version(config, storage, "champion" if version is None else str(version), known)


def sample(baskets: int = 20_000, *, seed: int = 42) -> pl.DataFrame:
    """Generate synthetic till lines.

    Parameters
    ----------
    baskets : int
        Number of baskets, at least 100.
    seed : int
        The same seed gives the same lines.

    Returns
    -------
    DataFrame
        One row per line, with the columns and labels of dunnhumby's "Let's Get Sort-of-Real"
        files. A basket's label depends on hidden classes of its products; see
        ``basketwise sample --help``.

    Examples
    --------
    >>> import basketwise as bw
    >>> lines = bw.sample(baskets=1_000, seed=1)
    >>> lines["BASKET_ID"].n_unique()
    1000
    """
    from basketwise.sampling import draw_lines

    return draw_lines(baskets=baskets, seed=seed)
