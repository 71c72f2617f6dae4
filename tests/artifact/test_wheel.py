from __future__ import annotations

import base64
import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import basketwise
from basketwise.artifact import wheel
from basketwise.artifact.wheel import write_wheel

PACKAGE = Path(basketwise.__file__).parent
ABOUT = f"basketwise-{basketwise.__version__}.dist-info"


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        wheel._wheel.cache_clear()
        made.append(write_wheel(tmp_path).read_bytes())
    assert made[0] == made[1]


def test_it_holds_the_package_and_nothing_left_by_running_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(write_wheel(tmp_path)) as archive:
        names = archive.namelist()
        held = {name for name in names if name.startswith("basketwise/")}
        for name in held:
            assert archive.read(name) == (PACKAGE.parent / name).read_bytes(), name
    assert {path for path in held if path.endswith(".py")} == {
        path.relative_to(PACKAGE.parent).as_posix() for path in PACKAGE.rglob("*.py")
    }
    assert "basketwise/report/templates/report.html" in held
    assert not [name for name in names if "__pycache__" in name]
    assert set(names) - held == {
        f"{ABOUT}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")
    }


def test_its_record_is_true(tmp_path: Path) -> None:
    with zipfile.ZipFile(write_wheel(tmp_path)) as archive:
        rows = list(csv.reader(io.StringIO(archive.read(f"{ABOUT}/RECORD").decode())))
        assert {row[0] for row in rows} == set(archive.namelist())
        for name, digest, size in rows:
            if name == f"{ABOUT}/RECORD":
                assert digest == size == ""
                continue
            content = archive.read(name)
            sha = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            assert (digest, int(size)) == (f"sha256={sha}", len(content))


def test_pip_installs_it(tmp_path: Path) -> None:
    path, target = write_wheel(tmp_path), tmp_path / "installed"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-index", "--no-deps", "--no-compile", "--target", str(target), str(path)),
        ],
        check=True,
        capture_output=True,
    )
    assert (target / "basketwise" / "schema.py").read_bytes() == (
        PACKAGE / "schema.py"
    ).read_bytes()
    assert (target / ABOUT / "entry_points.txt").is_file()


def test_a_wheel_can_keep_its_name_from_version_to_version(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "0")
    assert path.name == "basketwise-0-py3-none-any.whl"
    with zipfile.ZipFile(path) as archive:
        about = archive.read("basketwise-0.dist-info/METADATA").decode()
        code = archive.read("basketwise/__init__.py").decode()
    assert "\nVersion: 0\n" in about
    assert f'__version__ = "{basketwise.__version__}"' in code


def test_it_holds_the_lock_that_jobs_install(tmp_path: Path) -> None:
    with zipfile.ZipFile(write_wheel(tmp_path)) as archive:
        assert b"--hash=sha256:" in archive.read("basketwise/aws/container/requirements.lock")
