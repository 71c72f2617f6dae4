"""Basketwise's own routes: predictions, and what there is to know of server and model."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from basketwise import __version__
from basketwise.files import EVALUATION_RESULTS, MANIFEST, MODEL_METADATA
from basketwise.schema import CLASSES
from basketwise.serving.http.example import example_request
from basketwise.serving.http.metrics import CONTENT_TYPE
from basketwise.serving.http.problems import ProblemError
from basketwise.serving.http.served import Served
from basketwise.serving.http.service import service_of


async def predict(request: Request) -> Response:
    """Score baskets; ``?explain=true`` explains each prediction."""
    return await service_of(request).invoke(request, explain=_explain(request))


async def health(request: Request) -> Response:
    """Answer that the process is alive."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """Answer whether there is a model that scores, and the server does not end."""
    service = service_of(request)
    if await service.is_ready():
        return JSONResponse({"status": "ready", "model": service.served().identity})
    reason = "The server ends." if service.draining else "No working model is loaded."
    raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, reason, "Ask another one, or later.")


async def model_info(request: Request) -> Response:
    """Answer what the model is."""
    return JSONResponse(describe(service_of(request).served()))


async def model_metrics(request: Request) -> Response:
    """Answer how the model did on its test set."""
    return JSONResponse(test_scores(service_of(request).served()))


async def model_example(request: Request) -> Response:
    """Answer a request that the model can answer, to try it with."""
    return JSONResponse(example_request(service_of(request).served().model))


async def metrics(request: Request) -> Response:
    """Answer Prometheus."""
    return Response(service_of(request).metrics.text(), media_type=CONTENT_TYPE)


def describe(served: Served) -> dict[str, Any]:
    """Return what ``/model/info`` says of a model."""
    metadata, stated = served.model.metadata, served.documents.get(MODEL_METADATA, {})
    return {
        **served.identity,
        "status": served.status,
        "loaded_at": served.loaded_at.isoformat(timespec="seconds"),
        "model_type": stated.get("model_type"),
        "groups": served.model.groups,
        "feature_columns": metadata.feature_columns,
        "target_classes": metadata.target_classes,
        "train_baskets": metadata.train_samples,
        "products": metadata.products,
        "needs_history": served.model.needs_history,
        "basketwise": __version__,
    }


def test_scores(served: Served) -> dict[str, Any]:
    """Return what ``/model/metrics`` says of a model: what its archive does, and nothing else.

    Null is what an archive does not say.
    """
    stated = served.documents.get(MODEL_METADATA, {})
    evaluation = served.documents.get(EVALUATION_RESULTS, {})
    config = served.documents.get(MANIFEST, {}).get("config", {})
    best = evaluation.get("best_model")
    rows = evaluation.get("model_comparison", [])
    winner: dict[str, Any] = next((row for row in rows if row.get("model_name") == best), {})
    report = evaluation.get("classification_reports", {}).get(best, {})
    unknown = {"estimate": None, "low": None, "high": None}
    return {
        **served.identity,
        "model_type": stated.get("model_type", best),
        "trained_at": evaluation.get("training_timestamp"),
        "test_baskets": stated.get("test_samples"),
        "confidence": config.get("evaluation", {}).get("confidence"),
        "accuracy": winner.get("accuracy_interval", unknown),
        "f1": winner.get("f1_interval", unknown),
        "precision": stated.get("precision"),
        "recall": stated.get("recall"),
        "cv_accuracy": winner.get("cv_accuracy_mean"),
        "cv_f1": winner.get("cv_f1_mean"),
        "classes": {
            label: {
                "precision": scores["precision"],
                "recall": scores["recall"],
                "f1": scores["f1-score"],
                "baskets": scores["support"],
            }
            for label, scores in report.items()
            if label in CLASSES
        },
        "confusion_matrix": evaluation.get("confusion_matrices", {}).get(best, []),
    }


def _explain(request: Request) -> bool:
    text = request.query_params.get("explain", "false")
    if text not in ("true", "false"):
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, f"explain is {text!r}.", "Give explain=true or explain=false."
        )
    return text == "true"


ROUTES = [
    Route("/predict", predict, methods=["POST"]),
    Route("/health", health),
    Route("/ready", ready),
    Route("/model/info", model_info),
    Route("/model/metrics", model_metrics),
    Route("/model/example", model_example),
    Route("/metrics", metrics),
]
