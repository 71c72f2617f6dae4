from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from basketwise.aws.container.stopping import STOPPED
from tests.aws.double.first_process import first_process
from tests.aws.double.mounts import NOT_ALLOWED, may_mount

IMPORTED = """
import sys
before = set(sys.modules)
import basketwise.aws.container.stopping
new = {name.partition(".")[0] for name in sys.modules.keys() - before}
print(*sorted(new - sys.stdlib_module_names))
"""
SLOW = """
import time
from pathlib import Path

Path("importing").touch()
time.sleep(60)
"""


def test_nothing_that_takes_time_is_imported_before() -> None:
    command = [sys.executable, "-c", IMPORTED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["basketwise"]


@pytest.mark.skipif(not may_mount(), reason=NOT_ALLOWED)
@pytest.mark.parametrize("command", ["processing", "train", "evaluate", "serve"])
def test_a_container_is_stopped_while_it_imports(base: Path, tmp_path: Path, command: str) -> None:
    """As its first process, which no signal ends that it does not handle."""
    (tmp_path / "click.py").write_text(SLOW, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    job = [sys.executable, "-m", "basketwise.aws.container", command]
    with first_process(["env", "-C", str(base), *job], environment, tmp_path / "log") as process:
        while not (base / "importing").exists():
            assert process.running(), (tmp_path / "log").read_text()
            time.sleep(0.01)
        assert process.handles(signal.SIGTERM)
        assert process.terminate() == STOPPED
