"""The columns of a raw till line, and the names and order of the classes.

One raw row is one product of one basket. Column names are matched without regard to case. The
vendor's own labels of the same basket or customer are not among them: never read, never features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

CLASSES: tuple[str, str, str] = ("Low", "Medium", "High")
"""The classes to predict, in the order that every matrix and every probability has."""

UNCLASSIFIED = "Unclassified"
"""Baskets that the vendor could not classify: they teach the index, and are never predicted."""

KEY = "basket_id"
"""Key of a table with one row per basket; BASKET_ID of its lines."""

TARGET = "price_sensitivity"
"""Its class, in the gold files."""

PREDICTED = "predicted_sensitivity"
"""The class that a model predicts."""

PROBABILITIES: tuple[str, ...] = tuple(f"p_{name.lower()}" for name in CLASSES)
"""The probabilities of the classes."""

KNOWN_SHARE = "known_share"
"""Share of a basket's lines whose product is in the model's training data; Float64, 0 to 1."""

CERTAINTY = "certainty"
"""Whether anything tells a basket's class."""

CLASSIFIED = "Classified"
"""The certainty of a basket in which something does; otherwise it is ``Unclassified``."""

INDEX_LABELS: tuple[str, ...] = (*CLASSES, UNCLASSIFIED)
"""The labels the product index is learned from, in the order of its columns."""

FEATURE_GROUPS = ("basket", "product", "posterior", "weighted", "price", "season", "customer")
"""The feature groups, in the order in which models see their columns; each is a module of
:mod:`basketwise.features` of that name."""

DEFAULT_GROUPS = ("basket", "product")

GROUP_NAME = "retail-price-sensitivity-models"
"""Name of the registered model, and of SageMaker's model package group."""


class Kind(StrEnum):
    """How a column's values are read."""

    ID = "id"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"

    @property
    def is_text(self) -> bool:
        """Whether values are text, whatever type they were stored in."""
        return self in (Kind.ID, Kind.TEXT)


@dataclass(frozen=True)
class Column:
    """One column of the raw lines, under its upper-case name, as dunnhumby writes it.

    ``required``: a line without it cannot be used.
    """

    name: str
    kind: Kind
    required: bool = False


BASKET_ID = "BASKET_ID"
PROD_CODE = "PROD_CODE"
PROD_NAME = "PROD_NAME"
SPEND = "SPEND"
QUANTITY = "QUANTITY"
LABEL = "BASKET_PRICE_SENSITIVITY"
SHOP_WEEK = "SHOP_WEEK"
SHOP_DATE = "SHOP_DATE"
SHOP_WEEKDAY = "SHOP_WEEKDAY"
SHOP_HOUR = "SHOP_HOUR"
CUST_CODE = "CUST_CODE"
UNIT_PRICE = "UNIT_PRICE"

SOURCE = "source"
"""Name of the table that a line came from."""

REASON = "reason"
"""Why a line was rejected."""

ROW = "row"
"""Number of a line within its table, from 1, the header not counted."""

FOLD = "fold"
"""The column that says in which fold a training basket is, from 0."""

TEST = -1
"""The ``fold`` of a test basket."""

HIERARCHY: tuple[str, ...] = ("PROD_CODE_10", "PROD_CODE_20", "PROD_CODE_30", "PROD_CODE_40")
"""The SKU hierarchy, finest level first."""

COLUMNS: tuple[Column, ...] = (
    Column(BASKET_ID, Kind.ID, required=True),
    Column(PROD_CODE, Kind.TEXT, required=True),
    Column(SPEND, Kind.NUMBER, required=True),
    Column(QUANTITY, Kind.NUMBER, required=True),
    Column(LABEL, Kind.TEXT, required=True),
    Column(SHOP_WEEK, Kind.INTEGER),
    Column(SHOP_DATE, Kind.INTEGER),
    Column(SHOP_WEEKDAY, Kind.INTEGER),
    Column(SHOP_HOUR, Kind.INTEGER),
    *(Column(name, Kind.TEXT) for name in HIERARCHY),
    Column("STORE_FORMAT", Kind.TEXT),
    Column("STORE_REGION", Kind.TEXT),
    Column("STORE_CODE", Kind.TEXT),
    Column(CUST_CODE, Kind.TEXT),
)

COLUMN_NAMES: tuple[str, ...] = tuple(column.name for column in COLUMNS)

BASKET_ID_PARTS: tuple[str, ...] = tuple(f"{BASKET_ID}.{number}" for number in range(1, 7))
"""Columns that make up BASKET_ID together, in this order, where no single one does."""

READ_COLUMNS: tuple[Column, ...] = (
    *COLUMNS,
    Column(PROD_NAME, Kind.TEXT),
    Column(UNIT_PRICE, Kind.NUMBER),
    *(Column(name, Kind.ID) for name in BASKET_ID_PARTS),
)
"""What is read of a raw table: columns of a line, those that they can follow from, and the name,
which belongs to the product, see :mod:`basketwise.etl.lines.product_names`."""

KINDS: dict[str, Kind] = {column.name: column.kind for column in READ_COLUMNS}
"""How each of them is read."""

READ_NAMES: frozenset[str] = frozenset(column.name for column in READ_COLUMNS)

AMOUNTS: tuple[str, ...] = tuple(c.name for c in READ_COLUMNS if c.kind is Kind.NUMBER)
"""The columns that may have a decimal mark."""

PRODUCT_COLUMNS: tuple[str, ...] = (PROD_CODE, PROD_NAME, *HIERARCHY)
"""The columns of a product file."""

COMPLETE_JOURNEY: frozenset[str] = frozenset(
    {"HOUSEHOLD_KEY", "DAY", "PRODUCT_ID", "SALES_VALUE", "RETAIL_DISC", "TRANS_TIME"}
)
"""Columns that give away dunnhumby's other set, which does not carry the label."""

MISSING_WORDS: tuple[str, ...] = ("NULL", "\\N", "NAN", "NONE", "N/A", "<NA>")
"""Words that stand for a missing value where programs export none, in upper case."""

DEFAULT_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "LA": "High",
        "MM": "Medium",
        "UM": "Low",
        "XX": UNCLASSIFIED,
        "Low": "Low",
        "Medium": "Medium",
        "High": "High",
        UNCLASSIFIED: UNCLASSIFIED,
    }
)
"""What each label of the input means: Less Affluent shoppers are the price-sensitive ones."""
