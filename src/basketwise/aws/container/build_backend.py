"""Unpacks a model's libraries, and builds a wheel of its handlers (PEP 517).

A copy of this file lies in the folder ``code`` of a self-contained archive. pip calls it there, in
the folder that the handlers are imported from, at every start of AWS's image; so it imports the
standard library alone.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
HANDLERS = "inference.py"
HANDLERS_FOLDER = "Path(__file__).resolve().parent"
"""How the handlers find what lies beside them; their copy in the wheel has the folder's path."""
PACKED = "libraries.zip"
LIBRARIES = "lib"

STEM = "basketwise_inference-1"
ABOUT = {
    "METADATA": "Metadata-Version: 2.1\nName: basketwise-inference\nVersion: 1\n",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: basketwise\nRoot-Is-Purelib: true\n"
    "Tag: py3-none-any\n",
}

Settings = dict[str, Any]


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: Settings | None = None
) -> str:
    """Write what the wheel says of itself; without this, pip would build it twice."""
    about = Path(metadata_directory, f"{STEM}.dist-info")
    about.mkdir()
    for name, text in ABOUT.items():
        (about / name).write_text(text, encoding="utf-8")
    return about.name


def build_wheel(
    wheel_directory: str,
    config_settings: Settings | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Unpack the libraries; write a wheel of the handlers, which take them from this folder."""
    with zipfile.ZipFile(FOLDER / PACKED) as libraries:
        libraries.extractall(FOLDER / LIBRARIES)
    handlers = (FOLDER / HANDLERS).read_text(encoding="utf-8")
    files = {HANDLERS: handlers.replace(HANDLERS_FOLDER, f"Path({str(FOLDER)!r})")}
    files |= {f"{STEM}.dist-info/{name}": text for name, text in ABOUT.items()}
    record = f"{STEM}.dist-info/RECORD"
    files[record] = "".join(f"{name},,\n" for name in [*files, record])
    name = f"{STEM}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, name), "w") as wheel:
        for file, content in files.items():
            wheel.writestr(file, content)
    return name
