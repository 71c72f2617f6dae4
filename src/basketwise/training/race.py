"""Cross-validates the candidates side by side, then fits those that are to be compared.

The lightest candidate is asked about every fold. If it leaves nothing to win, the others are asked
about the last fold alone; if it does, about two folds, and those that are clearly behind by then
are given up. Whoever may still win is asked about every fold, and the winner is fitted on the whole
training set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from types import MappingProxyType
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np

from basketwise.arrays import Probabilities
from basketwise.candidates import CANDIDATES
from basketwise.concurrency import abandoning_pool
from basketwise.config import ModelName, TrainingConfig
from basketwise.progress import Tick
from basketwise.schema import CLASSES
from basketwise.training.candidates import build
from basketwise.training.checkpoints import Checkpoints
from basketwise.training.crossvalidation import CrossValidated
from basketwise.training.elimination import Judge
from basketwise.training.examples import Examples
from basketwise.training.fitting import (
    Fitted,
    FoldFit,
    fit,
    fit_compared,
    fit_fold,
    of_fold,
    stored_fit,
)
from basketwise.training.persistence import stored_probabilities

Key = TypeVar("Key")
Made = TypeVar("Made")
Fold = tuple[ModelName, int]
Answers: TypeAlias = Mapping[ModelName, Probabilities]
"""Out-of-fold predictions."""
Fits: TypeAlias = Mapping[ModelName, Future[Fitted]]

LEAST_FOLDS = 3
"""Folds from which on a candidate can be given up before the last of them."""


class Race(NamedTuple):
    """What is known of the candidates in the end, in the order of the settings."""

    out_of_fold: dict[ModelName, Probabilities]
    """One row per judged basket, from a model that has not seen the basket's fold; NaN in folds
    that the candidate was not asked about."""
    fitted: dict[ModelName, Fitted]
    winner: ModelName
    scores: dict[ModelName, CrossValidated]


def train_all(
    train: Examples,
    config: TrainingConfig,
    tick: Tick,
    judge: Judge,
    checkpoints: Checkpoints,
    meanwhile: Callable[[ModelName, Answers, Fits], Made],
    elsewhere: Mapping[ModelName, Callable[[], Fitted]] = MappingProxyType({}),
) -> tuple[Race, Made]:
    """Cross-validate the candidates and fit them, but for the pieces that are stored already.

    They learn from ``train``; out of fold they are asked about the rows of the ``judge``, which are
    among those of ``train``. What follows from the winner and all out-of-fold predictions is made
    ``meanwhile``, while the models are fitted, the winner first, and returned too.

    The winner learns from the whole training set. The others learn from no more baskets than it
    takes to compare them with it (``compared_max_baskets``). If the winner is one of ``elsewhere``,
    its final fit is made by that. Checkpoints of other trainings are removed.
    """
    order = heaviest_first(config.models)
    for name in order:
        # Also imports its library: two threads that do so at once meet half-loaded modules.
        build(name, config, train.y.size - train.hidden)
    checkpoints.prepare()
    with abandoning_pool() as pool:
        pieces = _Pieces(train, judge.rows, config, tick, checkpoints, pool)
        winner, scores = _winner(pieces, judge, config)
        last, answers = config.folds - 1, pieces.out_of_fold

        def fitted(name: ModelName) -> Fitted:
            if name == winner:
                own = elsewhere.get(name)
                return own() if own else fit(name, train, config, checkpoints)
            return fit_compared(name, last, train, config, checkpoints, pieces.models.get(name))

        # The winner first, which may take as long as all others.
        order.sort(key=lambda name: name != winner)
        fitting = pieces.start(order, fitted)
        made = meanwhile(winner, answers, fitting)
        fits = pieces.finish(fitting)
    return Race(answers, {name: fits[name] for name in config.models}, winner, scores), made


def heaviest_first(names: Iterable[ModelName]) -> list[ModelName]:
    """Order candidates so that no worker is left alone with a heavy one at the end."""
    return sorted(names, key=lambda name: -CANDIDATES[name].weight)


def _winner(
    pieces: _Pieces, judge: Judge, config: TrainingConfig
) -> tuple[ModelName, dict[ModelName, CrossValidated]]:
    """Cross-validate as far as is needed to name the winner; of equals, the one named first.

    Returns the scores of all candidates too.
    """
    folds, answers = range(config.folds), pieces.out_of_fold
    finalists = list(config.models)
    *others, lightest = heaviest_first(config.models)
    if config.cv_stops_early and others and len(folds) >= LEAST_FOLDS:
        pieces.score([lightest], folds)
        if judge.leaves_nothing(answers[lightest]):
            pieces.score(others, folds[-1:])
            finalists = [
                name
                for name in config.models
                if name == lightest or judge.difference(answers[name], answers[lightest]).is_lead
            ]
        else:
            # The latest weeks, if they are a fold, and another one.
            pieces.score(others, [folds[-1], folds[0]])
            leader = config.models[judge.first_of([answers[name] for name in config.models])]
            finalists = [
                name
                for name in config.models
                if not judge.difference(answers[leader], answers[name]).is_decisive
            ]
        pieces.leave_out(name for name in config.models if name not in finalists)
    pieces.score(finalists, folds)
    scores = {name: judge.scores(answers[name]) for name in config.models}
    return max(finalists, key=lambda name: scores[name].f1), scores


class _Pieces:
    """Which pieces there are, and the threads that make those that are missing."""

    def __init__(
        self,
        train: Examples,
        judged: Examples,
        config: TrainingConfig,
        tick: Tick,
        checkpoints: Checkpoints,
        pool: Executor,
    ) -> None:
        self._train, self._judged = train, judged
        self._config, self._checkpoints = config, checkpoints
        self._tick, self._pool = tick, pool
        self.out_of_fold = {
            name: np.full((judged.y.size, len(CLASSES)), np.nan) for name in config.models
        }
        self.models: dict[ModelName, Fitted] = {}
        """Of the last fold, if they were fitted here."""
        self._whole = {
            name: recalled
            for name in config.models
            if (recalled := stored_fit(checkpoints, name)) is not None
        }
        sizes = np.bincount(judged.fold, minlength=config.folds)
        self._missing: set[Fold] = set()
        for name in config.models:
            for fold in range(config.folds):
                rows = int(sizes[fold])
                stored = stored_probabilities(checkpoints, of_fold(name, fold), rows)
                if stored is None:
                    self._missing.add((name, fold))
                else:
                    self.out_of_fold[name][judged.fold == fold] = stored
        self._total = len(config.models) * (1 + config.folds)
        self._made = len(self._whole) + self._total - len(config.models) - len(self._missing)
        if self._made:
            self._tell()

    def score(self, names: Sequence[ModelName], folds: Sequence[int]) -> None:
        """Cross-validate candidates on some folds, the heaviest first."""
        wanted = [(name, fold) for name in heaviest_first(names) for fold in folds]
        made = self._finish(
            {
                (name, fold): self._pool.submit(
                    fit_fold, name, fold, self._train, self._config, self._checkpoints, self._judged
                )
                for name, fold in wanted
                if (name, fold) in self._missing
            }
        )
        self._missing -= set(made)
        for (name, fold), scored in made.items():
            self._take(name, fold, scored)

    def leave_out(self, names: Iterable[ModelName]) -> None:
        """Expect no more folds of some candidates."""
        dropped = {(name, fold) for name in names for fold in range(self._config.folds)}
        self._total -= len(self._missing & dropped)

    def start(
        self, names: Sequence[ModelName], fitted: Callable[[ModelName], Fitted]
    ) -> dict[ModelName, Future[Fitted]]:
        """Start to fit the models that are not stored; those that are have ended."""
        return {
            name: self._pool.submit(
                self._whole.__getitem__ if name in self._whole else fitted, name
            )
            for name in names
        }

    def finish(self, fitting: Fits) -> dict[ModelName, Fitted]:
        """Return all models."""
        self._finish({name: fit for name, fit in fitting.items() if name not in self._whole})
        return {name: fit.result() for name, fit in fitting.items()}

    def _take(self, name: ModelName, fold: int, scored: FoldFit) -> None:
        self.out_of_fold[name][self._judged.fold == fold] = scored.probabilities
        if fold == self._config.folds - 1:
            self.models[name] = scored.fitted

    def _finish(self, work: Mapping[Key, Future[Made]]) -> dict[Key, Made]:
        for future in as_completed(work.values()):
            future.result()
            self._made += 1
            self._tell()
        return {key: future.result() for key, future in work.items()}

    def _tell(self) -> None:
        self._tick("models fitted", self._made, self._total)
