"""The identity of a model: a digest of what decides its predictions, and of nothing else.

An archive also carries pictures, documents, times and code; two archives that differ in these alone
are one model. What a report shows is no part of it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from basketwise.artifact.archive import read_json
from basketwise.etl.gold.tables import INDEX_FILE, METADATA_FILE
from basketwise.files import CALIBRATION_FILE, MANIFEST, MODEL, NOVELTY

RECIPE = ("columns", "encoders", "feature_columns", "groups")
"""Keys of ``metadata.json`` that scoring uses, apart from the treatment of outliers."""

OUTLIERS = ("treatment", "threshold")


def model_digest(archive: Path) -> str:
    """Return the hex sha256 that two archives share exactly when they are one model.

    The digests of its model and its index are taken from its manifest, which opening it for scoring
    checks.
    """
    files: dict[str, Any] = read_json(archive, MANIFEST).get("files", {})
    metadata = read_json(archive, METADATA_FILE)
    calibration = read_json(archive, CALIBRATION_FILE) if CALIBRATION_FILE in files else {}
    decisive = {
        MODEL: files.get(MODEL),
        **({NOVELTY: files[NOVELTY]} if NOVELTY in files else {}),
        INDEX_FILE: files.get(INDEX_FILE),
        "recipe": {name: metadata.get(name) for name in RECIPE},
        "history": (metadata.get("history") or {}).get("shares"),
        "outliers": {name: metadata.get("outliers", {}).get(name) for name in OUTLIERS},
        "calibration": _undescribed(calibration),
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _undescribed(calibration: Any) -> Any:
    """Leave out the descriptions of a calibration and of the one in it: they are for people."""
    if not isinstance(calibration, dict):
        return calibration
    return {k: _undescribed(value) for k, value in calibration.items() if k != "description"}
