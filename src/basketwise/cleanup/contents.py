"""What a folder of a workspace contains, and which of that Basketwise wrote."""

from __future__ import annotations

import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

from basketwise.cleanup.leftovers import Folder
from basketwise.run.record import file_name, read_step

RUN_FILES = re.compile(
    r"manifest\.json|(training|calibration|metrics|results|evaluation_results|model_metadata"
    r"|metadata|report|job|gold)\.json|step-[a-z]+\.json|report\.html|model\.(skops|joblib|tar\.gz)"
    r"|((oof|test)_predictions|customer_history)\.parquet|(confusion_matrix_\w+|model_comparison|reliability)\.png"
)
"""What Basketwise writes to a run's folder, whether or not a record of a stage names it."""

CHECKPOINT_FILES = re.compile(r"[\w-]+\.checkpoint|\.[0-9a-f]{32}\.tmp")

ATTACHED = re.compile(
    r"artifacts/attachments/(\w+\.png|report\.(html|json)|evaluation_results\.json)"
)
MODEL_FILES = re.compile(
    r"artifacts/(model\.tar\.gz|MLmodel|(python_env|conda)\.yaml|requirements\.txt"
    r"|(serving_)?input_example\.json)"
)
"""What a registration stores of a run, and of its model."""


def names_in(folder: Path) -> list[str]:
    """Return what is in a folder, sorted."""
    return sorted(entry.name for entry in os.scandir(folder))


def read_folder(root: Path, key: str, *, with_links: bool = False) -> Folder | None:
    """Return what is below a key; None if it is not there, or is reached through a link.

    A link in it counts as a file that is not ours, unless ``with_links``: then it goes with the
    folder, without what it leads to.
    """
    parts = key.split("/")
    if any(root.joinpath(*parts[:count]).is_symlink() for count in range(1, len(parts) + 1)):
        return None
    files: dict[str, int] = {}
    path = root / key
    try:
        newest = path.lstat().st_mtime
        if path.is_file():
            files[""] = path.lstat().st_size
        for parent, folders, names in os.walk(path):
            for name in (*folders, *names):
                entry = Path(parent, name)
                status = entry.lstat()
                newest = max(newest, status.st_mtime)
                if not stat.S_ISDIR(status.st_mode):
                    name = entry.relative_to(path).as_posix()
                    is_plain = stat.S_ISREG(status.st_mode)
                    files[name if is_plain or with_links else f"{name} (a link)"] = status.st_size
    except OSError:
        return None
    return Folder(key, files, datetime.fromtimestamp(newest, UTC))


def recorded_files(folder: Path) -> set[str]:
    """Return the files that the stages of a run recorded as theirs."""
    steps = (read_step(stage, folder) for stage in ("training", "evaluation"))
    return {name for step in steps if step for name in (*step.outputs, file_name(step.stage))}
