"""Local files that cannot be read are not uploaded: a list of them, beside those that are.

The job that cleans the others reads it, so that its records name the files as those of a run on
this machine do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from basketwise.errors import InputError
from basketwise.etl.raw.sources import Delivery, Skipped

FILE = "_skipped.json"
"""Among the raw files; its name keeps it from being read as one."""

_LIST = TypeAdapter(list[Skipped])


def skipped_document(skipped: Sequence[Skipped]) -> bytes:
    """Return the content of the list."""
    return _LIST.dump_json(list(skipped), indent=2)


def read_skipped(folder: Path) -> list[Skipped]:
    """Read the list of a folder of raw files; empty if it has none."""
    path = folder / FILE
    if not path.is_file():
        return []
    try:
        return _LIST.validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(
            f"{FILE} beside the raw files cannot be read.", "Delete it, or upload the files again."
        ) from error


def with_skipped(delivery: Delivery, more: Sequence[Skipped]) -> Delivery:
    """Add skipped files that a delivery does not name yet, as it does the members of a zip."""
    known = {file.name for file in delivery.skipped}
    return Delivery(
        delivery.sources, [*delivery.skipped, *(file for file in more if file.name not in known)]
    )
