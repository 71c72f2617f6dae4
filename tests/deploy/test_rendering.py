from __future__ import annotations

import jinja2
import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from basketwise.deploy import rendering
from basketwise.deploy.rendering import quoted, render, unexpanded


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_text_comes_back_from_yaml(text: str) -> None:
    assert yaml.safe_load(f"key: {quoted(text)}\nnext: 1") == {"key": text, "next": 1}


@pytest.mark.parametrize(
    "text", ["a b", "a: b", "", "#", "a\nb", "*", "&a", "$(id)", "-", "{a", True]
)
def test_a_value_that_would_have_to_be_quoted_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = jinja2.DictLoader({"t": "value: [[ text ]]"})
    monkeypatch.setattr(rendering._environment(), "loader", loader)
    with pytest.raises(ValueError, match="would have to be quoted"):
        render("t", text=text)


def test_variables_are_not_expanded() -> None:
    assert unexpanded("$A $(B) $$") == "$$A $$(B) $$$$"
