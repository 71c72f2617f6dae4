"""An XGBoost model is loaded and applied in a process of its own before it is in this one.

XGBoost's reader is written for files that it has written itself. What crashes it, or never ends,
crashes or outlasts the other process. That process runs as the same user: it is no sandbox for
code, of which such a file contains none.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from tempfile import TemporaryFile

import numpy as np

from basketwise.arrays import Matrix
from basketwise.training.xgboost_library import BoostedTrees, find_library

SECONDS = 15
MEMORY = 3 * 2**30
"""Of addresses, of which XGBoost and its libraries take a third when they are imported."""
DATA = 512 * 2**20
"""Of memory that the process writes to, where the system counts it (Linux)."""
OUTPUT = 256 * 2**20
ROWS = 32

PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from basketwise.training.trial import apply; apply(sys.argv[2], int(sys.argv[3]))"
)
JSON, PICKLED = "json", "pickled"

_safe: set[str] = set()


def know(data: bytes) -> None:
    """Remember a model that this process has made itself, or has seen applied."""
    _safe.add(hashlib.sha256(data).hexdigest())


def try_booster(data: bytes, features: int) -> None:
    """Apply a model in XGBoost's JSON in another process, unless this one knows it.

    Raises
    ------
    ValueError
        If that does not end well.
    """
    if hashlib.sha256(data).hexdigest() not in _safe:
        _run(JSON, data, features)
        know(data)


def from_pickled(data: bytes) -> bytes:
    """Return as JSON what a pickled ``Booster`` contains, which another process reads.

    Raises
    ------
    ValueError
        If it cannot.
    """
    converted = _run(PICKLED, data, 0)
    # The other process has applied that, too.
    know(converted)
    return converted


def _run(form: str, data: bytes, features: int) -> bytes:
    command = [sys.executable, "-c", PROGRAM, json.dumps(sys.path), form, str(features)]
    quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with TemporaryFile() as source, TemporaryFile() as target:
        source.write(data)
        source.seek(0)
        try:
            code = subprocess.run(
                command,
                stdin=source,
                stdout=target,
                stderr=subprocess.DEVNULL,
                env=os.environ | quiet,
                timeout=SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise ValueError(f"XGBoost did not load it within {SECONDS} seconds") from error
        if code:
            raise ValueError(f"XGBoost cannot load it (its process ended with {code})")
        target.seek(0)
        return target.read()


def apply(form: str, features: int) -> None:
    """Load the model on standard input, apply it, and write it as JSON: the other process."""
    _bound()
    data = sys.stdin.buffer.read()
    if form == PICKLED:
        from xgboost import Booster

        pickled = Booster.__new__(Booster)
        pickled.__setstate__({"handle": bytearray(data)})
        features = pickled.num_features()
        data = bytes(pickled.save_raw("json"))
    rows = np.random.default_rng(0).normal(scale=10.0, size=(ROWS, features)).astype(np.float32)
    rows[0], rows[1] = 0, np.nan
    if not np.isfinite(_answers(data, rows)).all():
        raise ValueError("its predictions are no numbers")
    sys.stdout.buffer.write(data if form == PICKLED else b"")
    sys.stdout.flush()
    # Whatever a damaged model has left behind is not tidied up.
    os._exit(0)


def _answers(data: bytes, rows: Matrix) -> Matrix:
    if find_library() is not None:
        return BoostedTrees(data).predict(rows)
    from xgboost import Booster

    answers: Matrix = Booster({"nthread": 1}, model_file=bytearray(data)).inplace_predict(rows)
    return answers


def _bound() -> None:
    """Bound memory, time and output, where the system can."""
    try:
        import resource
    except ImportError:
        return
    limits = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_DATA: DATA,
        resource.RLIMIT_CPU: SECONDS,
        resource.RLIMIT_FSIZE: OUTPUT,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        _, hard = resource.getrlimit(kind)
        try:
            resource.setrlimit(kind, (most if hard < 0 else min(most, hard), hard))
        except (OSError, ValueError):
            continue
