"""Records of runs on AWS, stored in the workspace so that the runs can be resumed."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from basketwise.config import Config
from basketwise.errors import ConfigError, InputError
from basketwise.provenance import code_hash
from basketwise.run.workspace import run_order
from basketwise.storage.protocol import Storage

FOLDER = ".basketwise/runs"
NAME = re.compile(r"(?=.{1,30}$)run-[a-zA-Z0-9](-?[a-zA-Z0-9])*")
"""Valid names of runs, with room for the rest of a job's name and an attempt's number."""

CANDIDATES = 8
"""Records that are read to find the latest, of those that were written within the same seconds."""


class RunRecord(BaseModel):
    """One run, as it was requested.

    Attributes
    ----------
    data, path
        Raw files, as they were typed, and as they can be opened from any folder.
    inputs
        Digest of the content of the raw files; empty before they were read.
    started_at
        ISO 8601, UTC; of the first start.
    code
        sha256 of Basketwise's source, which the jobs of the run execute.
    nonce
        With ``--force``: makes the jobs of the run differ from earlier ones. Else empty.
    experiment
        With ``--no-register``: the model becomes no version.
    config
        All settings, without any password.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_id: str
    data: str
    path: str
    inputs: str = ""
    started_at: str
    code: str
    nonce: str = ""
    experiment: bool = False
    config: dict[str, Any]


def run_name(name: str) -> str:
    """Return the name of a run that was typed; raises ConfigError if it is not valid for jobs.

    Examples
    --------
    >>> run_name("week-7"), run_name("run-week-7")
    ('run-week-7', 'run-week-7')
    """
    run_id = name if name.startswith("run-") else f"run-{name}"
    if not NAME.fullmatch(run_id):
        raise ConfigError(
            f"{name!r} is not a valid name of a run.",
            "Give at most 26 letters, digits and single hyphens, for example week-7.",
        )
    return run_id


def record_start(storage: Storage, record: RunRecord) -> None:
    """Store the record of a run after its data were read, before anything is uploaded.

    The caller holds the workspace's lock. Raises ConfigError if a run of that name was
    started on other data, with other settings, or by another version.
    """
    earlier = read(storage, record.run_id)
    if earlier is None:
        storage.write(_key(record.run_id), record.model_dump_json(indent=2).encode())
        return
    changed = [
        section
        for section, values in record.config.items()
        # Where and how it runs may change, its result may not.
        if section not in ("aws", "registry") and earlier.config.get(section) != values
    ]
    if earlier.inputs != record.inputs:
        changed.append("the raw files")
    if earlier.code != record.code:
        changed.append("another version of Basketwise")
    if earlier.nonce != record.nonce:
        changed.append("--force")
    if changed:
        raise ConfigError(
            f"The run {record.run_id} was started on {earlier.started_at} with different inputs: "
            f"{', '.join(changed)}.",
            "Start a run with another --name.",
        )


def read(storage: Storage, run_id: str) -> RunRecord | None:
    """Return the record of a run; None if there is none of that name."""
    if not storage.exists(_key(run_id)):
        return None
    try:
        return RunRecord.model_validate_json(storage.read(_key(run_id)))
    except ValidationError as error:
        raise InputError(
            f"{storage.location}/{_key(run_id)} cannot be read.",
            "It was damaged: delete it, and start the run again.",
        ) from error


def latest(storage: Storage) -> RunRecord | None:
    """Return the run that was started last; None if there is none.

    Records are written when their run starts. In case the workspace was copied since, the run
    whose name has the latest time counts too.
    """
    names = sorted(started(storage), key=run_order)
    newest = sorted((_run_id(key) for key in storage.newest(FOLDER)), key=run_order)
    candidates = {*names[-1:], *newest[-CANDIDATES:]}
    records = [record for name in candidates if (record := read(storage, name))]
    return max(
        records, key=lambda record: (record.started_at, run_order(record.run_id)), default=None
    )


def started(storage: Storage) -> list[str]:
    """Return the names of all runs that were started, in no order."""
    return [_run_id(key) for key in storage.keys(FOLDER)]


def settings_of(record: RunRecord, current: Config) -> Config:
    """Return a run's settings, with the current sections ``aws`` and ``registry``.

    Raises ConfigError if the run was started by another version of Basketwise.
    """
    access = current.model_dump(include={"aws", "registry"})
    if record.code != code_hash():
        raise ConfigError(
            f"{record.run_id} was started by another version of Basketwise.",
            "Its jobs ran other code: start a new run.",
        )
    try:
        return Config.model_validate(record.config | access)
    except ValidationError as error:
        raise ConfigError(
            f"The settings of {record.run_id} are not valid in this version of Basketwise.",
            "Start a new run.",
        ) from error


def _run_id(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".json")


def _key(run_id: str) -> str:
    return f"{FOLDER}/{run_id}.json"
