from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

import basketwise.training.calibration as calibration_module
from basketwise.arrays import Labels, Probabilities
from basketwise.errors import InputError
from basketwise.files import CALIBRATION_FILE
from basketwise.training.calibration import (
    HIGHEST,
    LOWEST,
    MAX_THRESHOLDS,
    Calibration,
    Method,
    calibrate,
    fit_calibration,
    read_calibration,
)

METHODS: tuple[Method, ...] = ("temperature", "isotonic", "none")


def softmax(logits: Probabilities) -> Probabilities:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def promised(sharpness: float, baskets: int = 20_000) -> tuple[Probabilities, Labels]:
    """Return probabilities that are the true ones to the power of ``sharpness``, and classes."""
    rng = np.random.default_rng(7)
    logits = 2 * rng.normal(size=(baskets, 3))
    drawn = rng.random(baskets)[:, None] > softmax(logits).cumsum(axis=1)[:, :2]
    return softmax(sharpness * logits), drawn.sum(axis=1).astype(np.int8)


def judged(probabilities: Probabilities) -> Labels:
    """Return the decided class: the likeliest in single precision, of equals the first."""
    return np.asarray(probabilities.astype(np.float32).argmax(axis=1), dtype=np.int8)


def at(temperature: float) -> Calibration:
    return Calibration(method="temperature", temperature=temperature, description="")


@pytest.mark.parametrize(
    ("sharpness", "effect"),
    [(0.5, "more confident and changes"), (2, "less confident and changes")],
)
def test_the_temperature_is_what_made_the_probabilities_wrong(
    sharpness: float, effect: str
) -> None:
    calibration = fit_calibration("temperature", *promised(sharpness))
    assert calibration.temperature == pytest.approx(sharpness, rel=0.03)
    assert calibration.description == (
        f"Temperature {calibration.temperature:g}, fitted on 20,000 out-of-fold predictions of the "
        f"training set: it makes the probabilities {effect} no prediction."
    )


def test_no_other_temperature_has_a_smaller_log_loss() -> None:
    probabilities, y = promised(1.6, baskets=500)
    calibration = fit_calibration("temperature", probabilities, y)
    least = log_loss(y, calibrate(probabilities, calibration))
    tried = np.geomspace(LOWEST, HIGHEST, 300).tolist()
    others = [log_loss(y, calibrate(probabilities, at(item))) for item in tried]
    assert least <= min(others) + 1e-8
    assert least < log_loss(y, probabilities) - 0.01


def test_a_temperature_divides_the_logarithms() -> None:
    (row,) = calibrate(np.array([[0.64, 0.32, 0.04]]), at(2.0))
    roots = np.sqrt([0.64, 0.32, 0.04])
    np.testing.assert_allclose(row, roots / roots.sum(), rtol=1e-6)


@st.composite
def near_ties(draw: st.DrawFn) -> list[float]:
    """Two or three large probabilities, a few float32 or float64 steps apart, in any order."""
    first = np.float32(draw(st.floats(1 / 3, 0.5)))
    row = [float(first)]
    for _ in range(draw(st.integers(1, 2))):
        steps, noise = draw(st.integers(-3, 3)), draw(st.integers(-3, 3))
        near = first + steps * np.spacing(first)
        row.append(float(near) + noise * 2.0**-53)
    row += [max(0.0, 1 - sum(row))] * (3 - len(row))
    return draw(st.permutations(row))


any_row = st.lists(st.floats(0, 1), min_size=3, max_size=3)
rows = st.lists(near_ties() | any_row, min_size=1, max_size=20)


@given(rows, st.floats(LOWEST, HIGHEST))
def test_a_temperature_never_changes_the_decided_class(
    result: list[list[float]], temperature: float
) -> None:
    given_ = np.array(result)
    shipped = calibrate(given_, at(temperature))
    assert judged(shipped).tolist() == judged(given_).tolist()
    if temperature != 1:
        np.testing.assert_allclose(shipped.sum(axis=1), 1, rtol=1e-15)
        assert (shipped >= 0).all()
        assert (shipped <= 1).all()


@pytest.mark.parametrize("temperature", [LOWEST, 0.9, 1.2, HIGHEST])
def test_ties_in_single_precision_stay_ties(temperature: float) -> None:
    tie = np.array([[0.1, 0.45 - 1e-12, 0.45 + 1e-12], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.0, 0.5]])
    assert judged(calibrate(tie, at(temperature))).tolist() == [1, 0, 0]


def test_a_lead_that_scaling_swallows_is_given_back() -> None:
    lower = np.float32(0.4)
    row = [float(lower), float(np.nextafter(lower, np.float32(1))), 0.2]
    given_ = np.array([row])
    scaled = calibration_module._scaled(given_, HIGHEST)
    assert judged(given_).item() == 1
    assert judged(scaled).item() == 0, "the example no longer needs any help"
    shipped = calibrate(given_, at(HIGHEST))
    assert judged(shipped).item() == 1
    np.testing.assert_allclose(shipped, scaled, rtol=0, atol=1e-7)
    assert shipped.sum() == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_without_any_error_there_is_nothing_to_learn_from(method: Method) -> None:
    probabilities, _ = promised(1.0, baskets=1_234)
    calibration = fit_calibration(method, probabilities, judged(probabilities))
    np.testing.assert_array_equal(calibrate(probabilities, calibration), probabilities)
    if method != "none":
        assert calibration.description.startswith("Not calibrated: none of the 1,234 out-of-fold")
    assert calibration.temperature == (1.0 if method == "temperature" else None)


