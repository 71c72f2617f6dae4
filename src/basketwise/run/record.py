"""The record of a stage: what its outputs were made from, and what they were.

A stage writes its record beside its outputs, last: the inputs, by content; the settings it depends
on; the code; and the sha256 of every output. The outputs are valid as long as all of that is still
so. Whatever was half-written, or changed since, has no record that matches.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from basketwise import __version__
from basketwise.config import Config
from basketwise.digests import digests_of
from basketwise.errors import InputError
from basketwise.provenance import code_hash, library_versions
from basketwise.redaction import redacted
from basketwise.settings import flatten

Stage = Literal["silver", "gold", "training", "evaluation"]

PRODUCTS = "data.products"
"""A path: what counts is the content of the file, which is among the inputs."""

CURRENCY = "data.currency"
"""Only printed: another one makes no data stale, though it is set beside what reads them."""

SETTINGS: Mapping[Stage, tuple[str, ...]] = {
    "silver": ("data", "etl.duplicates", "etl.returns"),
    "gold": (
        "etl.outliers",
        "etl.outlier_quantile",
        "features",
        "index",
        "split",
        "training.folds",
        "training.max_baskets",
        "training.xgboost_on_spark",
    ),
    "training": ("training",),
    "evaluation": ("evaluation", "gate", "business", "training.random_state", CURRENCY),
}
"""The settings that each stage depends on: sections, or single keys."""

WHOLE_FOLDER: tuple[Stage, ...] = ("silver", "gold")
"""Stages that have a folder to themselves: another file in it is a change too."""

MAX_BYTES = 16 * 2**20
"""A larger record was not written by Basketwise."""


def _inside(name: str) -> str:
    """Refuse what would lead out of the folder: a record may have been written by anybody."""
    if any(part in ("", ".", "..") for part in name.split("/")) or "\\" in name or ":" in name:
        raise ValueError("names must stay below the folder")
    return name


OutputName = Annotated[str, AfterValidator(_inside)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Step(BaseModel):
    """One stage's record."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Stage
    inputs: dict[str, str]
    """Content digest, or another name of a content, by input."""
    settings: dict[str, Any]
    """Values by section, or by dotted name of a single key."""
    code: dict[str, str]
    """Versions by name; Basketwise's own source is ``code``."""
    outputs: dict[OutputName, Digest] = {}
    """sha256 by file, relative to the folder."""
    source: str = ""
    """Where the input was, as it was typed; not compared."""

    @property
    def digest(self) -> str:
        """One digest of all outputs: what the next stage has as its input."""
        return hashlib.sha256(json.dumps(self.outputs, sort_keys=True).encode()).hexdigest()


def file_name(stage: Stage) -> str:
    """Name the file of a stage's record."""
    return f"step-{stage}.json"


def planned(stage: Stage, inputs: Mapping[str, str], config: Config, source: str = "") -> Step:
    """Describe a stage that is about to run."""
    values, settings = config.recorded(), {}
    for name in SETTINGS[stage]:
        section, _, key = name.partition(".")
        settings[name] = values[section][key] if key else dict(values[section])
    if "data" in settings:
        for name in (CURRENCY, PRODUCTS):
            settings["data"].pop(name.partition(".")[2])
    return Step(
        stage=stage,
        inputs=dict(inputs),
        settings=settings,
        code={"basketwise": __version__, "code": code_hash(), **library_versions()},
        source=redacted(source),
    )


def seal(step: Step, folder: Path, files: Iterable[Path] | None = None) -> Step:
    """Write the record of a stage that has finished: to be called last.

    Its outputs are the given files; by default, all files below the folder.
    """
    paths = folder.rglob("*") if files is None else files
    names = [
        path.relative_to(folder).as_posix()
        for path in sorted(paths)
        if path.is_file() and path.name != file_name(step.stage)
    ]
    outputs = digests_of(folder, names)
    sealed = step.model_copy(update={"outputs": outputs})
    text = sealed.model_dump_json(indent=2)
    (folder / file_name(step.stage)).write_text(text, encoding="utf-8")
    return sealed


def reseal(step: Step, folder: Path) -> Step:
    """Write the record of a stage that a job has finished elsewhere and has recorded itself.

    The outputs are the job's, of which the folder need have none but its record.
    """
    outputs = require_step(step.stage, folder).outputs
    sealed = step.model_copy(update={"outputs": outputs})
    text = sealed.model_dump_json(indent=2)
    (folder / file_name(step.stage)).write_text(text, encoding="utf-8")
    return sealed


