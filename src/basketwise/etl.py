"""ETL: the silver stage and the gold stage, one after the other."""

from __future__ import annotations

from pathlib import Path

from basketwise.config import Config
from basketwise.gold.metadata import Metadata
from basketwise.gold.stage import run_gold
from basketwise.silver.intake import Tick
from basketwise.silver.sources import discover
from basketwise.silver.stage import run_silver


def run_etl(
    data: str,
    silver: Path,
    gold: Path,
    scratch: Path,
    config: Config,
    tick: Tick,
    *,
    clean: bool = True,
) -> Metadata:
    """Clean the raw files into ``silver`` and make features in ``gold``.

    Parameters
    ----------
    data : str
        A file, folder or glob of raw files.
    silver, gold, scratch : Path
        Empty folders; ``scratch`` may be removed afterwards.
    config : Config
        All settings.
    tick : callable
        Told of progress.
    clean : bool
        Whether ``silver`` is to be made; otherwise it is there already, and ``data`` is not read.

    Returns
    -------
    Metadata
        Also written to ``gold/metadata.json``.

    Raises
    ------
    InputError, ConfigError, WorkspaceError
        If the data or the settings cannot be used.
    """
    if clean:
        run_silver(discover(data), silver, scratch, config, tick)
    return run_gold(silver, gold, scratch, config, tick)
