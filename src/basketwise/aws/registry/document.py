"""The document of a version: its metrics as SageMaker shows them, and what it has no field for.

A model package takes 50 short properties and a description without line breaks. So the whole
submission is stored, unchanged, in the JSON file that the package names as its metrics. It is
written before the package is created, so that every version has it.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from basketwise.aws.requests.model_package import PackageFacts
from basketwise.errors import DependencyError
from basketwise.registry.ledger import shorten, storable
from basketwise.registry.protocol import Submission

SUBMISSION = "basketwise"
QUALITY = "multiclass_classification_metrics"
"""The group of metrics that SageMaker's console draws for a classifier of several classes."""

METADATA = {
    "model_algorithm": "model_name",
    "dataset_size": "dataset_size",
    "feature_count": "feature_count",
    "training_timestamp": "training_timestamp",
    "data_source": "data_source",
    "data_hash": "data_hash",
    "needs_history": "needs_history",
}
"""Properties of a model package, and the tag of a submission that each is taken from."""

DESCRIPTION_LENGTH = 512
"""Characters. SageMaker takes 1,024, but counts some characters twice."""


@dataclass(frozen=True)
class Document:
    """The submission that a version was registered with.

    Attributes
    ----------
    at, who
        The registration's; None and empty if the version was not registered by Basketwise.
    """

    run_id: str = ""
    sha256: str = ""
    model_digest: str = ""
    description: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None
    who: str = ""


def document_bytes(submission: Submission, *, at: datetime, who: str) -> bytes:
    """Return the document of a submission that is registered at ``at`` (UTC) by ``who``."""
    metrics = {name: float(value) for name, value in submission.metrics.items()}
    quality = {
        # SageMaker's schema requires a deviation, and this word where there is none.
        name: {"value": metrics[name], "standard_deviation": "NaN"}
        for name in ("accuracy", "f1_score", "precision", "recall")
        if name in metrics
    }
    submitted = {
        "run_id": submission.run_id,
        "sha256": submission.sha256,
        "model_digest": submission.model_digest,
        "description": submission.description,
        "metrics": metrics,
        "params": submission.params,
        "tags": submission.tags,
        "at": at.isoformat(timespec="microseconds"),
        "who": storable(who),
    }
    return json.dumps({QUALITY: quality, SUBMISSION: submitted}, allow_nan=False, indent=1).encode()


def package_facts(
    submission: Submission,
    *,
    model_data_url: str,
    metrics_uri: str,
    workspace: str,
    self_contained: bool,
) -> PackageFacts:
    """Return what the model package shows of a submission in SageMaker.

    Tags of the names in ``METADATA`` become its properties; ``training_job`` and ``git_commit``
    say where it comes from.
    """
    tags = submission.tags
    metadata = {name: tags.get(tag, "") for name, tag in METADATA.items()}
    metadata |= {
        "model_version": submission.run_id,
        "model_sha256": submission.sha256,
        "workspace": workspace,
    }
    # SageMaker accepts no line breaks and no other control characters.
    text = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in submission.description)
    return PackageFacts(
        model_data_url=model_data_url,
        metrics_uri=metrics_uri,
        description=shorten(" ".join(text.split()), DESCRIPTION_LENGTH),
        training_job=tags.get("training_job", ""),
        commit=tags.get("git_commit", ""),
        metadata=metadata,
        self_contained=self_contained,
    )


def read_document(data: bytes, uri: str) -> Document:
    """Read a document; one that Basketwise did not write has the metrics at most.

    Raises DependencyError, with the document's URI, if it is damaged.
    """
    try:
        document: dict[str, Any] = json.loads(data)
        if SUBMISSION not in document:
            quality = document.get(QUALITY, {})
            return Document(metrics={name: float(item["value"]) for name, item in quality.items()})
        submitted = document[SUBMISSION]
        return Document(
            run_id=str(submitted["run_id"]),
            sha256=str(submitted["sha256"]),
            # Documents of Basketwise 0.1 lack it.
            model_digest=str(submitted.get("model_digest", "")),
            description=str(submitted["description"]),
            metrics={str(name): float(value) for name, value in submitted["metrics"].items()},
            tags={str(name): str(value) for name, value in submitted["tags"].items()},
            at=datetime.fromisoformat(submitted["at"]),
            who=str(submitted["who"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DependencyError(
            f"The registry's document {uri} cannot be read: {type(error).__name__}: {error}.",
            "It was damaged or replaced: restore an earlier version of the object.",
        ) from error
