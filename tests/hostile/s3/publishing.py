"""Writers and readers of one workspace, and what must hold whatever happens to them."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from basketwise.aws import s3
from basketwise.aws.s3 import Bucket, is_below
from basketwise.aws.storage import lock, mirror, replacement
from basketwise.aws.storage.lock import LOCK
from basketwise.aws.storage.storage import S3Storage
from basketwise.errors import DependencyError, InputError, WorkspaceError
from tests.hostile.s3.machines import LEASE, Gates, KilledError, Machine, Rates, World

Files = dict[str, bytes]
"""Names below ``gold/`` and their bytes."""

NAMES, CONTENTS = "abcde", (b"1", b"2", b"in parts")
"""Few, so that later publications often bring back what an earlier one has removed."""


@dataclass
class Publication:
    """What a writer is about to make of the files."""

    apply: Callable[[Files], Files]
    is_applied: bool = False


@dataclass
class Workspace:
    """A workspace in the simulated bucket, with the history of what its readers should see."""

    world: World
    folder: Path
    history: list[Files] = field(default_factory=lambda: [{}])
    running: dict[str, Publication] = field(default_factory=dict)
    entered: set[str] = field(default_factory=set)
    """Tokens of those who held the lock and had cleaned up after the holder before."""
    refused: int = 0
    published: int = 0

    def __post_init__(self) -> None:
        self.world.observe = self._observe

    def opened(self, client: Any, name: str) -> S3Storage:
        """Open the workspace on a machine."""
        return S3Storage(client, "bucket", "", cache=self.folder / name, lease=LEASE)

    def visible(self) -> Files:
        """Return what a reader should see if nothing else happened meanwhile."""
        objects, pending = self.world.store.objects, self._lock().get("pending")
        files = {key: item.data for key, item in objects.items() if key.startswith("gold/")}
        if pending:
            prefix, root = pending["prefix"], f".basketwise/incoming/{pending['id']}"
            removed = (prefix, *pending["others"])
            kept = {
                key: data
                for key, data in files.items()
                if not any(is_below(key, below) for below in removed)
            }
            staged = {
                prefix + key.removeprefix(root): item.data
                for key, item in objects.items()
                if is_below(key, root)
            }
            files = kept | staged
        return {key.removeprefix("gold/"): data for key, data in files.items()}

    def _lock(self) -> dict[str, Any]:
        stored = self.world.store.objects.get(LOCK)
        body: dict[str, Any] = json.loads(stored.data) if stored else {}
        return body

    def _observe(self, by: Machine) -> None:
        before, after, owner = self.history[-1], self.visible(), self._lock().get("token")
        # Until a new holder has cleaned up, what the one before it does comes before its work.
        may_change = {owner} if owner in self.entered else {*self.running}
        for token, publication in self.running.items():
            if after == before == publication.apply(before):
                publication.is_applied = True
            elif after != before and token in may_change and publication.apply(before) == after:
                publication.is_applied = True
                self.history.append(after)
                return
        assert after == before, f"{by.name} changed {before} to {after}, without the lock"

    def write(self, name: str) -> None:
        """Publish several times, from a machine that starts anew after each."""
        for number in range(self.world.random.randint(2, 6)):
            with suppress(KilledError):
                try:
                    self._session(f"{name}{number}")
                except (WorkspaceError, DependencyError):
                    self.refused += 1
                    self.world.pause(self.world.random.uniform(0, LEASE))

    def _session(self, name: str) -> None:
        opened, rng = self.opened(self.world.boot(name), name), self.world.random
        with opened.exclusive():
            assert opened._active_lease is not None
            token = opened._active_lease.holder.token
            self.entered.add(token)
            for _ in range(rng.randint(1, 2)):
                action, publication = self._planned(opened, rng, name)
                self.running[token] = publication
                try:
                    before = self.history[-1]
                    action()
                    if before == self.history[-1] == publication.apply(before):
                        publication.is_applied = True
                finally:
                    del self.running[token]
                assert publication.is_applied, f"{name} published nothing, without an error"
                self.published += 1

    def _planned(
        self, opened: S3Storage, rng: random.Random, name: str
    ) -> tuple[Callable[[], None], Publication]:
        kind, data = rng.random(), rng.choice(CONTENTS)
        if kind < 0.1:
            key = rng.choice(NAMES)
            return lambda: opened.write(f"gold/{key}", data), Publication(
                lambda old: {**old, key: data}
            )
        if kind < 0.15:
            return lambda: opened.delete("gold"), Publication(lambda _: {})
        if kind < 0.2:
            names = rng.sample(NAMES, rng.randint(1, 2))
            kept = partial(_without, names)
            return lambda: opened.delete(*(f"gold/{n}" for n in names)), Publication(kept)
        files = {key: rng.choice(CONTENTS) for key in rng.sample(NAMES, rng.randint(1, 4))}
        if kind < 0.5:
            # Files that the bucket has already are copied within it.
            opened.local("gold")
        folder = written(self.folder / f"{name}-{rng.random()}", files)
        return lambda: opened.replace(folder, "gold"), Publication(lambda old: files)

    def read(self, name: str) -> None:
        """Read again and again, and compare with the history."""
        opened = self.opened(self.world.boot(name), name)
        for _ in range(4):
            start = len(self.history) - 1
            kind = self.world.random.randrange(3)
            key = self.world.random.choice(NAMES)
            try:
                if kind == 0:
                    seen: Any = read_folder(opened.local("gold"))
                    possible: Iterable[Any] = self.history[start:]
                elif kind == 1:
                    seen = opened.keys("gold")
                    possible = (
                        sorted(f"gold/{name}" for name in old) for old in self.history[start:]
                    )
                else:
                    try:
                        seen = opened.read(f"gold/{key}")
                    except InputError:
                        seen = None
                    possible = (old.get(key) for old in self.history[start:])
            except (WorkspaceError, DependencyError):
                continue
            possible = list(possible)
            assert seen in possible, f"{name} saw {seen}, which was never published: {possible}"

    def settle(self) -> None:
        """Check that the next writer takes the lock after a lease, and leaves nothing behind."""
        store = self.world.store
        store.now += LEASE + 2
        assert self.visible() == self.history[-1]
        opened, final = self.opened(self.world.boot("last"), "last"), {"last": b"3", "a": b"1"}
        with opened.exclusive():
            assert opened._active_lease is not None
            self.running[opened._active_lease.holder.token] = Publication(lambda _: final)
            opened.replace(written(self.folder / "final", final), "gold")
        assert self.visible() == final
        assert {key: stored.data for key, stored in store.objects.items() if key != LOCK} == {
            f"gold/{name}": data for name, data in final.items()
        }, f"left behind: {sorted(store.objects)}"
        # What a killed machine has left of a copy in parts is for the bucket's own rule.
        assert not any(key.startswith(".basketwise/") for key, _ in store.uploads.values())


def _without(names: list[str], files: Files) -> Files:
    return {key: data for key, data in files.items() if key not in names}


def written(folder: Path, files: Files) -> Path:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def read_folder(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


@contextmanager
def simulated(world: World) -> Any:
    """Replace the clock, threads and locks of the code by those of the simulation."""
    gates, real = Gates(world), lock.leased

    def leased(lease: lock.Lease) -> Any:
        lease._writing = gates.lock()
        return real(lease)

    def upload(self: Bucket, path: Path, key: str) -> None:
        self.put(key, path)

    def for_each(function: Callable[[Any], None], items: Iterable[Any]) -> None:
        shuffled = list(items)
        world.random.shuffle(shuffled)
        for item in shuffled:
            function(item)

    with (
        mock.patch("basketwise.aws.storage.storage.leased", leased),
        # Files of the longest content are copied in parts, as files of more than 4 GiB are.
        mock.patch.object(Bucket, "upload", upload),
        mock.patch.object(s3, "PART", 4),
        mock.patch("basketwise.aws.s3.COPY_IN_PARTS", len(CONTENTS[-1]) - 1),
        mock.patch("basketwise.aws.storage.storage.COPY_IN_PARTS", len(CONTENTS[-1]) - 1),
        mock.patch("basketwise.aws.storage.replacement.COPY_IN_PARTS", len(CONTENTS[-1]) - 1),
        mock.patch.object(lock, "Event", gates.event),
        mock.patch.object(lock, "Thread", gates.thread),
        mock.patch.object(mirror, "for_each", for_each),
        mock.patch.object(replacement, "for_each", for_each),
        mock.patch.object(
            replacement, "results_of", lambda read, keys: [read(key) for key in keys]
        ),
    ):
        yield


def play(seed: int, folder: Path) -> Workspace:
    """Play one interleaving; raises AssertionError with the requests that led to a violation."""
    world = World(seed)
    workspace = Workspace(world, folder)
    with simulated(world):
        for name in ("a", "b", "c")[: world.random.randint(2, 3)]:
            world.spawn(partial(workspace.write, name))
        world.spawn(partial(workspace.read, "reader"))
        try:
            world.run()
            world.rates = Rates(0.0, 0.0, 0.0, 0.0)
            world.spawn(workspace.settle)
            world.run()
        except Exception as error:
            requests = "\n".join(world.log[-80:])
            raise AssertionError(
                f"Seed {seed}: {type(error).__name__}: {error}\n{requests}"
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return workspace
