"""In and out of Narwhals, for a frame of any engine: what goes in comes out, eager or lazy."""

from __future__ import annotations

from typing import Any, cast

import narwhals as nw
from narwhals.typing import IntoFrameT


def as_narwhals(frame: IntoFrameT) -> nw.LazyFrame[Any]:
    """Wrap a native frame.

    Eager frames are typed as lazy ones too: the features use only what both can do.
    """
    return cast("nw.LazyFrame[Any]", nw.from_native(cast("Any", frame)))


def as_native(frame: nw.LazyFrame[Any], like: IntoFrameT) -> IntoFrameT:
    """Unwrap a frame, of the kind that went in."""
    return cast("IntoFrameT", frame.to_native())
