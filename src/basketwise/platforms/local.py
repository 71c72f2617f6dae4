"""Stages in this process."""

from __future__ import annotations

from collections.abc import Mapping

from basketwise.config import Config
from basketwise.errors import InputError
from basketwise.importing import LEARNING, load
from basketwise.platforms.protocol import EtlJob, EvaluationJob, TrainingJob
from basketwise.progress import Tick
from basketwise.storage.opening import local_copy, with_local_products


class LocalPlatform:
    """Calls the stages directly. They are imported when they run: start-up stays quick."""

    in_place = False

    def inputs(self, data: str, config: Config) -> dict[str, str]:
        """Return the content digest of each raw table, and of the product file."""
        from basketwise.etl.preview import check_split
        from basketwise.etl.raw.table_name import table_name
        from basketwise.etl.silver.product_file import input_digests, line_files

        products = with_local_products(config).data.products
        try:
            delivery = line_files(local_copy(data, config.aws), products)
        except InputError as error:
            if table := table_name(data):
                error.hint += f" If {table.name} is a table of a catalogue, add --engine spark."
            raise
        check_split(delivery.sources, config)
        return dict(input_digests(delivery, products))

    def start(self, inputs: Mapping[str, str], config: Config) -> None:
        """Refuse what needs Spark; the stages start when they are called."""
        if config.training.xgboost_on_spark:
            from basketwise.training.distributed import require_boost

            require_boost(config.training, None)

    def prepare(self) -> None:
        """Load the libraries that training needs."""
        load(*LEARNING)

    def etl(self, job: EtlJob, config: Config, tick: Tick) -> None:
        """Fill ``silver`` and ``gold``."""
        from basketwise.etl.silver.table_reader import changed_file
        from basketwise.etl.stage import run_etl

        data = local_copy(job.data, config.aws) if job.clean else job.data
        config = with_local_products(config)
        metadata = run_etl(data, job.silver, job.gold, job.scratch, config, tick, clean=job.clean)
        for file in metadata.files if job.clean else ():
            # The run is recorded as one on the content that its files had at its start.
            if job.inputs.get(file.name, file.sha256) != file.sha256:
                raise changed_file(file.name)

    def train(self, job: TrainingJob, config: Config, tick: Tick) -> None:
        """Fill ``out``."""
        from basketwise.training.stage import run_training

        run_training(job.gold, job.out, config.training, tick, job.checkpoints)

    def evaluate(self, job: EvaluationJob, config: Config, tick: Tick) -> None:
        """Leave it to this process."""
