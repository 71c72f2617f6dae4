"""The real files of "Let's Get Sort-of-Real", where they are at hand."""

import os
from pathlib import Path

import numpy as np
import pytest

from basketwise.config import Config
from basketwise.etl.gold.tables import TEST_FILE, TRAIN_FILE
from basketwise.training.candidates import build
from basketwise.training.examples import read_examples
from tests.etl.running import run

CHECKOUT = Path(__file__).parents[2]
REAL = Path(os.environ.get("BASKETWISE_REAL_DATA") or CHECKOUT / "../shared/data/lgsr/raw")


@pytest.mark.skipif(
    not REAL.is_dir(), reason="the real files are not here; BASKETWISE_REAL_DATA names their folder"
)
def test_every_line_counts_and_a_quick_model_is_nearly_always_right(tmp_path: Path) -> None:
    made = run(REAL, tmp_path)
    facts = made.metadata
    assert facts.lines.accepted == facts.lines.read == 2_519_777
    assert facts.lines.rejected_by_reason == {}
    assert facts.baskets == {
        "High": 90_195,
        "Low": 94_830,
        "Medium": 200_302,
        "Unclassified": 7_183,
    }
    assert sum(facts.baskets.values()) == 392_510
    assert facts.train_samples + facts.test_samples == 392_510 - 7_183
    assert facts.outliers.threshold == 11.31
    train, test = (
        read_examples(made.gold / name, facts.feature_columns) for name in (TRAIN_FILE, TEST_FILE)
    )
    model = build("decision_tree", Config().training, train.y.size).fit(train.X, train.y)
    accuracy = float(np.mean(model.predict_proba(test.X).argmax(axis=1) == test.y))
    assert accuracy >= 0.995
