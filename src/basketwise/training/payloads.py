"""What is stored of a finished piece, as bytes: probabilities and fitted models.

None of it is a pickle: arrays are in NumPy's own format, models in skops' with the types fixed in
our code. Bytes that do not contain what they should count as absent, with a warning in the log.
"""

from __future__ import annotations

import io
import logging
import struct
import zipfile
from typing import cast

import numpy as np

from basketwise.arrays import Probabilities
from basketwise.errors import InputError
from basketwise.schema import CLASSES
from basketwise.training.candidates import Classifier
from basketwise.training.checkpoints import Checkpoints
from basketwise.training.persistence import loads_model

LOG = logging.getLogger(__name__)

SECONDS = struct.Struct("<d")


def store_probabilities(checkpoints: Checkpoints, piece: str, probabilities: Probabilities) -> None:
    """Store one row of class probabilities per basket, in the precision that the model gave."""
    stream = io.BytesIO()
    np.save(stream, probabilities, allow_pickle=False)
    checkpoints.store(piece, stream.getvalue())


def stored_probabilities(
    checkpoints: Checkpoints, piece: str, baskets: int
) -> Probabilities | None:
    """Return the stored probabilities of so many baskets; None if there are none."""
    payload = checkpoints.load(piece)
    if payload is None:
        return None
    try:
        probabilities = np.load(io.BytesIO(payload), allow_pickle=False)
    except (ValueError, EOFError) as error:
        _unusable(piece, error)
        return None
    fits = isinstance(probabilities, np.ndarray) and probabilities.shape == (baskets, len(CLASSES))
    return (
        cast("Probabilities", probabilities) if fits and probabilities.dtype.kind == "f" else None
    )


def store_model(checkpoints: Checkpoints, piece: str, model: Classifier, seconds: float) -> None:
    """Store a fitted model, and how long the fit took."""
    if checkpoints.folder is None:
        return
    import skops.io

    # Compressing a forest takes longer than writing it.
    data = skops.io.dumps(model, compression=zipfile.ZIP_STORED)
    checkpoints.store(piece, SECONDS.pack(seconds) + data)


def stored_model(checkpoints: Checkpoints, piece: str) -> tuple[Classifier, float] | None:
    """Return a stored model, and how long its fit took; None if there is none."""
    if checkpoints.folder is None:
        return None
    # Before the payload is looked at: by the time that threads store models, it is imported.
    import skops.io  # noqa: F401

    payload = checkpoints.load(piece)
    if payload is None:
        return None
    try:
        (seconds,) = SECONDS.unpack_from(payload)
        model = loads_model(payload[SECONDS.size :], piece)
    except (struct.error, InputError) as error:
        _unusable(piece, error)
        return None
    return (model, seconds) if hasattr(model, "predict_proba") else None


def _unusable(piece: str, reason: Exception) -> None:
    """Tell that a checkpoint cannot be used: an upgrade could make all of them useless."""
    LOG.warning("The checkpoint of %s cannot be used; it is trained again: %s", piece, reason)
