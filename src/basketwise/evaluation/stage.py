"""The evaluation stage: predictions in; scores, intervals, money, verdict and report out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.artifact import ARCHIVE, MODEL, load_model, pack, write_manifest
from basketwise.config import Config
from basketwise.errors import InputError
from basketwise.etl.gold import INDEX_FILE, METADATA_FILE, TARGET, TEST_FILE
from basketwise.etl.metadata import Metadata
from basketwise.evaluation.documents import (
    evaluation_results,
    leaderboard,
    manifest_facts,
    model_metadata,
    report_document,
    results,
)
from basketwise.evaluation.impact import business_impact
from basketwise.evaluation.importance import permutation_importance, telling_products
from basketwise.evaluation.intervals import (
    Bootstrap,
    Interval,
    accuracy_interval,
    macro_f1_interval,
    paired_accuracy_difference,
)
from basketwise.evaluation.metrics import Scores, confusion_matrix, scores
from basketwise.evaluation.report_types import Champion, Report, Run
from basketwise.registry.gate import Decision, decide
from basketwise.schema import CLASSES
from basketwise.training.examples import read_examples
from basketwise.training.record import TrainingRecord
from basketwise.training.stage import (
    ABLATION,
    OOF_FILE,
    RECORD_FILE,
    TEST_PREDICTIONS_FILE,
    read_metadata,
)

REPORT_JSON = "report.json"
REPORT_HTML = "report.html"
COMPARISON = "model_comparison.png"
Labels = NDArray[np.int8]


@dataclass(frozen=True)
class ChampionPredictions:
    """What the current champion says of the test baskets.

    Attributes
    ----------
    version
        Its version in the registry.
    predicted
        One entry per test basket, in the order of the gold file; None if it could not score them.
    """

    version: str
    predicted: Labels | None


@dataclass(frozen=True)
class Evaluation:
    """What evaluation found, for the registry and the summary."""

    report: Report
    decision: Decision


def run_evaluation(
    gold: Path,
    trained: Path,
    config: Config,
    champion: ChampionPredictions | None,
    run: Run,
) -> Evaluation:
    """Judge the models of one training.

    Parameters
    ----------
    gold : Path
        The gold folder that was trained on.
    trained : Path
        What training left; gets the pictures, the JSON files, ``report.html`` and
        ``model.tar.gz``.
    config : Config
        All settings.
    champion : ChampionPredictions or None
        For the gate.
    run : Run
        Which run this is.
    """
    metadata = read_metadata(gold)
    record = _record(trained)
    predictions = pl.read_parquet(trained / TEST_PREDICTIONS_FILE)
    true = _numbers(predictions[TARGET])
    models = [*(c.model for c in record.candidates), ABLATION]
    judged = {
        name: scores(confusion_matrix(true, predicted_class(predictions, name))) for name in models
    }
    commonest = _commonest(trained)
    judged["baseline"] = scores(confusion_matrix(true, np.full_like(true, commonest)))
    bootstrap = Bootstrap(
        config.evaluation.resamples, config.evaluation.confidence, config.training.random_state
    )
    winner = judged[record.winner]
    accuracy = accuracy_interval(winner.confusion, bootstrap)
    difference = _difference(true, predicted_class(predictions, record.winner), champion, bootstrap)
    decision = decide(
        winner.accuracy,
        winner.f1,
        champion.version if champion else None,
        difference,
        config.gate,
    )
    index = _index(gold, metadata)
    model = load_model(trained / MODEL)
    test = read_examples(gold / TEST_FILE, metadata.feature_columns)
    report = report_document(
        run=run,
        decision=decision,
        rows=leaderboard(record, judged),
        winner=(record.winner, winner, accuracy, macro_f1_interval(winner.confusion, bootstrap)),
        bootstrap=bootstrap,
        champion=_champion(champion, difference, true.size),
        importance=permutation_importance(
            model,
            test,
            baskets=config.evaluation.importance_baskets,
            repeats=config.evaluation.importance_repeats,
            seed=config.training.random_state,
        ),
        products=telling_products(index) if index is not None else {},
        impact=business_impact(winner.confusion, bootstrap, commonest, config.business),
        metadata=metadata,
        config=config,
    )
    _write(trained, gold, report, record, metadata, judged, config)
    return Evaluation(report, decision)


def predicted_class(predictions: pl.DataFrame, model: str) -> Labels:
    """Return the likeliest class of each basket by one model."""
    columns = [f"{model}_p_{label.lower()}" for label in CLASSES]
    return np.asarray(predictions.select(columns).to_numpy().argmax(axis=1), dtype=np.int8)


def _numbers(labels: pl.Series) -> Labels:
    return labels.replace_strict(CLASSES, range(len(CLASSES)), return_dtype=pl.Int8).to_numpy()


def _record(trained: Path) -> TrainingRecord:
    path = trained / RECORD_FILE
    if not path.is_file():
        raise InputError(
            f"{str(trained)!r} holds no finished training.", "Run 'basketwise train' first."
        )
    return TrainingRecord.model_validate_json(path.read_bytes())


def _commonest(trained: Path) -> int:
    """Return the number of the commonest class of the training part, which has these labels."""
    labels = pl.read_parquet(trained / OOF_FILE, columns=[TARGET])[TARGET]
    return int(np.argmax(np.bincount(_numbers(labels), minlength=len(CLASSES))))


def _index(gold: Path, metadata: Metadata) -> pl.DataFrame | None:
    return pl.read_parquet(gold / INDEX_FILE) if "product" in metadata.groups else None


def _difference(
    true: Labels, challenger: Labels, champion: ChampionPredictions | None, bootstrap: Bootstrap
) -> Interval | None:
    if champion is None or champion.predicted is None:
        return None
    return paired_accuracy_difference(true, challenger, champion.predicted, bootstrap)


def _champion(
    champion: ChampionPredictions | None, difference: Interval | None, rows: int
) -> Champion | None:
    if champion is None or difference is None:
        return None
    return Champion(
        version=champion.version,
        accuracy_difference={
            "estimate": difference.estimate,
            "low": difference.low,
            "high": difference.high,
        },
        test_rows=rows,
    )


def _write(
    trained: Path,
    gold: Path,
    report: Report,
    record: TrainingRecord,
    metadata: Metadata,
    judged: Mapping[str, Scores],
    config: Config,
) -> None:
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
