from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketwise.config import GateConfig
from basketwise.evaluation.gate import Decision, decide, decision_of
from basketwise.evaluation.intervals import Interval

BETTER = Interval(0.01, 0.002, 0.02)
WORSE = Interval(-0.01, -0.02, -0.002)
UNSURE = Interval(-0.01, -0.03, 0.001)


def ask(
    accuracy: float = 0.998,
    macro_f1: float = 0.998,
    champion: str | None = None,
    difference: Interval | None = None,
    **settings: Any,
) -> Decision:
    return decide(accuracy, macro_f1, champion, difference, GateConfig(**settings))


def rules(decision: Decision) -> dict[str, bool]:
    return {reason["rule"]: reason["passed"] for reason in decision.reasons}


def test_the_history_keeps_the_two_figures_and_their_thresholds() -> None:
    expected = "Auto-approved: Accuracy=0.998 (≥0.8), F1=0.998 (≥0.7)"
    assert ask(0.998, 0.998).description == expected
    assert ask(0.99812, 0.99768).description == expected


def test_a_threshold_itself_passes() -> None:
    decision = ask(0.80, 0.70)
    assert decision.approved
    assert decision.description == "Auto-approved: Accuracy=0.800 (≥0.8), F1=0.700 (≥0.7)"


@pytest.mark.parametrize(
    ("accuracy", "macro_f1", "failed"),
    [(0.7999999, 0.9, "min_accuracy"), (0.9, 0.6999999, "min_macro_f1")],
)
def test_just_below_a_threshold_fails_and_says_so(
    accuracy: float, macro_f1: float, failed: str
) -> None:
    decision = ask(accuracy, macro_f1)
    assert not decision.approved
    assert [rule for rule, passed in rules(decision).items() if not passed] == [failed]
    text = next(reason["text"] for reason in decision.reasons if not reason["passed"])
    assert text in (
        "Test accuracy 0.7999999 < 0.8",
        "Macro-F1 0.6999999 < 0.7",
    )
    assert decision.description == f"Not approved: {text}"


def test_every_rule_that_failed_is_named() -> None:
    decision = ask(0.5, 0.4, "2", WORSE)
    assert decision.description == (
        "Not approved: Test accuracy 0.5000 < 0.8; Macro-F1 0.4000 < 0.7; Worse than the champion "
        "(version 2) on the same baskets: accuracy -0.0100 [-0.0200, -0.0020]"
    )


@pytest.mark.parametrize("value", [0.9996, 0.9999, 0.99999999])
def test_what_is_not_perfect_is_never_shown_as_perfect(value: float) -> None:
    decision = ask(value, value)
    assert f"Accuracy={value:.10g} " in decision.description
    assert "1.000" not in decision.description
    assert "1.000" not in decision.reasons[0]["text"]


def test_what_is_perfect_is_shown_so() -> None:
    assert ask(1.0, 1.0).description == "Auto-approved: Accuracy=1.000 (≥0.8), F1=1.000 (≥0.7)"


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_shown_figure_always_agrees_with_its_sign(accuracy: float, threshold: float) -> None:
    reason = ask(accuracy, min_accuracy=threshold).reasons[0]
    figure, sign = reason["text"].split()[2:4]
    assert reason["passed"] == (accuracy >= threshold) == (sign == "≥")
    assert (float(figure) >= threshold) == reason["passed"]
    assert float(figure) == pytest.approx(accuracy, abs=0.00005)


def test_without_a_champion_its_rule_passes() -> None:
    decision = ask()
    assert decision.approved
    assert rules(decision) == {"min_accuracy": True, "min_macro_f1": True, "champion": True}


@pytest.mark.parametrize(
    ("difference", "passed"), [(BETTER, True), (UNSURE, True), (WORSE, False), (None, False)]
)
def test_only_what_is_surely_worse_than_the_champion_fails(
    difference: Interval | None, passed: bool
) -> None:
    decision = ask(champion="3", difference=difference)
    assert rules(decision)["champion"] is passed
    assert decision.approved is passed
    assert "version 3" in decision.reasons[-1]["text"]


def test_a_champion_that_could_not_be_scored_leaves_it_to_a_person() -> None:
    decision = ask(champion="3", difference=None)
    assert decision.description == (
        "Not approved: Champion (version 3) could not be scored on these test baskets"
    )


@pytest.mark.parametrize(("margin", "passed"), [(0.0, False), (0.001, False), (0.002, True)])
def test_the_margin_forgives_so_much(margin: float, passed: bool) -> None:
    decision = ask(champion="3", difference=WORSE, champion_margin=margin)
    assert rules(decision)["champion"] is passed
    assert decision.reasons[-1]["threshold"] == -margin


def test_an_interval_that_ends_at_nothing_is_not_worse() -> None:
    assert ask(champion="3", difference=Interval(-0.01, -0.02, 0.0)).approved


def test_the_champions_rule_can_be_switched_off() -> None:
    decision = decide(0.9, 0.9, "3", WORSE, GateConfig(champion=False))
    assert decision.approved
    assert "champion" not in rules(decision)


def test_a_decision_comes_back_from_the_verdict_it_was_written_to() -> None:
    decision = ask(0.5, 0.4, "2", WORSE)
    verdict = decision_of(
        {
            "approved": decision.approved,
            "state": "PendingManualApproval",
            "headline": "",
            "description": decision.description,
            "reasons": decision.reasons,
        }
    )
    assert verdict == decision
