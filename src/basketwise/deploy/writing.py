"""A rendered folder: written whole, recorded, and never replaced once somebody has changed it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from basketwise import __version__
from basketwise.artifact.documents import parse_json
from basketwise.deploy.approved import ApprovedModel
from basketwise.digests import content
from basketwise.errors import InputError, writing
from basketwise.files import discard, move
from basketwise.scratch import scratch

RECORD = "rendered.json"
"""Says what a folder was rendered from, and the sha256 of each file."""

Files: TypeAlias = Mapping[str, "str | Path"]
"""Texts, and local files to copy, by their relative names."""


def write_files(
    out: Path, files: Files, model: ApprovedModel, target: str, *, overwrite: bool = False
) -> Path:
    """Write the files of a target into a folder, which is replaced if it was rendered earlier.

    Raises
    ------
    InputError
        If the folder contains anything else, or a rendered file was changed, unless ``overwrite``
        is given. Of a folder that was never rendered, nothing is overwritten in any case.
    WorkspaceError
        If it cannot be written.
    """
    check_replaceable(out, overwrite=overwrite)
    with writing(
        f"{str(out)!r} cannot be written",
        "Free some space, fix the permissions, or choose another --out.",
    ):
        out.parent.mkdir(parents=True, exist_ok=True)
        with scratch(out.parent) as temporary:
            draft = temporary / out.name
            draft.mkdir()
            for name, source in files.items():
                path = draft / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(source, Path):
                    shutil.copyfile(source, path)
                else:
                    path.write_text(source, encoding="utf-8", newline="\n")
            document = record(model, target) | {"files": dict(sorted(content(draft).items()))}
            text = json.dumps(document, indent=2) + "\n"
            (draft / RECORD).write_text(text, encoding="utf-8")
            if out.exists():
                discard(out, out.parent)
            move(draft, out)
    return out


def record(model: ApprovedModel, target: str) -> dict[str, Any]:
    """Return what a rendering rests on; the same version gives the same bytes."""
    return {
        "target": target,
        "basketwise": __version__,
        "group": model.group,
        "version": model.version,
        "sha256": model.sha256,
    }


def check_replaceable(out: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds anything but an unchanged rendering."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    rendered = _rendered(out)
    if rendered is None:
        raise InputError(
            f"{str(out)!r} exists, and was not rendered by Basketwise.",
            "Choose another --out, or remove it.",
        )
    present = content(out)
    present.pop(RECORD, None)
    changed = sorted(name for name, digest in present.items() if rendered.get(name) != digest)
    if changed and not overwrite:
        more = f" and {len(changed) - 3:,} more" if len(changed) > 3 else ""
        raise InputError(
            f"{str(out)!r} has been changed since it was rendered: {', '.join(changed[:3])}{more}.",
            "Move what is yours out of it (Kubernetes: an overlay; Compose: a second file), or "
            "replace all of it with --overwrite.",
        )


def _rendered(out: Path) -> dict[str, Any] | None:
    """Return the digests of the files that were rendered into a folder, None if none was."""
    try:
        document = parse_json((out / RECORD).read_bytes())
        files = document["files"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return files if isinstance(files, dict) else None
