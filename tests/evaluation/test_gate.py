from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketwise.config import GateConfig
from basketwise.evaluation.champion import Champion, NoChampion, NotScored, NotSeen, Scored
from basketwise.evaluation.gate import Decision, Evidence, baskets_needed, decide, rule_lines
from basketwise.report.types.scores import Interval
from basketwise.report.types.verdict import Reason

BETTER = Interval(estimate=0.01, low=-0.02, high=0.04)
WORSE = Interval(estimate=-0.04, low=-0.06, high=-0.02)
UNSURE = Interval(estimate=-0.005, low=-0.02, high=0.01)
WITHIN = Interval(estimate=-0.005, low=-0.008, high=-0.001)


SCORED = Scored("3", np.zeros(500, dtype=np.int8))

EVIDENCE = Evidence(
    accuracy=Interval(estimate=0.85, low=0.79, high=0.9),
    macro_f1=Interval(estimate=0.8, low=0.75, high=0.85),
    confidence=0.95,
    champion=SCORED,
    difference=WORSE,
    test_baskets=500,
    lines_read=5_000,
    lines_rejected=0,
)


def certain(value: float) -> Interval:
    return Interval(estimate=value, low=value, high=value)


def gate_decision(
    accuracy: float = 0.998,
    macro_f1: float = 0.998,
    champion: Champion = NoChampion(),  # noqa: B008 - it is frozen
    difference: Interval | None = None,
    *,
    test_baskets: int = 1_000,
    read: int = 10_000,
    rejected: int = 0,
    **settings: Any,
) -> Decision:
    evidence = Evidence(
        accuracy=certain(accuracy),
        macro_f1=certain(macro_f1),
        confidence=0.95,
        champion=champion,
        difference=difference,
        test_baskets=test_baskets,
        lines_read=read,
        lines_rejected=rejected,
    )
    return decide(evidence, GateConfig(**settings))


def rules(decision: Decision) -> dict[str, bool]:
    return {reason["rule"]: reason["passed"] for reason in decision.reasons}


def test_the_history_keeps_the_two_figures_and_their_thresholds() -> None:
    expected = "Auto-approved: Accuracy=0.998 (≥0.8), F1=0.998 (≥0.7)"
    assert gate_decision(0.998, 0.998).description == expected
    assert gate_decision(0.99812, 0.99768).description == expected


def test_a_threshold_itself_passes() -> None:
    decision = gate_decision(0.80, 0.70)
    assert decision.approved
    assert decision.description == "Auto-approved: Accuracy=0.800 (≥0.8), F1=0.700 (≥0.7)"


@pytest.mark.parametrize(
    ("accuracy", "macro_f1", "failed"),
    [(0.7999999, 0.9, "min_accuracy"), (0.9, 0.6999999, "min_macro_f1")],
)
def test_just_below_a_threshold_fails_and_says_so(
    accuracy: float, macro_f1: float, failed: str
) -> None:
    decision = gate_decision(accuracy, macro_f1)
    assert not decision.approved
    assert [rule for rule, passed in rules(decision).items() if not passed] == [failed]
    text = next(reason["text"] for reason in decision.reasons if not reason["passed"])
    assert text in (
        "Test accuracy 0.7999999 < 0.8",
        "Macro-F1 0.6999999 < 0.7",
    )
    assert decision.description == f"Not approved: {text}"


def test_every_rule_that_failed_is_named() -> None:
    decision = gate_decision(0.5, 0.4, SCORED, WORSE)
    assert decision.description == (
        "Not approved: Test accuracy 0.5000 < 0.8; Macro-F1 0.4000 < 0.7; Worse than the champion "
        "(version 3): accuracy −0.0400, 95% CI [−0.0600, −0.0200], allowed loss 0.01"
    )


@pytest.mark.parametrize("value", [0.9996, 0.9999, 0.99999999])
def test_what_is_not_perfect_is_never_shown_as_perfect(value: float) -> None:
    decision = gate_decision(value, value)
    assert f"Accuracy={value:.10g} " in decision.description
    assert "1.000" not in decision.description
    assert "1.000" not in decision.reasons[0]["text"]


def test_what_is_perfect_is_shown_so() -> None:
    assert (
        gate_decision(1.0, 1.0).description
        == "Auto-approved: Accuracy=1.000 (≥0.8), F1=1.000 (≥0.7)"
    )


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_shown_figure_always_agrees_with_its_sign(accuracy: float, threshold: float) -> None:
    reason = gate_decision(accuracy, min_accuracy=threshold).reasons[0]
    figure, sign = reason["text"].split()[2:4]
    assert reason["passed"] == (accuracy >= threshold) == (sign == "≥")
    assert (float(figure) >= threshold) == reason["passed"]
    assert float(figure) == pytest.approx(accuracy, abs=0.00005)


