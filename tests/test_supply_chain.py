"""What a release is made of: hashes, licences, and the image that it starts from."""

from __future__ import annotations

import re
import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = [
    *sorted((ROOT / "requirements").glob("*.lock")),
    ROOT / "src/basketwise/aws/container/requirements.lock",
    *sorted((ROOT / "src/basketwise/deploy/locks").glob("*.lock")),
]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_of_a_lock_has_a_hash_and_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    packages = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert packages
    assert not [package.split()[0] for package in packages if "--hash=sha256:" not in package]
    assert "://" not in text


def test_every_package_states_a_licence(capsys: pytest.CaptureFixture[str]) -> None:
    listed = runpy.run_path(str(ROOT / "scripts/licences.py"))["main"]
    assert listed(ROOT / "requirements/runtime.lock") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["click", line.split()[1], "BSD-3-Clause"] for line in lines)


@pytest.mark.parametrize(
    ("base", "warns"),
    [("python:3.12-slim", True), ("python:3.12-slim@sha256:" + "0" * 64, False)],
)
def test_a_build_warns_of_a_base_that_moves(base: str, warns: bool) -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    step = re.search(r"^RUN (case .*?esac)$", text, re.MULTILINE | re.DOTALL)
    assert step
    done = subprocess.run(
        ["sh", "-c", step[1]], env={"BASE": base}, capture_output=True, text=True, check=True
    )
    assert ("WARNING" in done.stderr) is warns
