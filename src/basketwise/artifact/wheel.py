"""The running package as a wheel, made with the standard library alone.

A job or an endpoint must run the very code that made the model, and no build tool may be at hand. A
pure-Python wheel is a zip file of the package and three documents about it (Holth, The Wheel Binary
Package Format 1.0, PEP 427, 2012).
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import basketwise
from basketwise import __version__

NAME = "basketwise"
TAG = "py3-none-any"
WHEEL = f"Wheel-Version: 1.0\nGenerator: {NAME}\nRoot-Is-Purelib: true\nTag: {TAG}\n"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time in a zip file, used so that the same files give the same bytes."""


def write_wheel(folder: Path, version: str = __version__) -> Path:
    """Write the running package as a wheel, which is named after its version.

    The same files give the same bytes, on one machine.

    Parameters
    ----------
    version : str
        What the wheel says of itself, to installers alone; the code in it knows its own.
    """
    path = folder / f"{NAME}-{version}-{TAG}.whl"
    path.write_bytes(_wheel(version))
    return path


@cache
def _wheel(version: str) -> bytes:
    package = Path(basketwise.__file__).parent
    files = {
        f"{NAME}/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    about = f"{NAME}-{version}.dist-info"
    for name, text in _documents(version).items():
        files[f"{about}/{name}"] = text.encode()
    record = f"{about}/RECORD"
    files[record] = _record(files, record).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)
    return packed.getvalue()


def _documents(version: str) -> dict[str, str]:
    """Return what is said of the package, by file name; as installed, where it is installed."""
    bare = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n"
    documents = {"METADATA": bare, "WHEEL": WHEEL}
    try:
        installed = distribution(NAME)
    except PackageNotFoundError:
        return documents
    # What an editable installation says of itself may be older than the code.
    if installed.version == version:
        documents["METADATA"] = installed.read_text("METADATA") or bare
    points = installed.read_text("entry_points.txt")
    return documents | ({"entry_points.txt": points} if points else {})


def _record(files: dict[str, bytes], record: str) -> str:
    rows = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}")
    return "\n".join([*rows, f"{record},,", ""])