def read_step(stage: Stage, folder: Path) -> Step | None:
    """Read a stage's record; None where there is none, or none that can be read."""
    try:
        with (folder / file_name(stage)).open("rb") as stream:
            return step_of(stage, stream.read(MAX_BYTES))
    except OSError:
        return None


def step_of(stage: Stage, data: bytes) -> Step | None:
    """Return a stage's record, given its bytes; None if they are none that can be read."""
    try:
        step = Step.model_validate_json(data[:MAX_BYTES])
    except ValidationError:
        return None
    return step if step.stage == stage else None


def require_step(stage: Stage, folder: Path) -> Step:
    """Read a stage's record; an InputError says that there is none, or none that can be read."""
    step = read_step(stage, folder)
    if step is None:
        raise InputError(
            f"{str(folder)!r} has no record of the stage {stage}.",
            "It was not finished, or is of an older version; run the stage again.",
        )
    return step


def verified_step(stage: Stage, folder: Path) -> Step:
    """Read a stage's record, and check that its outputs are what it says.

    Raises
    ------
    InputError
        If there is no record, or a file was changed, added or removed since.
    """
    step = require_step(stage, folder)
    changed = _changed_files(step, folder)
    if changed:
        raise InputError(
            f"{str(folder)!r} is not what the stage {stage} wrote: {changed[0]}.",
            "Run that stage again.",
        )
    return step


def config_of(config: Config, steps: Iterable[Step]) -> Config:
    """Return the settings that some stages were run with, the others as they are now."""
    values = config.model_dump(mode="json")
    for step in steps:
        for name, value in step.settings.items():
            section, _, key = name.partition(".")
            if key:
                values[section][key] = value
            else:
                values[section] |= value
    return Config.model_validate(values)


def stale_reasons(
    plan: Step, folder: Path, digests: Callable[[], Mapping[str, str]] | None = None
) -> list[str]:
    """List why the outputs in a folder cannot be taken for those of a stage; empty if they can.

    ``digests`` returns the sha256 of each file by name where the folder has the record alone.
    """
    earlier = read_step(plan.stage, folder)
    if earlier is None:
        return ["first time"]
    different = differences(plan, earlier)
    if different or digests is None:
        return different or _changed_files(earlier, folder)
    return changed_outputs(earlier, digests())


def differences(plan: Step, earlier: Step) -> list[str]:
    """Say what sets a stage that was run before apart from one that is about to run."""
    return [
        *_changes(flatten(earlier.settings), flatten(plan.settings), _setting_change),
        *_changes(earlier.inputs, plan.inputs, _input_change),
        *_changes(earlier.code, plan.code, _code_change),
    ]


_ABSENT = "unset"


def _changes(before: Mapping[str, Any], now: Mapping[str, Any], say: Any) -> list[str]:
    names = [*before, *(name for name in now if name not in before)]
    pairs = ((name, before.get(name, _ABSENT), now.get(name, _ABSENT)) for name in names)
    return [say(name, old, new) for name, old, new in pairs if old != new]


def _setting_change(name: str, old: Any, new: Any) -> str:
    return f"{name} {_value(old)} → {_value(new)}"


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _input_change(name: str, old: Any, new: Any) -> str:
    if old == _ABSENT:
        return f"{name} is new"
    if new == _ABSENT:
        return f"{name} is gone"
    # A digest says nothing to people; what is no digest does.
    return f"{name} changed" if len(str(new)) == 64 else f"{name} {old} → {new}"


def _code_change(name: str, old: Any, new: Any) -> str:
    return "Basketwise's code changed" if name == "code" else f"{name} {old} → {new}"


def changed_outputs(earlier: Step, present: Mapping[str, str]) -> list[str]:
    """Name the outputs that are no longer what they were, or are gone.

    ``present`` are the digests of the files that are there, by name.
    """
    changed = []
    for name, digest in earlier.outputs.items():
        if name not in present:
            changed.append(f"{name} is missing")
        elif present[name] != digest:
            changed.append(f"{name} was changed since")
    if earlier.stage in WHOLE_FOLDER:
        # A partition that somebody put beside the others would be read with them.
        known = {*earlier.outputs, file_name(earlier.stage)}
        changed += [f"{name} was not there before" for name in sorted(present) if name not in known]
    return changed


def _changed_files(earlier: Step, folder: Path) -> list[str]:
    """Do the same with the files of a folder."""
    whole = earlier.stage in WHOLE_FOLDER
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    # Only names matter of what is in no record.
    present = dict.fromkeys(names, "") if whole else {}
    present |= digests_of(folder, [name for name in earlier.outputs if (folder / name).is_file()])
    return changed_outputs(earlier, present)
