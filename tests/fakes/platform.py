"""A platform that does no work: it remembers its jobs and leaves what it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from basketwise.config import Config
from basketwise.etl.raw.discovery import list_files
from basketwise.etl.raw.sources import digests
from basketwise.platforms.protocol import EtlJob, EvaluationJob, TrainingJob
from basketwise.progress import Tick


@dataclass
class RecordedPlatform:
    """Copies finished folders to where a stage would have written."""

    silver: Path
    gold: Path
    trained: Path
    jobs: list[EtlJob | TrainingJob] = field(default_factory=list)
    starts: list[Mapping[str, str]] = field(default_factory=list)
    fails: Exception | None = None
    in_place: bool = False

    def inputs(self, data: str, config: Config) -> dict[str, str]:
        return digests(list_files(data))

    def start(self, inputs: Mapping[str, str], config: Config) -> None:
        self.starts.append(inputs)

    def prepare(self) -> None:
        """Do nothing."""

    def etl(self, job: EtlJob, config: Config, tick: Tick) -> None:
        self._start(job)
        if job.clean:
            _copy(self.silver, job.silver)
        _copy(self.gold, job.gold)

    def train(self, job: TrainingJob, config: Config, tick: Tick) -> None:
        self._start(job)
        _copy(self.trained, job.out)

    def evaluate(self, job: EvaluationJob, config: Config, tick: Tick) -> None:
        """Leave it to this process."""

    def _start(self, job: EtlJob | TrainingJob) -> None:
        self.jobs.append(job)
        if self.fails:
            raise self.fails


def _copy(source: Path, target: Path) -> None:
    import shutil

    shutil.copytree(source, target, dirs_exist_ok=True)
