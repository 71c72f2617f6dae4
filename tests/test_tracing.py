"""What is left out of the measurement of coverage exists, and the measurement goes on after it."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from types import FrameType

import pytest

from tests.tracing import LIBRARY_CALLS, UNTRACED, untraced_call

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("module", "name", "method"), LIBRARY_CALLS)
def test_libraries_have_what_is_left_out(module: str, name: str, method: str) -> None:
    assert callable(getattr(getattr(import_module(module), name), method))


@pytest.mark.parametrize("entry", sorted(UNTRACED))
def test_every_entry_is_a_file_or_a_test(entry: str) -> None:
    file, _, test = entry.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^ *(async )?def {test}\(", text, re.MULTILINE) if test else text


def test_a_call_is_not_traced_and_what_follows_is() -> None:
    seen = []

    def trace(frame: FrameType, event: str, _: object) -> None:
        seen.append((frame.f_code.co_name, event))

    def library(fails: bool) -> None:
        if fails:
            raise KeyError("absent")

    def ours() -> None:
        """Follow the call."""

    measured = sys.gettrace()
    sys.settrace(trace)
    try:
        untraced_call(library)(False)
        ours()
        with pytest.raises(KeyError, match="absent"):
            untraced_call(library)(True)
        assert sys.gettrace() is trace
    finally:
        sys.settrace(measured)
    called = [name for name, event in seen if event == "call"]
    assert "library" not in called
    assert "ours" in called
