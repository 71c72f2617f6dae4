"""The files that an evaluation writes, the model archive among them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from basketwise import files
from basketwise.artifact.archive import pack, write_manifest
from basketwise.artifact.bundle import write_code
from basketwise.digests import sha256
from basketwise.etl.gold.cohorts import COHORTS_FILE
from basketwise.etl.gold.tables import HIDDEN_FILE, INDEX_FILE, METADATA_FILE, TEST_FILE, TRAIN_FILE
from basketwise.evaluation.documents import (
    evaluation_results,
    manifest_facts,
    metrics,
    model_metadata,
    results,
)
from basketwise.evaluation.findings import Findings
from basketwise.features.groups import of_index
from basketwise.provenance import timestamp
from basketwise.redaction import redacted_values, without_credentials
from basketwise.report.types.document import Report
from basketwise.report.types.run import StartedRun
from basketwise.schema import CLASSES


def write_outputs(
    trained: Path, gold: Path, report: Report, run: StartedRun, findings: Findings
) -> None:
    """Write pictures, JSON documents, report and ``model.tar.gz`` beside the trained models.

    ``gold`` is what they learned from; the report's ``run`` is made anew when it is written.
    """
    from basketwise.report.html import render_html

    pictures = _write_pictures(trained, report, findings)
    report["run"] = run.document()
    report = redacted_values(report, without_credentials)
    now = timestamp()
    documents: dict[str, Any] = {
        files.EVALUATION_RESULTS: evaluation_results(findings, report["leaderboard"], now),
        files.MODEL_METADATA: model_metadata(findings),
        files.RESULTS: results(findings),
        files.METRICS_FILE: metrics(findings),
    }
    for name, document in documents.items():
        _write_json(trained / name, document)
    _write_json(trained / files.REPORT_JSON, report)
    (trained / files.REPORT_HTML).write_text(render_html(report), encoding="utf-8")
    if findings.metadata.history:
        # Beside the archive, never in it: it is personal data.
        shutil.copyfile(gold / files.HISTORY_FILE, trained / files.HISTORY_FILE)
    package = trained / "package"
    package.mkdir()
    models = [name for name in (files.MODEL, files.NOVELTY) if (trained / name).is_file()]
    for name in [*models, files.JOBLIB, files.CALIBRATION_FILE, *documents, *pictures]:
        shutil.copyfile(trained / name, package / name)
    carried = [METADATA_FILE, *([INDEX_FILE] if of_index(findings.metadata.groups) else [])]
    for name in carried:
        (package / name).write_bytes((gold / name).read_bytes())
    (package / files.CODE).mkdir()
    write_code(package / files.CODE)
    facts = manifest_facts(report, _digests(trained, gold), now)
    write_manifest(package, facts)
    pack(package, trained / files.ARCHIVE)
    # Also beside the archive, so that it can be read without unpacking.
    (package / files.MANIFEST).replace(trained / files.MANIFEST)
    shutil.rmtree(package)


def _digests(trained: Path, gold: Path) -> dict[str, str]:
    """Return the sha256 of every output that must be the same when the run is made again."""
    data = [gold / name for name in (TRAIN_FILE, HIDDEN_FILE, TEST_FILE, COHORTS_FILE, INDEX_FILE)]
    own = [
        trained / name
        for name in (
            files.MODEL,
            files.NOVELTY,
            files.OOF_FILE,
            files.TEST_PREDICTIONS_FILE,
            files.METRICS_FILE,
        )
    ]
    return {path.name: sha256(path) for path in (*data, *own) if path.is_file()}


def _write_pictures(trained: Path, report: Report, findings: Findings) -> list[str]:
    """Draw the pictures that go into the archive; returns their names."""
    from basketwise.report.canvas import encoding_beside
    from basketwise.report.plots import comparison_png, confusion_matrix_png, reliability_png

    names = []
    with encoding_beside():
        # The largest first: what follows is drawn while it is encoded.
        winner, path = findings.record.winner, trained / files.RELIABILITY
        reliability_png(report["calibration"], model=winner, path=path)
        comparison_png(report["leaderboard"], trained / files.COMPARISON)
        for candidate in findings.record.candidates:
            name = candidate.model
            names.append(f"confusion_matrix_{name}.png")
            matrix = findings.scores[name].confusion.tolist()
            confusion_matrix_png(matrix, CLASSES, model=name, path=trained / names[-1])
    return [*names, files.COMPARISON, files.RELIABILITY]


def _write_json(path: Path, document: Any) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text, encoding="utf-8")
