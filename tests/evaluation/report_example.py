"""An example of the report document. It is made up: no model was trained for its figures.

What can follow from something else does (scores from the matrix, money from the scores), so that
the example is as consistent as a real report.
"""

from __future__ import annotations

import hashlib

from basketwise.evaluation.report_types import (
    Impact,
    InputFile,
    LeaderboardRow,
    ProductScore,
    Report,
    Winner,
)

CLASSES = ["Low", "Medium", "High"]
MATRIX = [[3187, 402, 61], [355, 4620, 340], [48, 389, 2598]]
SUPPORT = [sum(row) for row in MATRIX]
TEST_BASKETS = sum(SUPPORT)
ACCURACY = sum(MATRIX[i][i] for i in range(3)) / TEST_BASKETS
BASELINE = max(SUPPORT) / TEST_BASKETS


def example_report(*, approved: bool = True, champion: bool = True, files: int = 12) -> Report:
    """Return a new example; the caller may change it at will."""
    failed = "Paired on the same baskets, the challenger is worse than version 4."
    return {
        "format": 1,
        "run": {
            "run_id": "20240506-123001-3f9c2a",
            "started_at": "2024-05-06T12:30:01+00:00",
            "seconds": 252.4,
            "command": "basketwise run --data till-lines/2007 --workspace price-sensitivity "
            "--config basketwise.toml",
        },
        "verdict": {
            "approved": approved,
            "state": "Approved" if approved else "PendingManualApproval",
            "headline": "random_forest is approved: it passes all three rules."
            if approved
            else "random_forest waits for a person: one of three rules did not pass.",
            "description": "Auto-approved: Accuracy=0.867 (≥0.8), F1=0.868 (≥0.7)"
            if approved
            else f"Not approved: {failed}",
            "reasons": [
                {
                    "rule": "min_accuracy",
                    "passed": True,
                    "value": ACCURACY,
                    "threshold": 0.80,
                    "text": "Test accuracy is at least 0.80.",
                },
                {
                    "rule": "min_macro_f1",
                    "passed": True,
                    "value": _winner()["macro_f1"]["estimate"],
                    "threshold": 0.70,
                    "text": "Test macro-F1 is at least 0.70.",
                },
                {
                    "rule": "champion",
                    "passed": approved,
                    "value": 0.0061 if approved else -0.0094,
                    "threshold": 0.0,
                    "text": "Not worse than champion version 4 on the same test baskets."
                    if approved
                    else failed,
                },
            ],
        },
        "leaderboard": _leaderboard(),
        "winner": _winner(),
        "champion": {
            "version": "4",
            "accuracy_difference": {"estimate": 0.0061, "low": 0.0012, "high": 0.0110}
            if approved
            else {"estimate": -0.0094, "low": -0.0151, "high": -0.0038},
            "test_rows": TEST_BASKETS,
        }
        if champion
        else None,
        "drivers": {
            "importance": [
                {"feature": "product_low", "group": "product", "drop": 0.2310, "std": 0.0041},
                {"feature": "product_high", "group": "product", "drop": 0.1874, "std": 0.0038},
                {"feature": "product_medium", "group": "product", "drop": 0.0721, "std": 0.0029},
                {"feature": "spend_per_item", "group": "basket", "drop": 0.0148, "std": 0.0019},
                {"feature": "basket_size", "group": "basket", "drop": 0.0092, "std": 0.0014},
                {"feature": "avg_spend", "group": "basket", "drop": 0.0061, "std": 0.0012},
                {"feature": "shop_hour", "group": "basket", "drop": 0.0009, "std": 0.0008},
                {"feature": "shop_weekday", "group": "basket", "drop": -0.0003, "std": 0.0006},
            ],
            "products": {name: _products(place) for place, name in enumerate(CLASSES)},
        },
        "impact": _impact(),
        "data": {
            "files": [_file(number) for number in range(files)],
            "files_total": files,
            "lines_read": 612_480,
            "lines_accepted": 611_921,
            "lines_rejected": 559,
            "rejected_by_reason": {
                "SPEND is missing": 312,
                "duplicate of an earlier line": 204,
                "labels of the basket disagree": 43,
            },
            "baskets": {"Low": 18_240, "Medium": 26_590, "High": 15_170, "Unclassified": 4_312},
            "outlier_quantile": 0.99,
            "outlier_threshold": 11.37,
            "outliers": 6_119,
            "products": 4_983,
            "split": {
                "strategy": "time",
                "train_baskets": 48_000,
                "test_baskets": TEST_BASKETS,
                "description": "Weeks 200706 to 200741 train, weeks 200742 to 200749 test.",
            },
        },
        "lineage": {
            "data_hash": hashlib.sha256(b"example data").hexdigest(),
            "code_version": "0.1.0",
            "git_commit": hashlib.sha1(b"example", usedforsecurity=False).hexdigest(),
            "seed": 42,
            "host": {"python": "3.11.9", "platform": "Linux-6.1-x86_64", "cpus": 8},
            "versions": {"numpy": "2.4.0", "polars": "2.1.0", "scikit-learn": "1.9.0"},
            "config": {
                "etl": {"outliers": "clip", "outlier_quantile": 0.99},
                "split": {"strategy": "time", "test_size": 0.2, "random_state": 42},
                "training": {
                    "models": ["logistic", "decision_tree", "random_forest", "xgboost"],
                    "random_forest": {"n_estimators": 100, "max_depth": 15},
                },
                "business": {"currency": "USD", "cost_matrix": None},
            },
        },
    }


