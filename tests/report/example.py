"""An example of the report document. It is made up: no model was trained for its figures.

What can follow from something else does (scores from the matrix, money from the scores), so that
the example is as consistent as a real report.
"""

from __future__ import annotations

import hashlib

from basketwise.report.types.data import InputFile
from basketwise.report.types.document import REPORT_FORMAT, Report
from basketwise.report.types.drivers import ProductScore, Rule, RulePiece
from basketwise.report.types.verdict import Impact
from tests.evaluation.example_scores import (
    ACCURACY,
    BASELINE,
    CLASSES,
    MARGIN,
    MATRIX,
    RIGHT,
    TEST_BASKETS,
    calibration,
    interval,
    leaderboard,
    slices,
    splits,
    winner,
)

__all__ = ["ACCURACY", "BASELINE", "CLASSES", "MARGIN", "MATRIX", "example_report", "impact_of"]


def example_report(*, approved: bool = True, champion: bool = True, files: int = 12) -> Report:
    """Return a new example; the caller may change it at will."""
    difference = interval(0.0061, 0.0049) if approved else interval(-0.0094, 0.0056)
    result = (
        f"the champion (version 4): accuracy {difference['estimate']:+.4f}, 95% CI "
        f"[{difference['low']:+.4f}, {difference['high']:+.4f}], allowed loss {MARGIN:g}"
    )
    failed = f"Can't tell if worse than {result}; needs about 8,600 test baskets, not 12,000"
    return {
        "format": REPORT_FORMAT,
        "run": {
            "run_id": "20240506-123001-3f9c2a",
            "started_at": "2024-05-06T12:30:01+00:00",
            "seconds": 252.4,
            "command": "basketwise run --data till-lines/2007 --workspace price-sensitivity "
            "--config basketwise.toml",
            "data": "till-lines/2007",
        },
        "verdict": {
            "approved": approved,
            "state": "Approved" if approved else "PendingManualApproval",
            "headline": f"random_forest approved: {RIGHT:,} of "
            f"{TEST_BASKETS:,} unseen test baskets classified correctly."
            if approved
            else f"random_forest not approved: {failed[0].lower()}{failed[1:]}.",
            "description": "Auto-approved: Accuracy=0.867 (≥0.8), F1=0.868 (≥0.7)"
            if approved
            else f"Not approved: {failed}",
            "reasons": [
                {
                    "rule": "min_accuracy",
                    "passed": True,
                    "value": ACCURACY,
                    "threshold": 0.80,
                    "text": f"Test accuracy {ACCURACY:.4f} ≥ 0.8",
                },
                {
                    "rule": "min_macro_f1",
                    "passed": True,
                    "value": winner()["macro_f1"]["estimate"],
                    "threshold": 0.70,
                    "text": f"Macro-F1 {winner()['macro_f1']['estimate']:.4f} ≥ 0.7",
                },
                {
                    "rule": "champion",
                    "passed": approved,
                    "value": difference["low"],
                    "threshold": -MARGIN,
                    "text": f"Not worse than {result}" if approved else failed,
                },
                {
                    "rule": "min_test_baskets",
                    "passed": True,
                    "value": TEST_BASKETS,
                    "threshold": 100,
                    "text": f"{TEST_BASKETS:,} test baskets ≥ 100",
                },
                {
                    "rule": "max_rejected_share",
                    "passed": True,
                    "value": 559 / 612_480,
                    "threshold": 0.1,
                    "text": "559 of 612,480 lines rejected: 0.0913% ≤ 10%",
                },
            ],
            "warnings": [
                "Baskets of store_format XLS are classified significantly worse: accuracy 0.8104 "
                f"against {ACCURACY:.4f} overall (1,204 baskets, difference "
                f"{0.8104 - ACCURACY:+.4f} [{0.8104 - ACCURACY - 0.0213:+.4f}, "
                f"{0.8104 - ACCURACY + 0.0208:+.4f}])."
            ],
        },
        "leaderboard": leaderboard(),
        "winner": winner(),
        "calibration": calibration(),
        "slices": slices(),
        "splits": splits(),
        "champion": {
            "version": "4",
            "accuracy_difference": difference,
            "f1_difference": interval(0.0038, 0.0052) if approved else interval(-0.0101, 0.0061),
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
            "products": {
                name: _products(class_number) for class_number, name in enumerate(CLASSES)
            },
        },
        "rule": _rule(),
        "face_validity": {
            "text": "High products are the cheap ones of their group: mean price rank 0.31 against "
            "0.62 of Low products, where 0 is the cheapest; difference −0.31, 95% interval −0.35 "
            "to −0.27; 1,204 High and 987 Low products in 241 groups.",
            "answer": "yes",
            "high_rank": 0.31,
            "low_rank": 0.62,
            "difference": {"estimate": -0.31, "low": -0.35, "high": -0.27},
            "high_products": 1_204,
            "low_products": 987,
            "groups": 241,
        },
        "learning_curve": {
            "text": "Yes: learned from 30 weeks instead of 15, the index alone tells later baskets "
            "with an accuracy of 0.8641 instead of 0.8312 (+0.0329 ± 0.0031).",
            "judged_weeks": [200737, 200738, 200739, 200740, 200741],
            "judged_baskets": 6_431,
            "points": [
                {"weeks": 4, "baskets": 5_312, "accuracy": 0.7127, "error": 0.0056},
                {"weeks": 8, "baskets": 10_718, "accuracy": 0.7829, "error": 0.0051},
                {"weeks": 15, "baskets": 20_104, "accuracy": 0.8312, "error": 0.0047},
                {"weeks": 30, "baskets": 40_236, "accuracy": 0.8641, "error": 0.0043},
            ],
            "gain": 0.0329,
            "error": 0.0031,
        },
        "impact": _impact() if approved else None,
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
            "code_hash": hashlib.sha256(b"example code").hexdigest(),
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


def _products(class_number: int) -> list[ProductScore]:
    products: list[ProductScore] = []
    for rank in range(10):
        scores = [0.06 + 0.01 * ((rank + k) % 3) for k in range(3)]
        scores[class_number] = 0.93 - 0.017 * rank
        products.append(
            {
                "prod_code": f"PRD09{class_number}{rank * 137:04d}",
                "department": f"DEP000{10 + 7 * class_number + rank}",
                "score_low": scores[0],
                "score_medium": scores[1],
                "score_high": scores[2],
                "class": CLASSES[class_number],
                "baskets": 4120 - 331 * rank,
            }
        )
    return products


PIECES: list[RulePiece] = [
    {"class": "Low", "up_to": -0.18},
    {"class": "Medium", "up_to": 0.23},
    {"class": "High", "up_to": None},
]
"""Of a vote by balance."""


def _rule() -> Rule:
    return {
        "text": "No simple rule was recognised. The closest, a vote of lines (Low up to −0.18, "
        "Medium up to +0.23, High above), is right in 81.2% of 48,000 training baskets and 80.9% "
        "of the test baskets.",
        "notes": [
            "What is compared with the thresholds: lines of High products minus lines of Low "
            "ones, as a share of the lines of all products that say something.",
            "The winner, right in 86.7% of the test baskets, answers the same in 88.3%.",
            "The index counts every line as one: weights by spend or quantity were not shown to "
            "tell labels better.",
        ],
        "recognised": False,
        "feature": "product_balance",
        "group": "product",
        "pieces": [*PIECES],
        "weighting": "lines",
        "train_baskets": 48_000,
        "train_accuracy": 0.8121,
        "test_accuracy": 0.8094,
        "agreement": 0.8832,
    }


def impact_of(report: Report) -> Impact:
    """Return the business impact of an approved model."""
    assert report["impact"] is not None
    return report["impact"]


def _impact() -> Impact:
    predictions = 30_000.0
    return {
        "default_assumptions": False,
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
