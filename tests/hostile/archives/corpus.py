"""Archives that nobody should have: bombs, lies and damage, the same ones at every call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from basketwise.files import MODEL
from tests.hostile.archives import bombs, lies, models, structure
from tests.hostile.archives.making import INDEX, METADATA, Case, Files, pack

SOUND = "sound models"


def corpus(sound: Mapping[str, Files], marker: Path, *, full: bool) -> dict[str, Iterator[Case]]:
    """Return the cases of every area: all, made when they are asked for, or a sample of each.

    Parameters
    ----------
    sound : mapping
        Files of a sound archive of every candidate; ``pickled`` is XGBoost's former form,
        ``second`` has a second model.
    marker : Path
        The folder that a pickle would make.
    full : bool
        Whether bombs have their full size, and there are thousands of cases.
    """
    tree, forest = sound["decision_tree"], sound["random_forest"]
    rng = np.random.default_rng(1)

    def some(cases: Iterable[Case], step: int) -> Iterator[Case]:
        return islice(cases, 0, None, 1 if full else step)

    def count(always: int, nightly: int) -> int:
        return nightly if full else always

    large = (
        bombs.large_forests(forest),
        bombs.large_booster(sound["xgboost"]),
        bombs.large_arrays(sound["logistic"]),
    )
    return {
        SOUND: (Case(name, pack(sound[name])) for name in (sound if full else ["logistic"])),
        "tar: structure, bombs": _both_doors(
            some(structure.structures(tree), 6), bombs.tar_bombs(tree, full=full), full=full
        ),
        "tar: truncations": structure.cut_off(tree, rng, count(4, 120)),
        "tar: bit flips": structure.bits_turned(tree, rng, count(4, 120)),
        "tar: header mutations": structure.headers_changed(tree, rng, count(6, 400)),
        "manifest, metadata, calibration": _chained(
            some(lies.document_lies(tree), 4),
            bombs.document_bombs(tree, full=full),
            models.mutated(tree, METADATA, "metadata", rng, count(2, 50)),
        ),
        "skops: types, objects, arrays, zip files, bombs": _chained(
            some(models.untrusted(sound["logistic"]), 14),
            some(models.other_objects(tree), 4),
            some(models.arrays(tree), 7),
            some(models.zips(tree), 5),
            models.misplaced(forest, sound["logistic"]),
            bombs.skops_bombs(tree, full=full),
            *(large if full else ()),
            models.mutated(tree, MODEL, "model", rng, count(2, 50)),
            models.members_mutated(sound["logistic"], "logistic", rng, count(2, 100)),
        ),
        "crafted and mutated trees": _chained(
            some(models.trees(tree, "decision_tree"), 4),
            some(models.trees(forest, "random_forest"), 8),
            models.members_mutated(tree, "tree", rng, count(2, 100)),
            models.members_mutated(forest, "forest", rng, count(2, 100)),
        ),
        "product index: lies": some(lies.index_lies(tree), 6),
        "product index: mutated": models.mutated(tree, INDEX, "index", rng, count(4, 150)),
        "product index: bombs": bombs.index_bombs(tree, full=full),
        "XGBoost: mutations of its JSON": models.members_mutated(
            sound["xgboost"], "xgboost", rng, count(0, 220)
        ),
        "XGBoost: mutations of the former form": models.members_mutated(
            sound["pickled"], "pickled", rng, count(0, 110)
        ),
        "pickles, which are never loaded": models.pickles(tree, marker),
    }


def _chained(*parts: Iterable[Case]) -> Iterator[Case]:
    for part in parts:
        yield from part


def _both_doors(
    structures: Iterable[Case], tar_bombs: Iterable[Case], *, full: bool
) -> Iterator[Case]:
    """Yield cases as models, and as what a job left, whose archives may have extended headers."""
    for case in structures:
        yield case
        if full:
            yield replace(case, name=f"{case.name}, from a job", refused=False, job=True)
    for case in tar_bombs:
        yield case
        yield replace(case, name=f"{case.name}, from a job", job=True)
