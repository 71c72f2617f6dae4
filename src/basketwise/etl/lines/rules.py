"""How lines are read and judged: settled once per training, and stored with the model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from basketwise.config import Config, LabelName
from basketwise.etl.lines.numbers import Mark
from basketwise.schema import DEFAULT_LABELS, INDEX_LABELS, MISSING_WORDS

Duplicates = Literal["auto", "reject", "keep", "pieces"]
Returns = Literal["reject", "net", "keep"]


class Rules(BaseModel):
    """How lines are read and judged.

    What the settings leave open (``auto``, an empty text) is decided once by a first look at the
    data, see :mod:`basketwise.etl.lines.layout`; from then on every door reads alike.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    labels: dict[str, LabelName] = Field(default_factory=lambda: dict(DEFAULT_LABELS))  # type: ignore[arg-type]
    """What each label of the input means, in any case."""
    labelled: bool = False
    """Whether labels are read (to train)."""
    columns: dict[str, str | tuple[str, ...]] = {}
    """A retailer's own column names by ours; for tables that still have them."""
    date_format: str = ""
    """How text in SHOP_DATE is written, see :data:`basketwise.etl.lines.date_formats.FORMATS`."""
    week: str = "iso"
    """What SHOP_WEEK is where it follows from SHOP_DATE: ``iso``, or the day on which fiscal years
    start (``MM-DD``)."""
    decimal: Mark = ""
    """The decimal mark; empty: each number by itself, where it can be read in one way alone; both,
    where values have the one and the other: so too, and ``1.234`` can be read in two ways as well.
    """
    decimal_by_column: dict[str, Mark] = Field(default={}, exclude=True)
    """The decimal mark by column, where columns have different ones."""
    decimal_by_table: dict[str, dict[str, Mark]] = Field(default={}, exclude=True)
    """The same by table, where tables have different ones."""
    usual_decimal: Literal["", ".", ","] = ""
    """The decimal mark where neither a setting nor a value tells: that of the training data."""
    missing: tuple[str, ...] = MISSING_WORDS
    """Words that stand for a missing value, in upper case."""
    duplicates: Duplicates = "auto"
    """Lines that repeat another in every column: rejected; kept; as ``pieces`` kept within a file
    and rejected across files; ``auto``: pieces if every QUANTITY is 1, else rejected."""
    returns: Returns = "reject"
    """Lines with a negative QUANTITY or SPEND: rejected, netted with the product's other lines of
    the basket, or kept."""

    def of_table(self, name: str) -> Rules:
        """Return the rules for the lines of one table."""
        if name not in self.decimal_by_table:
            return self
        own = self.decimal_by_table[name]
        return self.model_copy(update={"decimal_by_column": own, "decimal_by_table": {}})

    def decimal_of(self, column: str) -> Mark:
        """Return the decimal mark of a column's values."""
        return self.decimal_by_column.get(column, self.decimal)

    @property
    def has_commas(self) -> bool:
        """Whether some column may have decimal commas."""
        return any("," in mark for mark in self.decimal_by_column.values() or [self.decimal])


_NAMES: dict[str, LabelName] = {name: name for name in INDEX_LABELS}  # type: ignore[misc]
"""The classes' own names always mean what they say."""


def rules_of(config: Config, *, labelled: bool) -> Rules:
    """Return the rules that the settings give."""
    data, etl = config.data, config.etl
    return Rules(
        labels=_NAMES | data.labels,
        labelled=labelled,
        columns=data.own_columns,
        date_format=data.date_format,
        week=data.week,
        decimal="" if data.decimal == "auto" else data.decimal,
        missing=data.missing,
        duplicates=etl.duplicates,
        returns=etl.returns,
    )
