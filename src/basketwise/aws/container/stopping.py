"""What a container does on SIGTERM, from its first moment on.

The first process of a container ignores signals that it does not handle. So this is called before
anything else is imported, and itself imports the standard library alone.
"""

from __future__ import annotations

import os
import signal
import threading

STOPPED = 128 + signal.SIGTERM
"""Exit code after SIGTERM, as shells expect."""


def exit_on_sigterm() -> None:
    """End the process at once on SIGTERM, whatever it is doing.

    Python handles signals only between two steps of the main thread, which may be minutes apart in
    a library. So a thread waits for it, and must be started before all others: they inherit that
    the signal is blocked. Checkpoints are complete at any time; there is nothing to clean up.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        os._exit(STOPPED)

    threading.Thread(target=wait, daemon=True).start()


def exit_until_handled() -> None:
    """End the process on SIGTERM until something else handles it: a server loses no request."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(STOPPED))
