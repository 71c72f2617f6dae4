from __future__ import annotations

import numpy as np
import pytest

from basketwise.config import TrainingConfig
from basketwise.features.groups import columns_of
from basketwise.training import references
from basketwise.training.checkpoints import NOWHERE
from basketwise.training.examples import read_examples
from basketwise.training.references import fit_references, plan_references
from tests.etl.running import Run

CONFIG = TrainingConfig(models=("decision_tree",))


def test_of_many_baskets_as_many_as_tell_enough_are_learned_from(
    sample_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = columns_of(["basket", "product"])
    train = read_examples(sample_run.gold / "train_features.parquet", columns)
    plans = plan_references("decision_tree", ["basket", "product"])
    whole = fit_references(plans, train, CONFIG, NOWHERE)
    monkeypatch.setattr(references, "MOST", train.y.size // 3 + 1)
    few = fit_references(plans, train, CONFIG, NOWHERE)
    alone = fit_references(plans, train.take(np.arange(0, train.y.size, 3)), CONFIG, NOWHERE)
    assert list(few) == [plan.name for plan in plans]
    for plan in plans:
        X = train.only(plan.columns).X
        assert few[plan.name].predict(X).tobytes() == alone[plan.name].predict(X).tobytes()
        assert few[plan.name].predict(X).tobytes() != whole[plan.name].predict(X).tobytes()