def test_without_a_champion_its_rule_passes() -> None:
    decision = gate_decision()
    assert decision.approved
    assert rules(decision) == {
        "min_accuracy": True,
        "min_macro_f1": True,
        "champion": True,
        "min_test_baskets": True,
        "max_rejected_share": True,
    }


def test_where_the_registry_is_not_seen_nothing_is_stated_of_a_champion() -> None:
    unseen = replace(EVIDENCE, champion=NotSeen(), difference=None)
    decision = decide(unseen, GateConfig())
    assert not decision.approved
    assert champion_reason(decision)["text"] == (
        "Not compared with the champion: this job has no access to the registry"
    )
    assert decision.description.startswith("Not approved: Not compared with the champion")
    assert "champion" not in rules(decide(unseen, GateConfig(champion=False)))


def champion_reason(decision: Decision) -> Reason:
    return next(reason for reason in decision.reasons if reason["rule"] == "champion")


@pytest.mark.parametrize(
    ("difference", "start"),
    [
        (BETTER, "Can't tell if worse than the champion"),
        (WITHIN, "Not worse than the champion"),
        (UNSURE, "Can't tell if worse than the champion"),
        (WORSE, "Worse than the champion"),
    ],
)
def test_not_worse_is_surely_within_the_margin(difference: Interval, start: str) -> None:
    decision = gate_decision(champion=SCORED, difference=difference)
    assert champion_reason(decision)["text"].startswith(f"{start} (version 3)")
    assert decision.approved is start.startswith("Not worse")
    assert decision.undecided is start.startswith("Can't tell")


def test_the_champions_rule_says_what_was_measured_and_what_is_allowed() -> None:
    reason = champion_reason(gate_decision(champion=SCORED, difference=UNSURE))
    assert reason["text"] == (
        "Can't tell if worse than the champion (version 3): accuracy −0.0050, "
        "95% CI [−0.0200, +0.0100], allowed loss 0.01; needs about 4,600 test baskets, not 1,000"
    )
    assert reason["baskets_needed"] == 4_600


def test_where_an_equal_challenger_would_pass_no_few_more_baskets_are_asked_for() -> None:
    # About half of the allowed loss of 0.01: an equally good one would mostly pass with far fewer.
    close = Interval(estimate=-0.0095, low=-0.0129, high=-0.0069)
    decision = gate_decision(champion=SCORED, difference=close)
    reason = champion_reason(decision)
    assert decision.undecided
    assert reason["text"].endswith(
        "; an equally good one would mostly pass with these 1,000 test baskets"
    )
    needed = reason["baskets_needed"]
    assert needed is not None
    assert needed < 1_000


def test_with_so_many_baskets_an_equal_challenger_passes_in_four_of_five_cases() -> None:
    # The reach r of n baskets becomes r * sqrt(n / needed); a lead is off by r / 1.96 at random.
    needed = baskets_needed(Interval(estimate=0, low=-0.03, high=0.03), 400, 0.95, 0.01)
    assert needed is not None
    reach = 0.03 * np.sqrt(400 / needed)
    leads = np.random.default_rng(1).normal(0, reach / 1.96, 20_000)
    assert (leads - reach >= -0.01).mean() == pytest.approx(0.8, abs=0.01)


def test_without_a_margin_no_number_of_baskets_shows_that_equals_are_equal() -> None:
    decision = gate_decision(champion=SCORED, difference=UNSURE, champion_margin=0)
    assert decision.undecided
    assert champion_reason(decision)["baskets_needed"] is None
    assert champion_reason(decision)["text"].endswith("only a better version can be told")


def test_what_fails_another_rule_too_is_refused() -> None:
    assert gate_decision(champion=SCORED, difference=UNSURE).description.startswith("Undecided: ")
    decision = gate_decision(0.5, champion=SCORED, difference=UNSURE)
    assert not decision.undecided
    assert decision.description.startswith("Not approved: ")


def remembered(difference: Interval | None, *lost: NotScored) -> Decision:
    """Decide on a challenger that is within the margin of the champion, by its memory."""
    best = Scored("1", np.zeros(500, dtype=np.int8)) if difference else None
    evidence = replace(
        EVIDENCE, difference=WITHIN, best=best, best_difference=difference, lost=lost
    )
    return decide(evidence, GateConfig())


def test_what_is_within_the_margin_of_the_champion_may_be_too_far_from_the_best() -> None:
    decision = remembered(WORSE)
    assert rules(decision) | {"champion": True, "memory": False} == rules(decision)
    assert decision.description == (
        "Not approved: Worse than the best of the versions approved before (version 1): accuracy "
        "−0.0400, 99% CI [−0.0600, −0.0200], allowed loss 0.01"
    )
    assert remembered(WITHIN).approved
    assert remembered(UNSURE).undecided


