"""The evaluation stage as a SageMaker Processing job."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from basketwise import clock
from basketwise.artifact.archive import extract
from basketwise.aws.container import layout
from basketwise.errors import InputError
from basketwise.files import ARCHIVE
from basketwise.settings import load_config

EVALUATION_FILE = "evaluation.json"

REGISTRAR = "SageMaker"
"""Who registers a version, for the registry's history."""


def main(arguments: Sequence[str]) -> None:
    """Evaluate the model of a training job.

    ``--gold-path`` contains the gold files, ``--model-path`` the ``model.tar.gz`` that SageMaker
    made of the training's model folder, or its files. ``--output-path`` gets what a local run
    writes to ``artifacts``: the training's files, the report, the deployable ``model.tar.gz``, with
    ``--self-contained`` with its libraries; and ``evaluation.json``. ``--run-id --command --data``
    are for the report. With ``--request-path`` a file there says all of that, and which versions to
    compare with, which score the lines in ``--silver-path``; only the evaluation's own files are
    written then.
    """
    options = _parser().parse_args(arguments)
    if options.request_path is not None:
        _evaluate_as_requested(options)
        return
    from basketwise.aws.registry.document import SUBMISSION, document_bytes
    from basketwise.evaluation.champion import NotSeen
    from basketwise.evaluation.stage import run_evaluation
    from basketwise.registry.submission import submission
    from basketwise.report.types.run import StartedRun

    config = load_config(None, os.environ)
    run = StartedRun(options.run_id, options.command, options.data)
    options.output_path.mkdir(parents=True, exist_ok=True)
    _copy_training(options.model_path, options.output_path)
    report = run_evaluation(options.gold_path, options.output_path, config, NotSeen(), run)
    document = evaluation_document(report)
    if options.self_contained:
        _bring_libraries(options.output_path / ARCHIVE)
    if options.run_id:
        # What the registry reads of a version that a pipeline registers with this document.
        submitted = submission(options.run_id, options.output_path, report)
        registered = json.loads(document_bytes(submitted, at=clock.now(), who=REGISTRAR))
        document[SUBMISSION] = registered[SUBMISSION]
    text = json.dumps(document, indent=2, allow_nan=False)
    (options.output_path / EVALUATION_FILE).write_text(text, encoding="utf-8")
    click.echo(
        f"accuracy {document['accuracy']:.4f}, macro-F1 {document['f1']:.4f}: "
        f"{document['headline']}"
    )


def _evaluate_as_requested(options: argparse.Namespace) -> None:
    from basketwise.aws.container.requested import Mounts, evaluate_as_requested

    options.output_path.mkdir(parents=True, exist_ok=True)
    root = layout.base() / "processing"
    mounts = Mounts(
        root, options.request_path, options.gold_path, options.silver_path, options.model_path
    )
    evaluate_as_requested(mounts, options.output_path)


def evaluation_document(report: Any) -> dict[str, Any]:
    """Return what a pipeline's condition and SageMaker's registry read of a finished report.

    That is ``accuracy`` and ``f1`` (macro) of the winner on the test set, ``approved`` and
    ``headline`` of the verdict, and the scores once more as model quality metrics.
    """
    winner, verdict = report["winner"], report["verdict"]
    accuracy, f1 = winner["accuracy"]["estimate"], winner["macro_f1"]["estimate"]
    return {
        "accuracy": accuracy,
        "f1": f1,
        "approved": verdict["approved"],
        "headline": verdict["headline"],
        "multiclass_classification_metrics": {
            "accuracy": {"value": accuracy, "standard_deviation": "NaN"},
            "f1": {"value": f1, "standard_deviation": "NaN"},
        },
    }


def _parser() -> layout.Parser:
    mount = layout.base() / "processing"
    parser = layout.Parser("evaluate", description=__doc__, allow_abbrev=False)
    parser.add_argument("--gold-path", type=Path, default=mount / "gold")
    parser.add_argument("--model-path", type=Path, default=mount / "model")
    parser.add_argument("--output-path", type=Path, default=mount / "output")
    parser.add_argument("--request-path", type=Path)
    parser.add_argument("--silver-path", type=Path)
    parser.add_argument("--self-contained", action="store_true")
    for name in ("run-id", "command", "data"):
        parser.add_argument(f"--{name}", default="")
    return parser


def _bring_libraries(archive: Path) -> None:
    """Replace an archive by one of the same model with its libraries.

    They are among those of the job, so an isolated one has their wheels below ``code/``.
    """
    from basketwise.aws.self_contained import write_self_contained
    from basketwise.scratch import scratch

    with scratch() as folder:
        write_self_contained(archive, folder / ARCHIVE)
        shutil.copyfile(folder / ARCHIVE, archive)


def _copy_training(trained: Path, folder: Path) -> None:
    """Copy a training's files to where it is evaluated."""
    if (trained / ARCHIVE).is_file():
        extract(trained / ARCHIVE, folder, dotted=True)
        return
    if not trained.is_dir():
        raise InputError(
            f"There is no training at {str(trained)!r}.",
            "Give the folder that the training job's model.tar.gz is mounted in.",
        )
    for file in trained.iterdir():
        if file.is_file():
            shutil.copyfile(file, folder / file.name)
