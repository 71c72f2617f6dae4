from __future__ import annotations

from datetime import UTC, datetime

from basketwise.registry.memory import best_first
from basketwise.registry.protocol import ApprovalState, ModelVersion


def version(
    number: int,
    over: int | None = None,
    lead: tuple[float, float] = (0.0, 0.0),
    state: ApprovalState = ApprovalState.APPROVED,
) -> ModelVersion:
    return ModelVersion(
        version=str(number),
        run_id=f"run-{number}",
        state=state,
        created_at=datetime(2020, 1, number, tzinfo=UTC),
        sha256="",
        uri="",
        model_data_url="",
        description="",
        metrics={"lead_low": lead[0], "lead_high": lead[1]} if over else {},
        tags={"lead_over": str(over)} if over else {},
        champion=False,
    )


def ranked(*oldest_first: ModelVersion, memory: int = 26) -> list[str]:
    return [each.version for each in best_first(oldest_first[::-1], memory)]


def test_a_lead_that_was_not_shown_takes_nobodys_place() -> None:
    assert ranked(version(1), version(2, 1, (-0.004, 0.006))) == ["1", "2"]


def test_a_lead_that_was_shown_does() -> None:
    assert ranked(version(1), version(2, 1, (0.001, 0.006))) == ["2", "1"]


def test_small_losses_add_up_against_the_best_not_against_the_last() -> None:
    falling = [version(k, 1, (-0.003 * k, 0.004 - 0.003 * k)) for k in range(2, 8)]
    assert ranked(version(1), *falling)[0] == "1"
    assert ranked(version(1), *falling)[-1] == "7"


def test_leads_over_different_versions_are_added() -> None:
    better, worse = version(2, 1, (0.01, 0.02)), version(3, 2, (-0.006, -0.004))
    assert ranked(version(1), better, worse) == ["2", "3", "1"]


def test_only_so_many_are_remembered_and_the_best_of_those_is_looked_for() -> None:
    falling = [version(k, 1, (-0.003 * k, 0.004 - 0.003 * k)) for k in range(2, 8)]
    assert ranked(version(1), *falling, memory=6) == ["2", "3", "4", "5", "6", "7"]
    assert ranked(version(1), *falling, memory=1) == ["7"]


def test_what_is_not_approved_is_no_measure() -> None:
    rejected = version(1, state=ApprovalState.REJECTED)
    assert ranked(rejected, version(2, 1, (-0.02, -0.01))) == ["2"]
    assert ranked() == []
