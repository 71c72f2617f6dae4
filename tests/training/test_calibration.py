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
from basketwise.training.calibrating import fit_calibration
from basketwise.training.calibration import (
    HIGHEST,
    LOWEST,
    MAX_FLOOR,
    MAX_THRESHOLDS,
    SMALLEST,
    Calibration,
    Method,
    NewProducts,
    calibrate,
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


def without_floor(calibration: Calibration) -> Calibration:
    return calibration.model_copy(update={"floor": 0.0})


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
    tried = np.geomspace(LOWEST, HIGHEST, 60).tolist()
    others = [
        log_loss(y, calibrate(probabilities, calibration.model_copy(update={"temperature": item})))
        for item in tried
    ]
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


@given(rows, st.floats(LOWEST, HIGHEST), st.just(0.0) | st.floats(SMALLEST, MAX_FLOOR))
def test_a_temperature_never_changes_the_decided_class(
    result: list[list[float]], temperature: float, floor: float
) -> None:
    given_ = np.array(result)
    shipped = calibrate(given_, at(temperature).model_copy(update={"floor": floor}))
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
    scaled = calibration_module.at_temperature(given_, HIGHEST)
    assert judged(given_).item() == 1
    assert judged(scaled).item() == 0, "the example no longer needs any help"
    shipped = calibrate(given_, at(HIGHEST))
    assert judged(shipped).item() == 1
    np.testing.assert_allclose(shipped, scaled, rtol=0, atol=1e-7)
    assert shipped.sum() == pytest.approx(1, abs=1e-15)


@given(rows, st.floats(LOWEST, HIGHEST) | st.none(), st.floats(SMALLEST, MAX_FLOOR))
def test_with_a_floor_nothing_is_impossible_and_nothing_certain(
    result: list[list[float]], temperature: float | None, floor: float
) -> None:
    method: Method = "none" if temperature is None else "temperature"
    floored = Calibration(method=method, temperature=temperature, floor=floor, description="")
    shipped = calibrate(np.array(result), floored)
    single = shipped.astype(np.float32)
    assert (single > 0).all()
    assert (single < 1).all()
    assert judged(shipped).tolist() == judged(np.array(result)).tolist()


@pytest.mark.parametrize("method", ["auto", *METHODS])
def test_without_any_error_there_is_nothing_to_learn_from(method: Method) -> None:
    probabilities, _ = promised(1.0, baskets=1_234)
    calibration = fit_calibration(method, probabilities, judged(probabilities))
    assert calibration.method == "none"
    assert calibration.temperature is None
    if method != "none":
        assert calibration.description == (
            "Not calibrated: none of the 1,234 out-of-fold predictions of the training set is "
            "wrong, so there is nothing to learn from; no probability is below 0.00081."
        )
    shipped = calibrate(probabilities, calibration)
    np.testing.assert_array_equal(judged(shipped), judged(probabilities))
    # By the rule of succession: 1 of 1,234 + 3.
    floor = 1 / 1_237
    expected = floor + (1 - 3 * floor) * probabilities
    np.testing.assert_allclose(shipped, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("method", ["auto", *METHODS])
@pytest.mark.parametrize("wrong", [0, 20])
def test_a_model_that_is_certain_is_shipped_as_not_quite_certain(
    method: Method, wrong: int
) -> None:
    y = (np.arange(1_000) % 3).astype(np.int8)
    certain = np.eye(3)[y]
    y[:wrong] = (y[:wrong] + 1) % 3
    shipped = calibrate(certain, fit_calibration(method, certain, y))
    single = shipped.astype(np.float32)
    assert single.min() >= np.float32(1 / 1_003)
    assert single.max() <= np.float32(1 - 2 / 1_003)
    np.testing.assert_allclose(single.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(judged(shipped), certain.argmax(axis=1))


@pytest.mark.parametrize(("baskets", "floor"), [(0, MAX_FLOOR), (2, MAX_FLOOR), (997, 0.001)])
def test_the_floor_falls_with_the_number_of_rows(baskets: int, floor: float) -> None:
    y = np.zeros(baskets, dtype=np.int8)
    assert fit_calibration("none", np.eye(3)[y], y).floor == pytest.approx(floor)


def test_the_least_floor_shows_in_single_precision() -> None:
    certain = np.array([[1.0, 0.0, 0.0]])
    least = Calibration(method="none", floor=SMALLEST, description="")
    assert calibrate(certain, least).astype(np.float32).max() < 1


AUTO = 3_000


def choice(probabilities: Probabilities, y: Labels, **options: Any) -> Calibration:
    return fit_calibration("auto", probabilities, y, **options)


def test_probabilities_that_are_true_are_left_alone() -> None:
    calibration = choice(*promised(1.0, AUTO))
    assert calibration.method == "none"
    assert calibration.description.startswith("Not calibrated, as is best for 3,000 out-of-fold")


def test_a_temperature_is_taken_where_it_is_enough() -> None:
    calibration = choice(*promised(2.0, AUTO))
    assert calibration.method == "temperature"
    assert calibration.temperature == pytest.approx(2, rel=0.1)


def test_step_functions_are_taken_where_a_class_is_wrong_by_itself() -> None:
    probabilities, y = promised(1.0, AUTO)
    leaning = probabilities * [1, 1, 6]
    assert choice(leaning / leaning.sum(axis=1, keepdims=True), y).method == "isotonic"


def test_the_choice_is_by_the_log_loss_on_folds_that_were_not_fitted_on() -> None:
    probabilities, y = promised(2.0, AUTO)
    fold = (np.arange(AUTO) // 7 % 3).astype(np.int8)
    calibration = choice(probabilities, y, fold=fold)
    floor = calibration.floor
    for method in METHODS:
        given_ = np.empty_like(probabilities)
        for number in range(3):
            own = fold == number
            fitted = fit_calibration(method, probabilities[~own], y[~own])
            floored = fitted.model_copy(update={"floor": floor})
            given_[own] = calibrate(probabilities[own], floored)
        loss = -np.log(given_[np.arange(AUTO), y]).mean()
        assert f"{method} {loss:.4g}" in calibration.description
    assert "Log loss on folds that it was not fitted on: none " in calibration.description


def test_without_folds_every_fifth_row_is_of_one() -> None:
    probabilities, y = promised(2.0, 500)
    fold = (np.arange(500) % 5).astype(np.int8)
    assert choice(probabilities, y) == choice(probabilities, y, fold=fold)


@pytest.mark.parametrize("baskets", [1, 40])
def test_with_rows_of_one_fold_there_is_nothing_to_choose_by(baskets: int) -> None:
    certain = np.tile([0.9, 0.1, 0.0], (baskets, 1))
    calibration = choice(certain, np.ones(baskets, np.int8), fold=np.zeros(baskets, np.int8))
    assert calibration.method == "none"
    assert calibration.floor == MAX_FLOOR
    assert "are of one fold" in calibration.description


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_a_row_of_weight_four_counts_as_four_rows(method: Method) -> None:
    (true, y), (sharp, other) = promised(1.0, 400), promised(2.0, 400)
    probabilities, both = np.concatenate([true, sharp]), np.concatenate([y, other])
    times = np.repeat([1, 4], 400)
    repeated = np.repeat(np.arange(800), times)
    weighted, expected, plain = (
        calibrate(probabilities, without_floor(fitted))
        for fitted in (
            fit_calibration(method, probabilities, both, weights=times.astype(np.float64)),
            fit_calibration(method, probabilities[repeated], both[repeated]),
            fit_calibration(method, probabilities, both),
        )
    )
    # The floor, by which a temperature is judged, is that of the number of rows.
    np.testing.assert_allclose(weighted, expected, rtol=0, atol=5e-3)
    assert abs(weighted - plain).max() > 0.03


def test_weights_decide_what_is_chosen() -> None:
    (true, y), (sharp, other) = promised(1.0, AUTO), promised(2.0, AUTO)
    probabilities, both = np.concatenate([true, sharp]), np.concatenate([y, other])
    weights = np.repeat([1.0, 1e-6], AUTO)
    assert choice(probabilities, both, weights=weights).method == "none"
    assert choice(probabilities, both, weights=weights[::-1]).method == "temperature"


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
    expected = 1 / 2_003 + (1 - 3 / 2_003) * expected
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
SECOND = {**TEMPERATURE, "new_products": {"share": 0.1, "calibration": TEMPERATURE}}
LINE = [[0.0, 1.0], [0.0, 1.0]]


def isotonic(curve: Any, classes: int = 3) -> dict[str, Any]:
    curves = [LINE] * (classes - 1) + [curve]
    return {"method": "isotonic", "thresholds": curves, "description": "d"}


def second(**changes: Any) -> dict[str, Any]:
    return {**SECOND, "new_products": {"share": 0.1, "calibration": TEMPERATURE} | changes}


def nested(depth: int) -> dict[str, Any]:
    document: dict[str, Any] = TEMPERATURE
    for _ in range(depth):
        document = {**TEMPERATURE, "new_products": {"share": 0.1, "calibration": document}}
    return document


@pytest.mark.parametrize(
    "document",
    [
        TEMPERATURE,
        isotonic(LINE),
        isotonic([[0.5], [0.5]]),
        {**TEMPERATURE, "floor": MAX_FLOOR},
        SECOND,
        second(share=0, calibration=isotonic(LINE)),
    ],
)
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
        *(
            ({**TEMPERATURE, "floor": bad}, "floor: Input should be")
            for bad in (-0.001, 0.011, 1, math.nan, math.inf, None, "low")
        ),
        *(
            (second(share=bad), r"new_products\.share: Input should be")
            for bad in (-0.1, 1, 1e308, math.nan, math.inf, None, "much")
        ),
        (second(model="x"), r"new_products\.model: Extra inputs"),
        (second(calibration=None), r"new_products\.calibration: Input should be"),
        (second(calibration={}), r"new_products\.calibration\.method: Field required"),
        (
            second(calibration={**TEMPERATURE, "temperature": 99}),
            r"new_products\.calibration\.temperature: Input should be",
        ),
        (
            second(calibration=isotonic([[0.7, 0.5], [0.0, 1.0]])),
            r"new_products\.calibration: Value error, the thresholds of High",
        ),
        ({**TEMPERATURE, "new_products": {"share": 0.1}}, "calibration: Field required"),
        ({**TEMPERATURE, "new_products": []}, "new_products: Input should be"),
        (second(calibration=SECOND), "the second model has no second model"),
        (nested(30), "the second model has no second model"),
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


def test_so_is_one_that_is_nested_without_an_end(tmp_path: Path) -> None:
    text = json.dumps(SECOND)
    inner = json.dumps(TEMPERATURE)
    for _ in range(200):
        text = json.dumps(SECOND).replace(f'"calibration": {inner}', f'"calibration": {text}')
    (tmp_path / CALIBRATION_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"calibration\.json cannot be used"):
        read_calibration(tmp_path)


def test_the_second_models_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    own, its = (fit_calibration("isotonic", *promised(k, baskets=300)) for k in (1.5, 2.5))
    written = own.model_copy(update={"new_products": NewProducts(share=0.1, calibration=its)})
    (tmp_path / CALIBRATION_FILE).write_text(written.model_dump_json(indent=2), encoding="utf-8")
    assert read_calibration(tmp_path) == written


def test_so_is_one_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration_module, "MAX_BYTES", 20)
    (tmp_path / CALIBRATION_FILE).write_text(json.dumps(TEMPERATURE), encoding="utf-8")
    with pytest.raises(InputError, match="more than 20 bytes"):
        read_calibration(tmp_path)


def test_so_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / CALIBRATION_FILE).mkdir()
    with pytest.raises(InputError, match=r"calibration\.json cannot be used"):
        read_calibration(tmp_path)


def test_a_few_baskets_that_are_certainly_wrong_do_not_decide() -> None:
    # Nine tenths are calibrated as they are; the rest is sure, and wrong about every thirtieth.
    moderate = np.tile([0.7, 0.2, 0.1], (900, 1))
    sure = np.tile([1.0, 0.0, 0.0], (100, 1))
    y = np.zeros(1_000, dtype=np.int8)
    y[630:810], y[810:900], y[997:] = 1, 2, 1
    probabilities = np.concatenate([moderate, sure])
    calibration = fit_calibration("temperature", probabilities, y)
    # The floor costs some confidence, which it gives back.
    assert calibration.temperature == pytest.approx(1, abs=0.01)
    # Step functions correct them alone.
    chosen = fit_calibration("auto", probabilities, y)
    assert chosen.method == "isotonic"
    assert calibrate(sure[:1], chosen)[0, 0] == pytest.approx(0.97, abs=0.005)
