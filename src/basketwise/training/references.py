"""Models that cannot win: the winner without each group of features, and a simpler one.

They answer two questions about the cost of the model: what is each group worth, and would less
have done?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from basketwise.arrays import spaced
from basketwise.concurrency import abandoning_pool
from basketwise.config import ModelName, TrainingConfig
from basketwise.features.groups import ALWAYS_WRITTEN, columns_of, of_index
from basketwise.training.checkpoints import Checkpoints
from basketwise.training.examples import Examples, learned_from
from basketwise.training.fitting import Fitted, fit

MOST = 100_000
"""Baskets that a reference learns from, at most."""


@dataclass(frozen=True)
class Plan:
    """A reference to be trained."""

    name: str
    kind: Literal["ablation", "simpler"]
    algorithm: ModelName
    groups: tuple[str, ...]
    without: str | None = None

    @property
    def columns(self) -> list[str]:
        """The features it sees."""
        return columns_of(self.groups)


def plan_references(winner: ModelName, groups: Sequence[str]) -> list[Plan]:
    """List the references for a winner that sees some groups.

    A winner that sees one group alone is compared with the groups that every gold file has
    (``basket``), which shows what a model without the index would do.

    Examples
    --------
    >>> [plan.name for plan in plan_references("xgboost", ["basket", "product"])]
    ['without_basket', 'without_product', 'index_only']
    """
    plans = []
    for group in groups:
        others = tuple(other for other in groups if other != group) or ALWAYS_WRITTEN
        if group not in others:
            plans.append(Plan(f"without_{group}", "ablation", winner, others, group))
    if of_index(groups):
        plans.append(Plan("index_only", "simpler", "logistic", of_index(groups)))
    return plans


def fit_references(
    plans: Sequence[Plan], train: Examples, config: TrainingConfig, checkpoints: Checkpoints
) -> dict[str, Fitted]:
    """Fit every reference on the training set, which has the columns of all of them.

    Of more than :data:`MOST` baskets, as many are taken, evenly spaced: what a group is worth does
    not hang on more, and two fits on millions at once are most of a training's memory.
    """
    rows = np.flatnonzero(learned_from(train))
    learned = train.take(rows[spaced(rows.size, MOST)])
    with abandoning_pool() as pool:
        work = {
            plan.name: pool.submit(
                fit, plan.algorithm, learned.only(plan.columns), config, checkpoints, plan.name
            )
            for plan in plans
        }
        return {name: future.result() for name, future in work.items()}
