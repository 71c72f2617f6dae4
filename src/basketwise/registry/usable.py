"""Whether the model of a version can be used: fetched, verified, opened, and able to score."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basketwise.artifact.archive import read_json
from basketwise.errors import InputError
from basketwise.files import EVALUATION_RESULTS, MODEL_METADATA
from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from basketwise.registry.deployment import check_results
from basketwise.registry.protocol import ApprovalState, ArchiveError, ModelVersion, Registry
from basketwise.scratch import scratch

UNUSABLE = (InputError, ArchiveError)
"""Errors of a model that waiting does not cure; any other is of the registry or this machine."""

TRIED = 5
"""Maximum number of versions that are opened to find one to name in a message."""


@dataclass(frozen=True)
class Unusable:
    """A version that cannot be used; ``why`` is half a sentence."""

    version: str
    why: str

    def __str__(self) -> str:
        return f"version {self.version} cannot be used: {self.why}"


def read_results(registry: Registry, version: str, beside: Path | None = None) -> dict[str, Any]:
    """Fetch a version, and return what its archive says of its evaluation.

    Temporary files are ``beside`` what it is for, if that can be written to, else below TMPDIR.

    Raises
    ------
    InputError, ArchiveError
        If the archive is missing, was changed, or has no results.
    """
    with scratch(beside) as folder:
        return _results(version, registry.fetch(version, folder))


def try_version(registry: Registry, version: str, beside: Path | None = None) -> dict[str, Any]:
    """Fetch and open a version, which lets it score an example; return its results.

    Raises
    ------
    InputError, ArchiveError
        If the version cannot be used.
    """
    with scratch(beside) as folder:
        archive = registry.fetch(version, folder)
        load_model_archive(archive)
        return _results(version, archive)


def open_version(registry: Registry, version: str, beside: Path | None = None) -> Model:
    """Fetch and open a version.

    Raises
    ------
    InputError, ArchiveError
        If the version cannot be opened; the hint names commands that lead out.
    """
    try:
        with scratch(beside) as folder:
            # To be approved, it is opened whole; every check is also made when it is opened late.
            return load_model_archive(registry.fetch(version, folder), late=True)
    except UNUSABLE as error:
        headline = f"Version {version} cannot be used: {error.headline}"
        chosen = registry.get(version)
        raise type(error)(headline, "\n".join(ways_out(registry, chosen, scoring=True))) from error


def reason(error: InputError | ArchiveError) -> str:
    """Return why a version cannot be used, as half a sentence."""
    return error.headline.rstrip(".")


def ways_out(registry: Registry, version: ModelVersion, *, scoring: bool = False) -> Iterator[str]:
    """Yield what can be done instead of using a version, each line with a command to paste."""
    others = [other for other in registry.versions() if other.version != version.version]
    for other in sorted(others, key=lambda other: other.state is not ApprovalState.APPROVED)[
        :TRIED
    ]:
        try:
            try_version(registry, other.version)
        except UNUSABLE:
            continue
        if scoring:
            yield f"To score with version {other.version}, add --model {other.version}."
        yield f"To make it the champion: basketwise models approve {other.version}"
        break
    if version.champion:
        yield (
            "To go on without this version, with the one that was approved before it if that can "
            f"be used: basketwise models reject {version.version}"
        )
    if source := version.tags.get("data_source"):
        yield f"To train and register the model anew: basketwise run {shlex.quote(source)}"
    elif scoring:
        yield "Or give the path of a model.tar.gz as --model."


def _results(version: str, archive: Path) -> dict[str, Any]:
    evaluated = read_json(archive, EVALUATION_RESULTS)
    results = {**evaluated, **read_json(archive, MODEL_METADATA)}
    check_results(version, results)
    return results
