"""Lines that an estimator and its clones share: they are typed once, and never copied."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Self

from sklearn.base import clone

from basketwise.estimators.lines import (
    AuxiliaryLines,
    Baskets,
    baskets_of_lines,
    baskets_with_lines,
)
from basketwise.estimators.parameters import line_rules


class SharedLines:
    """For an estimator with the parameters ``lines`` and ``key``."""

    lines: Any
    key: str

    def _read(self, X: Any, *, labelled: bool) -> Baskets:
        """Read the lines of X, or those of its baskets."""
        rules = line_rules(self, labelled=labelled)
        if self.lines is None:
            return baskets_of_lines(X, rules, self.key)
        lines = self._auxiliary().read(self.lines, rules, self.key)
        return baskets_with_lines(X, lines, self.key)

    def _auxiliary(self) -> AuxiliaryLines:
        if not hasattr(self, "_auxiliary_lines"):
            self._auxiliary_lines = AuxiliaryLines()
        return self._auxiliary_lines

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_auxiliary_lines"}

    def __sklearn_clone__(self) -> Self:
        # By reference, and typed once: each fold of a search would copy the lines, and a database's
        # relation cannot be copied at all.
        parameters = {
            name: value if name == "lines" else clone(value, safe=False)
            for name, value in self.get_params(deep=False).items()  # type: ignore[attr-defined]
        }
        cloned = type(self)(**parameters)
        cloned._auxiliary_lines = self._auxiliary()
        for name in ("_sklearn_output_config", "_metadata_request"):
            if hasattr(self, name):
                setattr(cloned, name, deepcopy(getattr(self, name)))
        return cloned
