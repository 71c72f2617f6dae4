from __future__ import annotations

import subprocess
import sys
import threading

from basketwise.importing import DRAWING, LEARNING, LOADING, load


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
