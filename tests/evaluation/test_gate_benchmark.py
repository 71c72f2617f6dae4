"""Small simulations of what ``benchmarks/gate.py`` measures with many trials."""

from __future__ import annotations

from benchmarks.gate import looks_table, ratchet, ratchet_table, shares, shares_table


def test_two_points_worse_pass_hardly_ever_however_few_baskets_there_are() -> None:
    approved, undecided = shares(300, -0.02, trials=60, resamples=200)
    assert approved <= 0.07
    assert undecided >= 0.7


def test_equal_ones_pass_with_many_baskets() -> None:
    assert shares(15_000, 0.0, trials=12, resamples=200)[0] >= 0.6


def test_small_losses_do_not_add_up() -> None:
    accuracy, approved = ratchet(0.004, 5_000, weeks=10, resamples=200, seed=1)
    assert accuracy >= 0.95 - 0.012 - 1e-9
    assert approved <= 3


def test_the_tables_have_their_rows() -> None:
    assert len(shares_table(2, 100, sizes=[300]).splitlines()) == 3
    assert len(ratchet_table(1, 100, weeks=1).splitlines()) == 6
    assert len(looks_table(1, 100, number=2).splitlines()) == 4
