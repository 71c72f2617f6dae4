from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from basketwise.training.forests import FEW, predict_proba


@pytest.mark.parametrize("rows", [1, 2, FEW, FEW + 1])
@pytest.mark.parametrize("jobs", [None, 1, 2])
def test_a_forest_answers_as_scikit_learn_does_to_the_bit(rows: int, jobs: int | None) -> None:
    rng = np.random.default_rng(rows)
    X = rng.normal(size=(300, 6)).astype(np.float32)
    y = rng.integers(0, 3, 300)
    forest = RandomForestClassifier(30, max_depth=6, random_state=0, n_jobs=jobs).fit(X, y)
    expected = forest.predict_proba(X[:rows])
    answered = predict_proba(forest, np.ascontiguousarray(X[:rows]))
    if jobs == 2:
        np.testing.assert_allclose(answered, expected, rtol=1e-12)
    else:
        assert answered.tobytes() == expected.tobytes()
    other = LogisticRegression().fit(X, y)
    assert (predict_proba(other, X[:rows]) == other.predict_proba(X[:rows])).all()
