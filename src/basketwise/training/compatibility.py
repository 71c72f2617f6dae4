"""Whether the installed libraries can score a model as those that trained it did."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from basketwise.errors import InputError
from basketwise.training.skops_file import read_skops


class Library(NamedTuple):
    """A library whose own code applies a model.

    Attributes
    ----------
    name
        As messages call it.
    distributions
        What provides it, of which one is installed.
    parts
        How many parts of the version must be equal: 2 for ``1.9`` of ``1.9.1``.
    """

    name: str
    distributions: tuple[str, ...]
    parts: int


LIBRARIES: Mapping[str, Library] = {
    "sklearn": Library("scikit-learn", ("scikit-learn",), 2),
    "xgboost": Library("XGBoost", ("xgboost-cpu", "xgboost"), 1),
}
"""By the package of the estimator's class. scikit-learn promises nothing across minor versions;
XGBoost reads its own models throughout a major one."""


def check_versions(data: bytes, trained: object) -> None:
    """Refuse a model that the installed libraries may score differently from those it is of.

    Parameters
    ----------
    data : bytes
        Content of ``model.skops``; nothing is constructed from it.
    trained : object
        ``versions`` of the manifest: versions by distribution. What it lacks is not compared.

    Raises
    ------
    InputError
        Names both versions.
    """
    library = LIBRARIES.get(package_of(data))
    if library is None or not isinstance(trained, Mapping):
        return
    needed = next((str(trained[d]) for d in library.distributions if d in trained), "")
    installed = next(filter(None, map(_installed, library.distributions)), "")
    # A version that tells nothing, as 'absent' does, is no reason to refuse.
    if not re.match(r"\d", needed) or _release(needed, library) == _release(installed, library):
        return
    distribution = next((d for d in library.distributions if _installed(d)), library.name)
    raise InputError(
        f"The model was trained with {library.name} {needed}; installed is "
        f"{installed or 'none'}, which may score it differently or not at all.",
        f"Install the version that trained it (pip install '{distribution}=={needed}'), or train "
        "the model again.",
    )


def package_of(data: bytes) -> str:
    """Return the top-level package of the estimator's class; empty if the file is damaged."""
    try:
        return str(read_skops(data).schema["__module__"]).partition(".")[0]
    except (LookupError, ValueError):
        return ""


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _release(text: str, library: Library) -> list[str]:
    return re.split(r"[^0-9]", text)[: library.parts]
