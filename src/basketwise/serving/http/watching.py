"""The champion changes while it is served: the server follows the registry, and loses no request.

The registry is asked every few seconds. A version that leads now is fetched, verified, opened and
let score an example beside the one that answers; only then it is swapped in. One that fails is
refused, and the one before goes on, as long as it is approved itself. What is not approved any more
is not served, even if nothing else can be.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from polars.exceptions import PanicException

from basketwise.artifact.documents import complaint
from basketwise.config import Config
from basketwise.errors import BasketwiseError, InputError
from basketwise.registry.opening import existing_registry
from basketwise.registry.protocol import CHAMPION, ApprovalState, ModelVersion, Registry
from basketwise.serving.http.served import Current, Served, open_registered
from basketwise.storage.protocol import Storage

AGAIN_SECONDS = 60.0
"""Until a version that was refused is tried again: the fault may have been this machine's."""

Say = Callable[[str], None]
Open = Callable[[ModelVersion], Served]


@dataclass(frozen=True)
class _Refused:
    version: str
    sha256: str
    at: float


class Watcher:
    """Keeps what is served the same as what the registry says.

    Parameters
    ----------
    current : Current
        What is served.
    registry : Registry
        Where the versions are.
    model : str
        ``champion``, or the number of the one version to serve.
    open_version : callable
        Fetches, verifies and opens a version.
    say : callable
        Is told of every swap and every refusal, once.
    allow_unapproved : bool
        Whether a version is served whatever its state is.
    """

    def __init__(
        self,
        current: Current,
        registry: Registry,
        model: str,
        open_version: Open,
        say: Say,
        *,
        allow_unapproved: bool = False,
    ) -> None:
        self._current, self._registry, self._model = current, registry, model
        self._open, self._say = open_version, say
        self._allow_unapproved = allow_unapproved
        self._refused: _Refused | None = None
        self._silent = ""
        self._ended = Event()
        self._thread: Thread | None = None

    def start(self, seconds: float) -> None:
        """Look every so many seconds, in a thread."""

        def watch() -> None:
            while not self._ended.wait(seconds):
                self.look()

        self._thread = Thread(target=watch, name="basketwise-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a model that is being opened is not waited for."""
        self._ended.set()

    def look(self) -> None:
        """Ask the registry once, and serve what it says; never raises."""
        try:
            self._follow()
        except (Exception, PanicException) as error:
            # What is served goes on: that the registry cannot be reached says nothing against it.
            self._say_once(f"The registry cannot be read: {complaint(error)}")
        else:
            self._silent = ""

    def _follow(self) -> None:
        served, wanted = self._current.get(), self._wanted()
        if wanted is None:
            self._withdraw(served, "no version is approved any more")
            return
        if served and (served.version, served.sha256) == (wanted.version, wanted.sha256):
            return
        if self._was_refused(wanted):
            self._drop_if_rejected(served)
            return
        try:
            opened = self._open(wanted)
        except (Exception, PanicException) as error:
            self._refused = _Refused(wanted.version, wanted.sha256, time.monotonic())
            self._current.refused += 1
            headline = error.headline if isinstance(error, BasketwiseError) else complaint(error)
            self._say(f"Version {wanted.version} is refused: {headline}")
            self._drop_if_rejected(served)
            return
        # It may have been rejected while it was opened.
        if self._is_servable(self._registry.get(wanted.version)):
            self._refused = None
            before = self._current.swap(opened)
            instead = f" instead of {before.name}" if before else ""
            self._say(f"Serving {opened.name}{instead}.")

    def _wanted(self) -> ModelVersion | None:
        if self._model == CHAMPION:
            return self._registry.champion()
        try:
            version = self._registry.get(self._model)
        except InputError:
            return None
        return version if self._is_servable(version) else None

    def _is_servable(self, version: ModelVersion) -> bool:
        return self._allow_unapproved or version.state is ApprovalState.APPROVED

    def _was_refused(self, wanted: ModelVersion) -> bool:
        refused = self._refused
        return (
            refused is not None
            and (refused.version, refused.sha256) == (wanted.version, wanted.sha256)
            and time.monotonic() - refused.at < AGAIN_SECONDS
        )

    def _drop_if_rejected(self, served: Served | None) -> None:
        """Serve nothing rather than a version that is not approved any more."""
        if served is None or served.version is None:
            return
        if not self._is_servable(self._registry.get(served.version)):
            self._withdraw(served, "it is not approved any more")

    def _withdraw(self, served: Served | None, why: str) -> None:
        if served is not None:
            self._current.swap(None)
            self._say(f"{served.name[0].upper()}{served.name[1:]} is not served now: {why}.")

    def _say_once(self, text: str) -> None:
        if text != self._silent:
            self._silent = text
            self._say(text)


def watcher_of(
    current: Current,
    config: Config,
    storage: Storage,
    model: str,
    history: Path | None,
    say: Say,
    *,
    allow_unapproved: bool = False,
) -> Watcher | None:
    """Return what follows a workspace's registry; None for a model that was named by its path.

    Parameters are those of :class:`Watcher` and of
    :func:`basketwise.serving.http.served.open_served`.
    """
    if model != CHAMPION and not model.isdigit():
        return None
    registry = existing_registry(config, storage)

    def opened(version: ModelVersion) -> Served:
        return open_registered(
            registry, version, storage, history, allow_unapproved=allow_unapproved
        )

    return Watcher(current, registry, model, opened, say, allow_unapproved=allow_unapproved)
