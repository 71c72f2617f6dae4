from __future__ import annotations

from pathlib import Path

import pytest

from basketwise.config import Config
from basketwise.run.cache import FORCED, Cached, Outcome, Stale, look_up, settle
from basketwise.run.record import Step, planned, seal


def plan(digest: str = "a") -> Step:
    return planned("gold", {"week.csv": digest * 64}, Config())


def finished(folder: Path, step: Step) -> Path:
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_bytes(b"{}")
    seal(step, folder)
    return folder


def test_the_first_valid_folder_is_taken(tmp_path: Path) -> None:
    other, valid, later = (
        finished(tmp_path / name, step)
        for name, step in (("other", plan("b")), ("valid", plan()), ("later", plan()))
    )
    assert look_up(plan(), [other, valid, later], force=False) == Cached(valid)


def test_the_first_folder_says_what_is_stale(tmp_path: Path) -> None:
    other = finished(tmp_path / "other", plan("b"))
    absent = tmp_path / "absent"
    assert look_up(plan(), [other, absent], force=False) == Stale(("week.csv changed",))
    assert look_up(plan(), [absent, other], force=False) == Stale(("first time",))
    assert look_up(plan(), [], force=False) == Stale(("first time",))


def test_force_looks_at_no_folder() -> None:
    def folders() -> object:
        raise AssertionError("a folder was read")
        yield

    assert look_up(plan(), folders(), force=True) == Stale((FORCED,))  # type: ignore[arg-type]


@pytest.mark.parametrize("where", ["current", "interrupted"])
def test_what_a_killed_run_had_finished_is_moved(tmp_path: Path, where: str) -> None:
    staged = tmp_path / "staged"
    staged.mkdir()
    folder = finished(tmp_path / where, plan())
    settled = settle(Cached(folder), tmp_path / "interrupted", staged)
    assert settled == (staged if where == "interrupted" else folder)
    assert (settled / "metadata.json").is_file()
    assert settle(Stale(("first time",)), tmp_path / "interrupted", staged) == staged


def test_an_outcome_says_whether_it_ran_and_why() -> None:
    ran = Outcome("gold", Stale(("a", "b", "c", "d")))
    assert (ran.ran, ran.why) == (True, "a; b; c; and 1 more")
    assert str(ran) == "ran: a; b; c; and 1 more"
    cached = Outcome("gold", Cached(Path("gold")))
    assert (cached.ran, cached.why, str(cached)) == (False, "", "cached")
