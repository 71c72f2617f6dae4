"""Requests scored with and without frames."""

from __future__ import annotations

from dataclasses import replace

import pytest

import basketwise as bw
from basketwise.arrays import Matrix, Probabilities
from basketwise.errors import InputError
from basketwise.model.compiled.answering import Compiled
from basketwise.model.scoring import Model
from basketwise.serving.http.lines import Row
from basketwise.serving.http.scoring import Batch, score
from tests.model.comparing import as_text


class _Broken:
    """A second model that cannot be opened."""

    def predict_proba(self, X: Matrix) -> Probabilities:
        raise InputError("The model cannot be opened.", "Retrain it.")


@pytest.fixture(scope="module")
def baskets() -> list[list[Row]]:
    """The lines of some baskets as a request has them, of which a few are refused."""
    lines = bw.sample(baskets=30, seed=2)
    made: list[list[Row]] = []
    for _, own in lines.group_by("BASKET_ID", maintain_order=True):
        rows = as_text(own.to_dicts())
        rows[0]["QUANTITY"] = "0" if len(made) % 5 == 1 else rows[0]["QUANTITY"]
        made.append(list(map(dict, rows)))
    return made


def framed(model: Model, lines: list[Row], monkeypatch: pytest.MonkeyPatch) -> Batch:
    with monkeypatch.context() as patched:
        patched.setattr(Compiled, "score", lambda *_: None)
        return score(model, lines, explain=False)


def test_a_request_is_answered_the_same_with_and_without_frames(
    scorer: Model, baskets: list[list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for some in (baskets[:1], baskets[1:2], baskets):
        lines = [line for rows in some for line in rows]
        own, other = score(scorer, lines, explain=False), framed(scorer, lines, monkeypatch)
        assert own.lines is None
        assert other.lines is not None
        assert own.rows == other.rows
        assert own.rejected == other.rejected
        assert own.reasons == other.reasons
        assert own.unseen == other.unseen
        assert own.class_counts(scorer) == other.class_counts(scorer)


def test_a_model_that_cannot_be_opened_is_no_fault_of_the_lines(
    scorer: Model, baskets: list[list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(scorer, estimator=_Broken())
    with pytest.raises(RuntimeError, match="cannot be opened"):
        score(broken, baskets[0], explain=False)
    with pytest.raises(RuntimeError, match="cannot be opened"):
        framed(broken, baskets[0], monkeypatch)
