"""Stages in this process."""

from __future__ import annotations

from basketwise.config import Config
from basketwise.platforms.protocol import EtlJob, Tick, TrainingJob


class LocalPlatform:
    """Calls the stages directly. They are imported when they run: start-up stays quick."""

    def etl(self, job: EtlJob, config: Config, tick: Tick) -> None:
        """Fill ``silver`` and ``gold``."""
        from basketwise.etl import run_etl

        run_etl(job.data, job.silver, job.gold, job.scratch, config, tick, clean=job.clean)

    def train(self, job: TrainingJob, config: Config, tick: Tick) -> None:
        """Fill ``out``."""
        from basketwise.training.stage import run_training

        run_training(job.gold, job.out, config.training, tick, job.checkpoints)