def test_a_version_of_the_memory_that_is_lost_stops_nothing_and_is_named() -> None:
    decision = remembered(None, NotScored("1", "no archive"))
    assert decision.approved
    assert "memory" in rules(decision)
    assert "version 1 was better but could not be scored: no archive" in decision.reasons[3]["text"]
    decision = remembered(WITHIN, NotScored("2", "no archive"))
    assert decision.approved
    assert decision.reasons[3]["text"].endswith(
        "version 2 was better but could not be scored: no archive"
    )


@pytest.mark.parametrize("champion", ["champion", "best"])
def test_what_was_scored_has_a_difference(champion: str) -> None:
    missing: dict[str, dict[str, Any]] = {
        "champion": {"difference": None},
        "best": {"difference": WITHIN, "best": SCORED},
    }
    with pytest.raises(ValueError, match="needs a difference"):
        decide(replace(EVIDENCE, **missing[champion]), GateConfig())


@pytest.mark.parametrize("difference", [BETTER, WITHIN, UNSURE, WORSE])
def test_the_champions_figures_agree_with_the_outcome(difference: Interval) -> None:
    reason = champion_reason(gate_decision(champion=SCORED, difference=difference))
    assert reason["value"] is not None
    assert reason["threshold"] is not None
    assert (reason["value"] >= reason["threshold"]) == reason["passed"]


def test_a_champion_that_could_not_be_scored_leaves_it_to_a_person() -> None:
    decision = gate_decision(champion=NotScored("3", "it can score only 9 of 10 baskets"))
    assert decision.description == (
        "Not approved: The champion (version 3) could not be scored: it can score only 9 of 10 "
        "baskets"
    )


@pytest.mark.parametrize(("margin", "passed"), [(0.0, False), (0.059, False), (0.06, True)])
def test_the_margin_forgives_so_much(margin: float, passed: bool) -> None:
    decision = gate_decision(champion=SCORED, difference=WORSE, champion_margin=margin)
    assert rules(decision)["champion"] is passed
    assert champion_reason(decision)["threshold"] == -margin


def test_the_champions_rule_can_be_switched_off() -> None:
    decision = decide(EVIDENCE, GateConfig(champion=False))
    assert decision.approved
    assert "champion" not in rules(decision)


@pytest.mark.parametrize(("baskets", "passed"), [(99, False), (100, True)])
def test_a_small_test_set_says_too_little(baskets: int, passed: bool) -> None:
    decision = gate_decision(test_baskets=baskets)
    assert rules(decision)["min_test_baskets"] is passed
    assert decision.approved is passed
    assert rules(gate_decision(test_baskets=1, min_test_baskets=0))["min_test_baskets"]


def test_too_many_rejected_lines_are_named_with_their_share() -> None:
    decision = gate_decision(read=1_000, rejected=101)
    assert decision.description == "Not approved: 101 of 1,000 lines rejected: 10.1% > 10%"
    assert gate_decision(read=1_000, rejected=100).approved
    assert gate_decision(read=1_000, rejected=101, max_rejected_share=0.2).approved


def test_files_that_were_not_read_are_evidence() -> None:
    evidence = replace(EVIDENCE, skipped=["a.xlsx", "b.xlsx", "c.json", "d/"])
    (reason,) = (
        reason
        for reason in decide(evidence, GateConfig()).reasons
        if reason["rule"] == "max_rejected_share"
    )
    assert reason["text"].endswith("≤ 10%; skipped files: a.xlsx, b.xlsx, c.json and 1 more")
    assert reason["passed"]


def test_thresholds_can_be_applied_to_the_lower_bound() -> None:
    evidence = replace(EVIDENCE, champion=NoChampion(), difference=None)
    assert decide(evidence, GateConfig()).approved
    decision = decide(evidence, GateConfig(thresholds_on="lower"))
    assert decision.description == (
        "Not approved: Lower bound of test accuracy 0.7900 < 0.8 (estimate 0.8500)"
    )
    passing = decide(evidence, GateConfig(thresholds_on="lower", min_accuracy=0.75))
    assert passing.description == (
        "Auto-approved: Accuracy=0.850, at least 0.790 (≥0.75), F1=0.800, at least 0.750 (≥0.7)"
    )


def test_every_rule_has_its_line_for_the_registry() -> None:
    lines = rule_lines(gate_decision(accuracy=0.5).reasons).splitlines()
    assert lines[0] == "NOT PASSED min_accuracy: Test accuracy 0.5000 < 0.8"
    assert lines[3] == "passed min_test_baskets: 1,000 test baskets ≥ 100"
    assert len(lines) == 5