def test_probabilities_that_tell_nothing_are_unchanged() -> None:
    same = np.full((30, 3), 1 / 3)
    calibration = fit_calibration("temperature", same, (np.arange(30) % 3).astype(np.int8))
    assert calibration.temperature == 1
    assert calibration.description.endswith("it leaves the probabilities unchanged.")


def test_a_model_that_is_always_wrong_is_made_as_unsure_as_is_tried() -> None:
    sure = np.tile([0.98, 0.01, 0.01], (40, 1))
    calibration = fit_calibration("temperature", sure, np.ones(40, dtype=np.int8))
    assert calibration.temperature == HIGHEST
    assert (
        "less confident, at the limit of the search, and changes no prediction"
        in calibration.description
    )


def test_a_class_that_was_given_no_chance_costs_a_bounded_loss() -> None:
    probabilities = np.tile([1.0, 0.0, 0.0], (100, 1))
    y = np.zeros(100, dtype=np.int8)
    y[:5] = 2
    calibration = fit_calibration("temperature", probabilities, y)
    shipped = calibrate(probabilities, calibration)
    # 5 of 100 are wrong, and the others of two classes share what is left.
    assert shipped[0, 0] == pytest.approx(0.95, abs=1e-3)
    assert shipped[0, 1] == shipped[0, 2]


def test_isotonic_is_that_of_scikit_learn_for_each_class_then_normalised() -> None:
    probabilities, y = promised(2.0, baskets=2_000)
    calibration = fit_calibration("isotonic", probabilities, y)
    others, _ = promised(0.7, baskets=500)
    single, unseen = (
        item.astype(np.float32).astype(np.float64) for item in (probabilities, others)
    )
    each = [
        IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        .fit(single[:, k], y == k)
        .predict(unseen[:, k])
        for k in range(3)
    ]
    expected = np.stack(each, axis=1)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(calibrate(others, calibration), expected, rtol=1e-12)


def test_isotonic_says_what_it_came_to() -> None:
    probabilities, y = promised(2.0, baskets=2_000)
    calibration = fit_calibration("isotonic", probabilities, y)
    changed = int((judged(calibrate(probabilities, calibration)) != judged(probabilities)).sum())
    assert calibration.thresholds is not None
    assert changed > 0
    assert calibration.description == (
        "A step function for each class (isotonic regression), fitted on 2,000 out-of-fold "
        f"predictions of the training set: {sum(len(x) for x, _ in calibration.thresholds)} "
        "thresholds; "
        f"it changes {changed} predictions."
    )


def test_a_row_whose_classes_are_all_denied_is_unchanged() -> None:
    step = ((0.5, 0.6), (0.0, 1.0))
    denying = Calibration(method="isotonic", thresholds=(step, step, step), description="")
    row = np.array([[0.5, 0.25, 0.25]])
    np.testing.assert_array_equal(calibrate(row, denying), row)
    np.testing.assert_array_equal(calibrate(np.array([[0.75, 0.125, 0.125]]), denying), [[1, 0, 0]])


@pytest.mark.parametrize("method", METHODS)
def test_the_file_gives_the_same_to_the_last_bit(method: Method, tmp_path: Path) -> None:
    probabilities, y = promised(1.7, baskets=3_000)
    fitted = fit_calibration(method, probabilities, y)
    (tmp_path / CALIBRATION_FILE).write_text(fitted.model_dump_json(indent=2), encoding="utf-8")
    read = read_calibration(tmp_path)
    assert read == fitted
    whole = calibrate(probabilities, read)
    np.testing.assert_array_equal(whole, calibrate(probabilities, fitted))
    np.testing.assert_array_equal(whole, calibrate(np.asfortranarray(probabilities), read))
    alone = [calibrate(row[None, :], read) for row in probabilities[:50]]
    np.testing.assert_array_equal(whole[:50], np.concatenate(alone))


@pytest.mark.parametrize("method", METHODS)
def test_threads_and_the_last_digits_of_a_double_decide_nothing(method: Method) -> None:
    probabilities, y = promised(1.7, baskets=3_000)
    single = probabilities.astype(np.float32)
    with threadpool_limits(1):
        alone = fit_calibration(method, probabilities, y)
    assert fit_calibration(method, probabilities, y) == alone
    assert fit_calibration(method, single.astype(np.float64), y) == alone
    if method != "none":
        expected = calibrate(probabilities, alone)
        np.testing.assert_array_equal(calibrate(single.astype(np.float64), alone), expected)


