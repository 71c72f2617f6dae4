"""What a platform must do: run the heavy stages somewhere, on folders it is given.

A stage is a plain function of its locations and the configuration. What it learned is read from the
files it leaves, never from a return value, so that a stage can as well run in a container far away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from basketwise.config import Config
from basketwise.progress import Tick
from basketwise.registry.protocol import ModelVersion
from basketwise.report.types.run import StartedRun


@dataclass(frozen=True)
class EtlJob:
    """Where ETL reads and writes; all folders are empty.

    A platform that works in the workspace leaves the records of both stages there, and gold's
    ``metadata.json``; the other files are in the workspace.
    """

    data: str
    silver: Path
    gold: Path
    scratch: Path
    clean: bool = True
    """Whether ``silver`` is to be made; otherwise it is there already."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """What :meth:`Platform.inputs` returned when the run was planned."""


@dataclass(frozen=True)
class TrainingJob:
    """Where training reads (``gold``) and writes (``out``, empty).

    ``checkpoints`` is for finished pieces, and outlives an interrupted training; None: none are
    stored.
    """

    gold: Path
    out: Path
    checkpoints: Path | None = None


@dataclass(frozen=True)
class EvaluationJob:
    """What is to be evaluated, and compared with what.

    Attributes
    ----------
    gold, out
        Gold; the files of the training, beside which the evaluation's are to be.
    run
        For the report.
    inputs
        What the evaluation's record names: the digests of silver, gold and the training, by name.
    looks
        Evaluations on the same test baskets so far.
    champion, better
        The version to compare with; those of the gate's memory that are better, best first.
    fetch
        Fetches the archive of a version into a folder, as a registry does; None without one.
    """

    gold: Path
    out: Path
    run: StartedRun
    inputs: Mapping[str, str]
    looks: int
    champion: ModelVersion | None
    better: Sequence[ModelVersion]
    fetch: Callable[[str, Path], Path] | None


class Platform(Protocol):
    """A place where stages run.

    Raises
    ------
    BasketwiseError
        From any method: what the stage itself raises where it runs in this process, else a
        DependencyError with the same words. What is in the output folders then must not be used.
    """

    @property
    def in_place(self) -> bool:
        """Whether what ETL leaves is in the workspace as soon as it has ended.

        If not, it is published together with the rest of its run.
        """

    def inputs(self, data: str, config: Config) -> dict[str, str]:
        """Return what names the content of each raw table, by the table's name; changes nothing.

        Raises InputError if there are none, or if they do not allow the chosen split.
        """

    def start(self, inputs: Mapping[str, str], config: Config) -> None:
        """Start a run on raw tables of this content, before its first job.

        Raises ConfigError if a job cannot take the settings, or if a run of the same name was
        started with others.
        """

    def prepare(self) -> None:
        """Do ahead what training here needs and what takes seconds; may run in a thread."""

    def etl(self, job: EtlJob, config: Config, tick: Tick) -> None:
        """Fill ``silver`` and ``gold``."""

    def train(self, job: TrainingJob, config: Config, tick: Tick) -> None:
        """Fill ``out``."""

    def evaluate(self, job: EvaluationJob, config: Config, tick: Tick) -> frozenset[str] | None:
        """Evaluate, or return None: then this process does, on the files of the workspace.

        Returns
        -------
        frozenset of str or None
            ``champion`` and ``best``: of which of the two an archive could not be opened.
        """
