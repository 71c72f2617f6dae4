from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from basketwise.importing import DRAWING, LEARNING, LOADING, WAITING, load


def test_all_that_is_loaded_ahead_exists_and_is_loaded_once_asked_for() -> None:
    code = (
        "import sys\n"
        "from basketwise.importing import DRAWING, LEARNING, load\n"
        "names = {'sklearn', 'xgboost', 'matplotlib', 'skops'}\n"
        "assert not names & sys.modules.keys()\n"
        "load(*LEARNING, *DRAWING)\n"
        "assert {*names, *LEARNING, *DRAWING} <= sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not set(LEARNING) & set(DRAWING)


def test_a_library_is_loaded_by_one_thread_at_a_time() -> None:
    ended = threading.Event()

    def other() -> None:
        load("json")
        ended.set()

    thread = threading.Thread(target=other)
    with LOADING:
        thread.start()
        # The same thread may go on: a library loads others.
        load("json")
        assert not ended.wait(0.05)
    thread.join()
    assert ended.is_set()


@pytest.mark.skipif(sys.platform != "linux", reason="what reports it is GNU's OpenMP")
@pytest.mark.parametrize(("given", "expected"), [({}, "PASSIVE"), ({WAITING: "ACTIVE"}, "ACTIVE")])
def test_threads_of_openmp_sleep_while_they_wait(given: dict[str, str], expected: str) -> None:
    script = "from basketwise.importing import wait_passively; wait_passively(); import xgboost"
    environment = {name: value for name, value in os.environ.items() if name != WAITING}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment | {"OMP_DISPLAY_ENV": "TRUE"} | given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{WAITING} = '{expected}'" in done.stderr
