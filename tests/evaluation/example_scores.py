"""The scores in the example of the report document. They are made up."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from basketwise.report.types.calibration import Bin, Calibration, Reliability
from basketwise.report.types.scores import (
    Interval,
    LeaderboardRow,
    Slice,
    SliceTable,
    SplitScores,
    Winner,
)

CLASSES = ["Low", "Medium", "High"]
MATRIX = [[3187, 402, 61], [355, 4620, 340], [48, 389, 2598]]
SUPPORT = [sum(row) for row in MATRIX]
TEST_BASKETS = sum(SUPPORT)
RIGHT = sum(MATRIX[i][i] for i in range(3))
ACCURACY = RIGHT / TEST_BASKETS
BASELINE = max(SUPPORT) / TEST_BASKETS
MARGIN = 0.01


def winner() -> Winner:
    """Return the winner, with its scores from the matrix."""
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
        "resamples": 2000,
        "resampled": "customers",
        "units": 3_817,
        "classes": list(CLASSES),
        "confusion_matrix": [list(row) for row in MATRIX],
        "per_class": [
            {
                "class": name,
                "precision": precision[i],
                "recall": recall[i],
                "f1": f1[i],
                "f1_interval": interval(f1[i], 0.0082 + 0.0011 * i),
                "support": SUPPORT[i],
            }
            for i, name in enumerate(CLASSES)
        ],
    }


def interval(estimate: float, reach: float) -> Interval:
    """Return an interval that reaches about so far to both sides."""
    return {"estimate": estimate, "low": estimate - reach, "high": estimate + 0.98 * reach}


def leaderboard() -> list[LeaderboardRow]:
    """Return candidates, references and the majority-class baseline."""
    both, index, columns = ["basket", "product"], ["product"], ["basket"]
    return [
        _row("random_forest", both, 0, 0, seconds=14.2),
        _row("xgboost", both, 0.0019, 0.0024, reach=0.0021, seconds=9.8),
        _row("logistic", both, 0.0083, 0.0091, reach=0.0025, seconds=1.31),
        {**_row("decision_tree", both, 0.0312, 0.0330, reach=0.0041, seconds=0.64), "cv_folds": 2},
        _reference("random_forest", index, 0.0006, 0.0004, kind="ablation", without="basket"),
        _reference("random_forest", columns, 0.3260, 0.4859, kind="ablation", without="product"),
        _reference("logistic", index, 0.0121, 0.0129, kind="simpler", without=None),
        {
            **_row("majority class", [], ACCURACY - BASELINE, 0.6661, reach=0.0093, seconds=0),
            "kind": "baseline",
            "test_precision": BASELINE / 3,
            "test_recall": 1 / 3,
            "cv_accuracy_mean": None,
            "cv_accuracy_std": None,
            "cv_f1_mean": None,
            "cv_folds": None,
            "forward_accuracy": None,
            "forward_f1": None,
            "train_accuracy": None,
            "fit_seconds": None,
        },
    ]


def _row(
    model: str,
    groups: list[str],
    accuracy_lead: float,
    f1_lead: float,
    *,
    reach: float = 0.0,
    seconds: float,
) -> LeaderboardRow:
    """Return a candidate that the winner leads by so much; without a reach, the winner itself."""
    accuracy, f1 = ACCURACY - accuracy_lead, winner()["macro_f1"]["estimate"] - f1_lead
    return {
        "model": model,
        "groups": groups,
        "kind": "candidate",
        "without": None,
        "winner": not reach,
        "accuracy_interval": interval(accuracy, 0.0061),
        "f1_interval": interval(f1, 0.0063),
        "accuracy_lead": interval(accuracy_lead, reach) if reach else None,
        "f1_lead": interval(f1_lead, 1.05 * reach) if reach else None,
        "test_accuracy": accuracy,
        "test_f1": f1,
        "test_precision": f1 + 0.003,
        "test_recall": f1 - 0.002,
        "train_accuracy": accuracy + 0.021,
        "cv_accuracy_mean": accuracy + 0.002,
        "cv_accuracy_std": 0.0031,
        "cv_f1_mean": f1 + 0.001,
        "cv_folds": 5,
        "forward_accuracy": accuracy - 0.001,
        "forward_f1": f1 - 0.002,
        "fit_seconds": seconds,
    }


def _reference(
    model: str,
    groups: list[str],
    accuracy_lead: float,
    f1_lead: float,
    *,
    kind: Literal["ablation", "simpler"],
    without: str | None,
) -> LeaderboardRow:
    """Return a row that is fitted once and not cross-validated."""
    row = _row(model, groups, accuracy_lead, f1_lead, reach=0.0018, seconds=3.4)
    row["kind"], row["without"] = kind, without
    row["cv_accuracy_mean"] = row["cv_accuracy_std"] = row["cv_f1_mean"] = None
    row["cv_folds"] = None
    row["forward_accuracy"] = row["forward_f1"] = None
    return row


def calibration() -> Calibration:
    """Return probabilities that were too sure, and what a temperature made of them."""
    raw = [(6, 2), (28, 11), (71, 31), (142, 70), (231, 127)]
    raw += [(348, 221), (597, 411), (1_011, 772), (2_366, 2_058)]
    shipped = [(11, 4), (64, 26), (151, 72), (268, 147), (390, 240)]
    shipped += [(552, 379), (908, 689), (1_862, 1_553), (3_292, 2_990)]
    return {
        "method": "temperature",
        "description": "Temperature 1.38, fitted on 48,000 out-of-fold predictions of the "
        "training set: it makes the probabilities less confident and changes no prediction.",
        "raw": _reliability(raw, surest=0.984, log_loss=0.4127, brier=0.2051),
        "shipped": _reliability(shipped, surest=0.961, log_loss=0.3689, brier=0.1938),
    }


def _reliability(
    result: list[tuple[int, int]], *, surest: float, log_loss: float, brier: float
) -> Reliability:
    """Return ten bins from 0.3 on, from baskets and how many are right; the last has the rest."""
    rest = (TEST_BASKETS - sum(n for n, _ in result), RIGHT - sum(right for _, right in result))
    edges = [round(0.3 + 0.07 * k, 2) for k in range(11)]
    bins: list[Bin] = [
        {"low": 0.0, "high": edges[0], "baskets": 0, "confidence": None, "accuracy": None}
    ]
    for (low, high), (baskets, right) in zip(pairwise(edges), [*result, rest], strict=True):
        confidence = low + 0.54 * (high - low) if high < 1 else surest
        bins.append(
            {
                "low": low,
                "high": high,
                "baskets": baskets,
                "confidence": confidence,
                "accuracy": right / baskets,
            }
        )
    distances = [
        row["baskets"] * abs(row["accuracy"] - row["confidence"])
        for row in bins
        if row["accuracy"] is not None and row["confidence"] is not None
    ]
    return {
        "log_loss": log_loss,
        "brier": brier,
        "ece": sum(distances) / TEST_BASKETS,
        "bins": bins,
    }


def slices() -> list[SliceTable]:
    """Return four tables, with a weak part and two that are tiny."""
    weeks = {f"2007{42 + k}": (1_500 + 7 * k, 0.004 - 0.0013 * k) for k in range(8)}
    return [
        _table(
            "store_format",
            {
                "LS": (5_012, 0.0061),
                "MS": (3_611, 0.0033),
                "SS": (2_142, 0.0009),
                "XLS": (1_204, 0.8104 - ACCURACY),
                "unknown": (31, 0.0357),
            },
        ),
        _table("shop_week", weeks),
        _table(
            "basket_size",
            {
                "1": (1_961, -0.0149),
                "2–5": (4_480, -0.0021),
                "6–10": (3_020, 0.0042),
                "11–20": (1_811, 0.0097),
                "21–50": (720, 0.0131),
                "51+": (8, 0.0084),
            },
        ),
        _table("card", {"card": (9_204, 0.0014), "no card": (2_796, -0.0046)}),
    ]


def _table(column: str, parts: dict[str, tuple[int, float]]) -> SliceTable:
    rows: list[Slice] = [
        {
            "value": value,
            "baskets": baskets,
            "accuracy": ACCURACY + difference,
            "macro_f1": ACCURACY + difference - 0.0037,
            "difference": interval(difference, 0.739 / baskets**0.5),
            "significantly_worse": value == "XLS",
        }
        for value, (baskets, difference) in parts.items()
    ]
    return {"column": column, "rows": rows, "more": 0}


def splits() -> list[SplitScores]:
    """Return all three splits, of which one is not possible."""
    shipped = winner()
    return [
        {
            "strategy": "time",
            "chosen": True,
            "train_baskets": 48_000,
            "test_baskets": TEST_BASKETS,
            "accuracy": shipped["accuracy"],
            "macro_f1": shipped["macro_f1"],
            "reason": None,
        },
        {
            "strategy": "stratified",
            "chosen": False,
            "train_baskets": 48_001,
            "test_baskets": 11_999,
            "accuracy": interval(ACCURACY + 0.0072, 0.0058),
            "macro_f1": interval(shipped["macro_f1"]["estimate"] + 0.0066, 0.0061),
            "reason": None,
        },
        {
            "strategy": "customer",
            "chosen": False,
            "train_baskets": 0,
            "test_baskets": 0,
            "accuracy": None,
            "macro_f1": None,
            "reason": "The split 'customer' needs CUST_CODE, which these files do not have.",
        },
    ]
