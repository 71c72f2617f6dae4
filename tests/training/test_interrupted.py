"""A training that is killed without a word, again and again, and still ends as it should."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from basketwise.config import TrainingConfig
from basketwise.files import MODEL, OOF_FILE, RECORD_FILE, TEST_PREDICTIONS_FILE
from basketwise.training.record import TrainingRecord
from basketwise.training.stage import run_training
from tests.etl.running import Run, quiet
from tests.warm import WarmProcess

CONFIG = TrainingConfig.model_validate(
    {
        "checkpoint_rounds": 3,
        "random_forest": {"n_estimators": 40, "max_depth": 8},
        "xgboost": {"n_estimators": 30, "max_depth": 4, "subsample": 0.8},
    }
)

MODULE = "killed_training"
TRAINING = """
import sys
from pathlib import Path
from basketwise.config import TrainingConfig
from basketwise.training.stage import run_training

gold, out, kept = map(Path, sys.argv[1:4])
config = TrainingConfig.model_validate_json(sys.argv[4])
run_training(gold, out, config, lambda *tick: None, kept)
"""

Entry = tuple[str, int, int]
"""A file's name, inode and time."""

STRETCH = "-rounds.checkpoint"

MOMENTS: tuple[tuple[bool, int], ...] = ((True, 2), (False, 2), (False, 3))
"""What each process that is killed has kept by then: stretches of boosting, or whole pieces."""

CHANCE = random.Random(11)

PATIENCE = 60.0
"""Seconds for a process to get so far, on a slow machine."""


def start(gold: Path, out: Path, kept: Path) -> WarmProcess:
    out.mkdir()
    folder = out.parent
    (folder / f"{MODULE}.py").write_text(TRAINING)
    return WarmProcess(
        MODULE,
        [*map(str, (gold, out, kept)), CONFIG.model_dump_json()],
        environment=os.environ,
        cwd=folder,
        stdout=folder / "log",
        stderr=folder / "log",
    )


def written(kept: Path) -> set[Entry]:
    """List what is kept; the same piece written again is another entry."""
    results = set()
    for path in kept.glob("*.checkpoint"):
        # Stretches come and go.
        with suppress(FileNotFoundError):
            facts = path.stat()
            results.add((path.name, facts.st_ino, facts.st_mtime_ns))
    return results


def whole(entries: set[Entry]) -> set[Entry]:
    return {entry for entry in entries if not entry[0].endswith(STRETCH)}


def kill(process: WarmProcess, kept: Path, stretch: bool, new: int) -> None:
    """Kill a training as soon as it has kept so much more."""
    before, deadline = written(kept), time.monotonic() + PATIENCE
    seen: set[Entry] = set()
    while len(seen) < new and process.poll() is None and time.monotonic() < deadline:
        seen |= {name for name in written(kept) - before if name[0].endswith(STRETCH) == stretch}
        time.sleep(0.001)
    if not stretch:
        time.sleep(CHANCE.uniform(0, 0.03))
    process.send_signal(signal.SIGKILL)
    assert process.wait(PATIENCE) == -signal.SIGKILL, "it had ended before"
    assert len(seen) >= new


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
def test_killed_at_any_moment_it_ends_with_the_same_model(sample_run: Run, tmp_path: Path) -> None:
    gold, kept, plain = sample_run.gold, tmp_path / "kept", tmp_path / "plain"
    plain.mkdir()
    expected = run_training(gold, plain, CONFIG, quiet)

    for number, (stretch, new) in enumerate(MOMENTS):
        out, before = tmp_path / f"killed-{number}", whole(written(kept))
        kill(start(gold, out, kept), kept, stretch, new)
        assert list(out.iterdir()) == []
        # What was kept is taken, not made again.
        assert before <= whole(written(kept))
    before = whole(written(kept))
    process = start(gold, tmp_path / "out", kept)
    assert process.wait(PATIENCE) == 0, process.stderr.read_text()

    pieces = len(CONFIG.models) * (1 + CONFIG.folds) + len(expected.references)
    assert 5 <= len(before) < pieces
    assert before <= whole(written(kept)) == written(kept)
    assert len(written(kept)) == pieces
    same(tmp_path / "out", plain)


def same(actual: Path, expected: Path) -> None:
    """Compare everything that a training leaves, to the bit; only times may differ."""
    for name in (MODEL, OOF_FILE, TEST_PREDICTIONS_FILE):
        assert (actual / name).read_bytes() == (expected / name).read_bytes()
    records = [
        TrainingRecord.model_validate_json((folder / RECORD_FILE).read_bytes()).model_dump()
        for folder in (actual, expected)
    ]
    for record in records:
        for model in (*record["candidates"], *record["references"]):
            assert model.pop("fit_seconds") > 0
    assert records[0] == records[1]
