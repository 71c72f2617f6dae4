"""How a made-up basket gets its label.

The rule is Basketwise's own and deliberately simple; what dunnhumby did is not public. Products
are cheap, mid, upmarket or silent. Of the products of a basket that are not silent::

    lean = (upmarket - cheap) / (cheap + mid + upmarket)

    lean < -0.13            LA, less affluent
    -0.13 <= lean <= 0.13   MM, mid market
    lean > 0.13             UM, up market
    only silent products    XX, unclassified

So one cheap product makes a basket of seven LA, but not one of eight. A share ``noise`` of the
baskets then gets one of the other two labels, because real labels are not clean either.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from basketwise.sampling.catalogue import ProductClass

LABELS: tuple[str, ...] = ("LA", "MM", "UM", "XX")
"""The labels as dunnhumby spells them; a label's number is its place here."""

THRESHOLD = 0.13
"""A basket leans when the balance of its products is beyond this, to either side."""

_CLEAR = 3


def label_baskets(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Label baskets by the rule; returns an index into :data:`LABELS` for each.

    ``counts`` has one row per basket, one column per
    :class:`~basketwise.sampling.catalogue.ProductClass`: how many of the basket's products are of
    that class.

    Examples
    --------
    >>> import numpy as np
    >>> baskets = np.array([[1, 6, 0, 0], [1, 7, 0, 0], [1, 2, 2, 5], [0, 0, 0, 1]])
    >>> [LABELS[label] for label in label_baskets(baskets)]
    ['LA', 'MM', 'UM', 'XX']
    """
    cheap = counts[:, ProductClass.CHEAP]
    upmarket = counts[:, ProductClass.UPMARKET]
    informative = cheap + counts[:, ProductClass.MID] + upmarket
    balance = upmarket - cheap
    bar = THRESHOLD * informative
    middle, offset = LABELS.index("MM"), (balance > bar).astype(np.int64) - (balance < -bar)
    return np.where(informative == 0, LABELS.index("XX"), middle + offset)


def add_noise(
    rng: np.random.Generator, labels: npt.NDArray[np.int64], noise: float
) -> npt.NDArray[np.int64]:
    """Give a share ``noise`` of the baskets one of the two other labels; XX stays XX."""
    wrong = (rng.random(len(labels)) < noise) & (labels < _CLEAR)
    step = rng.integers(1, _CLEAR, len(labels))
    return np.where(wrong, (labels + step) % _CLEAR, labels)