def _winner() -> Winner:
    predicted = [sum(row[i] for row in MATRIX) for i in range(3)]
    precision = [MATRIX[i][i] / predicted[i] for i in range(3)]
    recall = [MATRIX[i][i] / SUPPORT[i] for i in range(3)]
    f1 = [2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True)]
    macro = sum(f1) / 3
    return {
        "model": "random_forest",
        "accuracy": {"estimate": ACCURACY, "low": ACCURACY - 0.0061, "high": ACCURACY + 0.0059},
        "macro_f1": {"estimate": macro, "low": macro - 0.0063, "high": macro + 0.0060},
        "confidence": 0.95,
        "resamples": 1000,
        "classes": list(CLASSES),
        "confusion_matrix": [list(row) for row in MATRIX],
        "per_class": [
            {
                "class": name,
                "precision": precision[i],
                "recall": recall[i],
                "f1": f1[i],
                "support": SUPPORT[i],
            }
            for i, name in enumerate(CLASSES)
        ],
    }


def _leaderboard() -> list[LeaderboardRow]:
    macro = _winner()["macro_f1"]["estimate"]
    both, alone = ["basket", "product"], ["basket"]
    return [
        _row("random_forest", both, ACCURACY, macro, seconds=14.2, winner=True),
        _row("xgboost", both, ACCURACY - 0.0019, macro - 0.0024, seconds=9.8),
        _row("logistic", both, ACCURACY - 0.0083, macro - 0.0091, seconds=1.31),
        _row("decision_tree", both, ACCURACY - 0.0312, macro - 0.0330, seconds=0.64),
        {**_row("random_forest", alone, 0.5412, 0.3821, seconds=11.9), "kind": "ablation"},
        {
            **_row("commonest class", [], BASELINE, 2 * BASELINE / (1 + BASELINE) / 3, seconds=0),
            "kind": "baseline",
            "test_precision": BASELINE / 3,
            "test_recall": 1 / 3,
            "cv_accuracy_mean": None,
            "cv_accuracy_std": None,
            "cv_f1_mean": None,
            "train_accuracy": None,
            "fit_seconds": None,
        },
    ]


def _row(
    model: str,
    groups: list[str],
    accuracy: float,
    f1: float,
    *,
    seconds: float,
    winner: bool = False,
) -> LeaderboardRow:
    return {
        "model": model,
        "groups": groups,
        "kind": "candidate",
        "winner": winner,
        "test_accuracy": accuracy,
        "test_f1": f1,
        "test_precision": f1 + 0.003,
        "test_recall": f1 - 0.002,
        "train_accuracy": accuracy + 0.021,
        "cv_accuracy_mean": accuracy + 0.002,
        "cv_accuracy_std": 0.0031,
        "cv_f1_mean": f1 + 0.001,
        "fit_seconds": seconds,
    }


def _products(place: int) -> list[ProductScore]:
    products: list[ProductScore] = []
    for rank in range(10):
        scores = [0.06 + 0.01 * ((rank + k) % 3) for k in range(3)]
        scores[place] = 0.93 - 0.017 * rank
        products.append(
            {
                "prod_code": f"PRD09{place}{rank * 137:04d}",
                "department": f"DEP000{10 + 7 * place + rank}",
                "score_low": scores[0],
                "score_medium": scores[1],
                "score_high": scores[2],
                "class": CLASSES[place],
                "baskets": 4120 - 331 * rank,
            }
        )
    return products


def _impact() -> Impact:
    predictions = 30_000.0
    return {
        "currency": "USD",
        "monthly_predictions": predictions,
        "accurate_predictions": predictions * ACCURACY,
        "monthly_revenue_impact": predictions * ACCURACY * 10,
        "monthly_cost_savings": predictions * 2,
        "total_monthly_value": predictions * (ACCURACY * 10 + 2),
        "total_low": predictions * ((ACCURACY - 0.0061) * 10 + 2),
        "total_high": predictions * ((ACCURACY + 0.0059) * 10 + 2),
        "baseline_total": predictions * (BASELINE * 10 + 2),
        "assumptions": [
            {"name": "predictions_per_day", "value": 1000, "unit": "baskets"},
            {"name": "days_per_month", "value": 30, "unit": "days"},
            {"name": "revenue_per_accurate_prediction", "value": 10, "unit": "USD"},
            {"name": "cost_saving_per_prediction", "value": 2, "unit": "USD"},
        ],
    }


def _file(number: int) -> InputFile:
    name = f"transactions_{200706 + number}.csv"
    return {
        "name": name,
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "bytes": 6_204_118 + 1013 * number,
        "lines": 51_040,
    }