@pytest.mark.parametrize("method", METHODS)
def test_no_baskets_no_rows(method: Method) -> None:
    fitted = fit_calibration(method, *promised(1.7, baskets=200))
    assert calibrate(np.empty((0, 3)), fitted).shape == (0, 3)


def test_a_model_without_the_file_is_of_an_older_version(tmp_path: Path) -> None:
    read = read_calibration(tmp_path)
    assert read.method == "none"
    assert read.description == "Not calibrated: the model has no calibration file."


TEMPERATURE = {"method": "temperature", "temperature": 2.0, "description": "d"}
LINE = [[0.0, 1.0], [0.0, 1.0]]


def isotonic(curve: Any, classes: int = 3) -> dict[str, Any]:
    curves = [LINE] * (classes - 1) + [curve]
    return {"method": "isotonic", "thresholds": curves, "description": "d"}


@pytest.mark.parametrize("document", [TEMPERATURE, isotonic(LINE), isotonic([[0.5], [0.5]])])
def test_what_the_format_allows_is_read(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / CALIBRATION_FILE).write_text(json.dumps(document), encoding="utf-8")
    assert read_calibration(tmp_path).method == document["method"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "should be an object"),
        ({}, "method: Field required"),
        ({**TEMPERATURE, "command": "x"}, "command: Extra inputs"),
        ({**TEMPERATURE, "method": "magic"}, "method: Input should be"),
        ({**TEMPERATURE, "description": "d" * 1001}, "description: .*at most 1000"),
        ({**TEMPERATURE, "temperature": None}, "used: the parameters do not match"),
        ({**TEMPERATURE, "temperature": "hot"}, "temperature: .*valid number"),
        *(
            ({**TEMPERATURE, "temperature": bad}, "temperature: Input should be")
            for bad in (0, -1, 0.09, 10.1, 1e308, math.nan, math.inf)
        ),
        ({**TEMPERATURE, "method": "none"}, "used: the parameters do not match"),
        ({**isotonic(LINE), "temperature": 2.0}, "used: the parameters do not match"),
        ({**isotonic(LINE), "thresholds": None}, "used: the parameters do not match"),
        (isotonic(LINE, classes=2), r"thresholds\.2: Field required"),
        (isotonic(LINE, classes=4), "thresholds: Tuple should have at most 3 items"),
        (isotonic([[], []]), "at least 1 item"),
        (isotonic([[0.0, 1.0], [0.5]]), "used: the thresholds of High"),
        (isotonic([[0.5, 0.5], [0.0, 1.0]]), "used: the thresholds of High"),
        (isotonic([[0.7, 0.5], [0.0, 1.0]]), "used: the thresholds of High"),
        (isotonic([[0.0, 1.0], [0.6, 0.5]]), "used: the thresholds of High"),
        (isotonic([[0.0, 1.0], [0.6, 1.1]]), "used: the thresholds of High"),
        (isotonic([[-0.1, 1.0], [0.6, 1.0]]), "used: the thresholds of High"),
        (isotonic([[0.0, math.nan], [0.6, 1.0]]), "used: the thresholds of High"),
        (isotonic([[0.0, 1.0], [math.nan, 1.0]]), "used: the thresholds of High"),
        (isotonic([[0.0, 1.0], [0.0, math.inf]]), "used: the thresholds of High"),
        (isotonic([[0.5] * (MAX_THRESHOLDS + 1), [0.5]]), "at most 100000 items"),
    ],
)
def test_a_file_that_cannot_be_ours_is_refused(document: Any, reason: str, tmp_path: Path) -> None:
    (tmp_path / CALIBRATION_FILE).write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InputError, match=r"calibration\.json cannot be .*" + reason):
        read_calibration(tmp_path)


@pytest.mark.parametrize("data", [b"", b"\xff", b'{"method": "none"', b"[" * 100_000])
def test_so_is_one_that_is_no_json(data: bytes, tmp_path: Path) -> None:
    (tmp_path / CALIBRATION_FILE).write_bytes(data)
    with pytest.raises(InputError, match=r"calibration\.json cannot be used: Invalid JSON"):
        read_calibration(tmp_path)


def test_so_is_one_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration_module, "MAX_BYTES", 20)
    (tmp_path / CALIBRATION_FILE).write_text(json.dumps(TEMPERATURE), encoding="utf-8")
    with pytest.raises(InputError, match="more than 20 bytes"):
        read_calibration(tmp_path)


def test_so_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / CALIBRATION_FILE).mkdir()
    with pytest.raises(InputError, match=r"calibration\.json cannot be used"):
        read_calibration(tmp_path)


def test_a_temperature_that_helps_one_measure_and_hurts_another_is_not_taken() -> None:
    # Nine tenths are calibrated as they are; the rest is sure, and wrong about every thirtieth.
    moderate = np.tile([0.7, 0.2, 0.1], (900, 1))
    sure = np.tile([1.0, 0.0, 0.0], (100, 1))
    y = np.zeros(1_000, dtype=np.int8)
    y[630:810], y[810:900], y[997:] = 1, 2, 1
    calibration = fit_calibration("temperature", np.concatenate([moderate, sure]), y)
    assert calibration.temperature == 1
