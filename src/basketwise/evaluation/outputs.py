"""What an evaluation leaves on disk, the model archive among it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from basketwise.artifact import ARCHIVE, MODEL, pack, write_manifest
from basketwise.config import Config
from basketwise.evaluation.documents import (
    evaluation_results,
    manifest_facts,
    model_metadata,
    results,
)
from basketwise.evaluation.metrics import Scores
from basketwise.evaluation.report_types import Report
from basketwise.gold.metadata import Metadata
from basketwise.gold.tables import INDEX_FILE, METADATA_FILE
from basketwise.schema import CLASSES
from basketwise.training.record import TrainingRecord

REPORT_JSON = "report.json"
REPORT_HTML = "report.html"
COMPARISON = "model_comparison.png"


def write_outputs(
    trained: Path,
    gold: Path,
    report: Report,
    record: TrainingRecord,
    metadata: Metadata,
    judged: Mapping[str, Scores],
    config: Config,
) -> None:
    """Write pictures, JSON documents, report and ``model.tar.gz`` beside the trained models.

    Parameters
    ----------
    trained, gold : Path
        What training left, and what it learned from.
    report : Report
        The finished report.
    record : TrainingRecord
        The candidates.
    metadata : Metadata
        Of the gold data.
    judged : mapping
        Test scores by model.
    config : Config
        All settings, for the manifest.
    """
    from basketwise.evaluation.plots import comparison_png, confusion_matrix_png
    from basketwise.evaluation.report_html import render_html

    for candidate in record.candidates:
        name = candidate.model
        confusion_matrix_png(
            judged[name].confusion.tolist(),
            CLASSES,
            model=name,
            path=trained / f"confusion_matrix_{name}.png",
        )
    comparison_png(report["leaderboard"], trained / COMPARISON)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    documents: dict[str, Any] = {
        "evaluation_results.json": evaluation_results(record, judged, now),
        "model_metadata.json": model_metadata(record, judged[record.winner], metadata),
        "results.json": results(record, judged),
    }
    for file, document in documents.items():
        _write_json(trained / file, document)
    _write_json(trained / REPORT_JSON, report)
    (trained / REPORT_HTML).write_text(render_html(report), encoding="utf-8")
    package = trained / "package"
    package.mkdir()
    shipped = [
        MODEL,
        "model.joblib",
        *documents,
        COMPARISON,
        *(f"confusion_matrix_{c.model}.png" for c in record.candidates),
    ]
    for name in shipped:
        shutil.copyfile(trained / name, package / name)
    carried = [METADATA_FILE, *([INDEX_FILE] if "product" in metadata.groups else [])]
    for name in carried:
        (package / name).write_bytes((gold / name).read_bytes())
    write_manifest(package, manifest_facts(metadata, config, now))
    pack(package, trained / ARCHIVE)
    shutil.rmtree(package)


def _write_json(path: Path, document: Any) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text, encoding="utf-8")
