"""How much each out-of-fold prediction counts, so that together they show what the test set will.

Out of fold, hardly any product is new: an index of most baskets of a week knows nearly all its
products. Baskets later than all training weeks have more new ones, and in them most errors occur.
So predictions are weighed until baskets with few, some and many new products are as frequent as
among the baskets of the test set: importance-weighted cross-validation (Sugiyama, Krauledat and
Müller, Covariate Shift Adaptation by Importance Weighted Cross Validation, 2007). Of the test set
this takes what its products are, never a label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from basketwise.arrays import Flags, Floats
from basketwise.features.product import NEW_BANDS, band_of
from basketwise.training.examples import Examples

ENOUGH = 20
"""Training baskets with as many really new products that count as much as all hidden ones."""


def judging_weights(rows: Examples, forward: bool, test_bands: Sequence[float] = ()) -> Floats:
    """Weigh out-of-fold predictions as the baskets of the test set ask for.

    Parameters
    ----------
    rows : Examples
        The training baskets, then those with hidden products.
    forward : bool
        The last fold is the latest weeks: it then counts as much as all others together. They show
        how well the model does in weeks that it knows, it shows how well in the next ones.
    test_bands : sequence of float
        Shares of the test baskets in each band of
        :data:`basketwise.features.product.NEW_BANDS`; empty: new products are as frequent as out of
        fold.

    Returns
    -------
    array
        One weight per row; they add up to the number of training baskets. Hidden products count
        where few training baskets have as many really new ones.
    """
    weights = real_or_hidden(rows)
    late = is_late(rows, forward)
    if late.any():
        weights[late] = ((rows.is_real & ~late).sum()) / late.sum()
    if len(test_bands) == len(NEW_BANDS) + 1:
        band = band_of(rows.new_shares)
        total = np.bincount(band, weights, minlength=len(test_bands))
        wanted = np.divide(test_bands, total, out=np.zeros(total.size), where=total > 0)
        weights = weights * wanted[band]
    else:
        weights[~rows.is_real] = 0
    return np.asarray(weights * (rows.is_real.sum() / weights.sum()))


def real_or_hidden(rows: Examples) -> Floats:
    """Weigh baskets with hidden products by how many have about as many really new ones: 1 is real.

    Where few have, hidden products are all there is to judge by; where many have, they show what
    new products of this shop really mean.
    """
    share, real = rows.new_shares, rows.is_real
    band = band_of(share)
    counts = np.bincount(band[real], minlength=len(NEW_BANDS) + 1)
    weights = (ENOUGH / (ENOUGH + counts[band])) ** 2
    weights[real] = 1
    return np.asarray(weights)


def is_late(rows: Examples, forward: bool) -> Flags:
    """Mark the training baskets of the latest weeks, where those are a fold."""
    return np.asarray(forward & rows.is_real & (rows.fold == rows.fold.max(initial=0)))
