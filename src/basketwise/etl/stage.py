"""ETL: the silver stage and the gold stage, one after the other."""

from __future__ import annotations

from pathlib import Path

from basketwise.config import Config
from basketwise.etl.gold.metadata import Metadata
from basketwise.etl.raw.sources import Delivery
from basketwise.etl.silver.product_file import line_files
from basketwise.etl.silver.stage import run_silver
from basketwise.progress import Tick


def run_etl(
    data: str | Delivery,
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
    data : str or Delivery
        A file, folder or glob of raw files, or what was found there.
    silver, gold, scratch : Path
        Empty folders; ``scratch`` may be removed afterwards.
    config : Config
        All settings.
    tick : callable
        Called with the progress.
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
        delivery = line_files(data, config.data.products) if isinstance(data, str) else data
        run_silver(delivery, silver, scratch, config, tick)
    # Reading starts without what learning needs, which loads while processes read.
    from basketwise.etl.gold.stage import run_gold

    return run_gold(silver, gold, scratch, config, tick)
