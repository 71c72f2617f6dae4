"""A model on every executor: lines are cleaned where they lie, baskets scored where they are whole.

A basket's lines may be anywhere, so its id, as cleaning left it, decides for the group in which all
of them meet. Groups are of a bounded number of lines on average, whatever the number of partitions
and machines: which baskets are scored together depends on the data alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from basketwise.engines.spark.frames import (
    GROUP,
    Batches,
    Columns,
    mapped,
    mapped_groups,
)
from basketwise.engines.spark.reading import Reader, type_of
from basketwise.engines.spark.survey import Surveyed, survey_frame
from basketwise.engines.spark.tally import shown
from basketwise.etl.lines.cleaned import Cleaned, none_rejected
from basketwise.etl.lines.cleaning import clean, settle
from basketwise.etl.lines.rules import Rules
from basketwise.features.unseen import Unseen
from basketwise.model.scoring import NO_HISTORY, Model
from basketwise.notices import warn
from basketwise.schema import (
    BASKET_ID,
    CERTAINTY,
    COLUMN_NAMES,
    COLUMNS,
    KEY,
    KNOWN_SHARE,
    LABEL,
    PREDICTED,
    PROBABILITIES,
    REASON,
    ROW,
    SOURCE,
    UNCLASSIFIED,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

GROUP_LINES = 200_000
"""Lines of a group, on average: some 100 MB while it is scored."""

REPORT = "report"
"""The column of what is counted in a group, a JSON document; null in the rows of baskets."""

_LINE: Columns = {
    **{column.name: type_of(column.kind) for column in COLUMNS if column.name != LABEL},
    SOURCE: "string",
    REASON: "string",
}
"""A clean line on its way to its basket; of a refused one, BASKET_ID and the reason."""

_POLARS = {"bigint": pl.Int64, "string": pl.String, "double": pl.Float64}
_ID = f"`{BASKET_ID}`"


def predict(model: Model, lines: DataFrame) -> DataFrame:
    """Predict the price sensitivity of each basket of a Spark frame.

    Lines are read to settle what all of them decide, see :mod:`basketwise.engines.spark.survey`;
    baskets are scored when the result is used.

    Parameters
    ----------
    model : Model
        The model; every executor gets it.
    lines : DataFrame
        Raw till lines of whole baskets, of any session. It must give the same lines each time.

    Returns
    -------
    DataFrame
        One row per basket, in no certain order, with the columns of
        :meth:`basketwise.model.scoring.Model.predict` and the same values to the last bit:
        ``basket_id`` is a ``bigint``, or a ``string`` where an id is not a whole number.

    Raises
    ------
    InputError
        If a required column is missing, or no line can be used.

    Warns
    -----
    UserWarning
        If lines were rejected for themselves, with their number and reasons. What is wrong with a
        basket's lines together, and how much the model has never seen, is not known before baskets
        are scored. If the model needs the customers' history, and has none.
    """
    surveyed = survey_frame(lines, model.rules)
    refused = surveyed.rejected
    if refused:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in sorted(refused.items()))
        warn(f"{refused.total():,} of {surveyed.lines:,} lines rejected: {reasons}.", stacklevel=3)
    if model.lacks_history:
        warn(f"{NO_HISTORY[0].upper()}{NO_HISTORY[1:]}.", stacklevel=3)
    return scored(model, surveyed).drop(REPORT)


def scored(model: Model, surveyed: Surveyed, *, reported: bool = False) -> DataFrame:
    """Score surveyed lines, when the result is used.

    Parameters
    ----------
    model : Model
        The model.
    surveyed : Surveyed
        The lines.
    reported : bool
        Add one row per group, null but for :data:`REPORT`, see :class:`GroupReport`.

    Returns
    -------
    DataFrame
        As from :func:`predict`, and :data:`REPORT`.
    """
    # Without what it has prepared for itself.
    task = _Task(replace(model), surveyed.rules, surveyed.whole_ids, reported)
    # A refused line counts for its basket only where that is reported.
    cleaned = mapped(
        surveyed.frame, partial(_clean, surveyed.reader, surveyed.rules, reported), _LINE
    )
    groups = -(-surveyed.lines // GROUP_LINES)
    grouped = cleaned.selectExpr("*", f"pmod(xxhash64({_ID}), {groups}L) AS `{GROUP}`")
    return mapped_groups(grouped, task, result_columns(whole_ids=surveyed.whole_ids))


def result_columns(*, whole_ids: bool) -> Columns:
    """Return the columns of :func:`scored`."""
    return {
        KEY: "bigint" if whole_ids else "string",
        PREDICTED: "string",
        **dict.fromkeys((*PROBABILITIES, KNOWN_SHARE), "double"),
        CERTAINTY: "string",
        REPORT: "string",
    }


def _clean(reader: Reader, rules: Rules, refused: bool, batches: Batches) -> Iterator[pl.DataFrame]:
    """Clean lines one by one."""
    for piece in reader(batches):
        raw = piece.raw
        judged = rules.of_table(shown(piece.source))
        cleaned = clean(
            raw.frame, judged, source=piece.source, rows=raw.rows, malformed=raw.malformed,
            blanks=raw.blanks,
        )  # fmt: skip
        text = pl.col(BASKET_ID, SOURCE).cast(pl.String)
        yield cleaned.lines.with_columns(text, pl.lit(None, pl.String).alias(REASON))
        if refused:
            # Neither is needed of the others: no basket has them.
            damaged = cleaned.rejected.filter(pl.col(BASKET_ID).is_not_null())
            yield damaged.select(
                pl.col(name) if name in (BASKET_ID, REASON) else pl.lit(None).alias(name)
                for name in _LINE
            )


@dataclass
class GroupReport:
    """What is counted of a group's baskets.

    ``predicted`` counts them by class, ``uncertain`` are Unclassified, ``incomplete`` lost lines;
    ``rejected`` counts, by reason, the lines that were refused with their basket in view.
    """

    predicted: dict[str, int]
    uncertain: int
    incomplete: int
    rejected: dict[str, int]
    unseen: Unseen

    def text(self) -> str:
        """Write it as JSON."""
        return json.dumps({**vars(self), "unseen": vars(self.unseen)})

    @classmethod
    def of(cls, text: str) -> GroupReport:
        """Read what :meth:`text` wrote."""
        document: dict[str, Any] = json.loads(text)
        return cls(**{**document, "unseen": Unseen(**document["unseen"])})


@dataclass(frozen=True)
class _Task:
    """Scores the baskets of a group, all of whose lines it gets."""

    model: Model
    rules: Rules
    whole_ids: bool
    reported: bool

    def __call__(self, group: pl.DataFrame) -> pl.DataFrame:
        accepted = group[REASON].is_null()
        settled = settle(Cleaned(self._lines(group.filter(accepted)), none_rejected()), self.rules)
        unseen, lines = Unseen(), settled.lines
        columns = result_columns(whole_ids=self.whole_ids)
        if lines.height:
            result = self.model.score(lines, unseen)
        else:
            result = pl.DataFrame(schema={name: _POLARS[columns[name]] for name in columns})
        result = result.with_columns(pl.lit(None, pl.String).alias(REPORT))
        if not self.reported:
            return result
        damaged = pl.concat([group.filter(~accepted)[BASKET_ID], settled.rejected[BASKET_ID]])
        report = GroupReport(
            dict(result[PREDICTED].value_counts().sort(PREDICTED).iter_rows()),
            int((result[CERTAINTY] == UNCLASSIFIED).sum()),
            int(result[KEY].cast(pl.String).is_in(damaged.unique().to_list()).sum()),
            settled.reasons,
            unseen,
        )
        return pl.concat([result, pl.DataFrame({REPORT: [report.text()]})], how="diagonal")

    def _lines(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Return lines as they were before they travelled, in an order that did not change."""
        ids = pl.col(BASKET_ID).cast(pl.Int64 if self.whole_ids else pl.String)
        no_label = pl.lit(None, pl.String).alias(LABEL)
        rows = pl.lit(0, pl.UInt32).alias(ROW)
        ordered = lines.with_columns(ids, no_label, rows).sort(
            SOURCE, *(name for name in COLUMN_NAMES if name != LABEL)
        )
        return ordered.select(*COLUMN_NAMES, pl.col(SOURCE).cast(pl.Categorical), ROW)
