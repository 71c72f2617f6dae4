"""What the sections of the configuration have in common: how values are checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from basketwise.candidates import CANDIDATES
from basketwise.schema import FEATURE_GROUPS

LabelName = Literal["Low", "Medium", "High", "Unclassified"]
if TYPE_CHECKING:
    ModelName: TypeAlias = str
    GroupName: TypeAlias = str
else:
    ModelName = Literal[tuple(CANDIDATES)]
    GroupName = Literal[FEATURE_GROUPS]
SplitStrategy = Literal["time", "stratified", "customer"]
SliceColumn = Literal[
    "store_format", "store_region", "shop_week", "shop_weekday", "shop_hour", "basket_size", "card"
]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
T = TypeVar("T")
OwnColumns: TypeAlias = "Mapping[str, str | tuple[str, ...]]"
"""A retailer's own column names by ours; BASKET_ID may consist of several."""


def _each_once(names: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(names)) != len(names):
        raise ValueError("name each once")
    return names


def _not_empty(names: tuple[T, ...]) -> tuple[T, ...]:
    if not names:
        raise ValueError("name at least one")
    return names


EachOnce = Annotated[tuple[T, ...], AfterValidator(_each_once)]
NonEmpty = Annotated[EachOnce[T], AfterValidator(_not_empty)]


def _is_number(annotation: Any) -> bool:
    return annotation in (int, float) or any(map(_is_number, get_args(annotation)))


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused, values are fixed."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        # Neither can be written as JSON, nor calculated with.
        allow_inf_nan=False,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse ``true`` where a number is wanted: pydantic, and Python, take it for a 1."""
        if isinstance(value, bool) and _is_number(
            cls.model_fields[str(info.field_name)].annotation
        ):
            raise ValueError("give a number")
        return value
