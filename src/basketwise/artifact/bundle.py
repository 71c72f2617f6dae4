"""The folder ``code`` of a model archive: with it AWS's scikit-learn image can serve the model.

The image installs ``requirements.txt`` and imports ``inference.py``, which takes Basketwise from
the wheel beside it. So the model is served by the code and the library versions that made it.
Versions only: the image installs the folder itself in the same call, and if one line had hashes,
pip would ask for those of the folder too.
"""

from __future__ import annotations

import re
from collections import deque
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from basketwise.artifact.wheel import write_wheel
from basketwise.plugins import HANDLERS
from basketwise.provenance import XGBOOST

REQUIREMENTS = "requirements.txt"
INFERENCE = "inference.py"
LIBRARIES = "lib"
"""Folder beside it, where a start may have unpacked what is imported before anything else."""

SERVING = (
    "narwhals",
    "numpy",
    "polars",
    "pydantic",
    "scikit-learn",
    "scipy",
    "skops",
    "threadpoolctl",
    XGBOOST,
)
"""What scoring imports, of all that Basketwise needs."""

SCRIPT = f'''\
"""Serves the model beside it: what AWS's scikit-learn image calls."""

import importlib
import sys
from pathlib import Path

__all__ = ["input_fn", "model_fn", "output_fn", "predict_fn"]

FOLDER = Path(__file__).resolve().parent
# A wheel of pure Python can be imported as it is, wherever the image has put this folder.
sys.path[:0] = [str(FOLDER / "{LIBRARIES}"), *map(str, FOLDER.glob("basketwise-*.whl"))]


def __getattr__(name):
    # The process that starts the server imports this module too, and calls nothing of it.
    if name not in __all__:
        raise AttributeError(name)
    return getattr(importlib.import_module("{HANDLERS}"), name)
'''

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def write_code(folder: Path) -> None:
    """Write ``inference.py``, ``requirements.txt`` and the wheel into an empty folder."""
    (folder / INFERENCE).write_text(SCRIPT, encoding="utf-8")
    (folder / REQUIREMENTS).write_text("".join(f"{pin}\n" for pin in pins()), encoding="utf-8")
    write_wheel(folder)


def pins(names: tuple[str, ...] = SERVING) -> list[str]:
    """List the installed versions of some distributions and of all that they need.

    Returns
    -------
    list of str
        ``name==version``, sorted; what is not installed on this platform is left out.

    Examples
    --------
    >>> [pin.partition("==")[0] for pin in pins(("scipy",))]
    ['numpy', 'scipy']
    """
    waiting = deque(names)
    versions: dict[str, str] = {}
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.popleft()).lower()
        if name in versions:
            continue
        if installed := _installed(name):
            versions[name], needs = installed
            waiting += needs
    return [f"{name}=={version}" for name, version in sorted(versions.items())]


@cache
def _installed(name: str) -> tuple[str, list[str]] | None:
    """Return a distribution's version and the names of those it needs; None if it is absent."""
    try:
        metadata = distribution(name)
    except PackageNotFoundError:
        return None
    needs = [need for need in metadata.requires or () if "extra ==" not in need]
    # A local version label, as in 1.2+cpu, is not known to an index.
    version = metadata.version.partition("+")[0]
    return version, [match.group() for match in map(_NAME.match, needs) if match]
