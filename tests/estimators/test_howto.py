"""The output shown on the page about scikit-learn."""

import doctest
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/howto/product-index-in-sklearn.md"


def test_the_page_shows_what_comes_out() -> None:
    # A fence ends an example's output, as an empty line does.
    text = re.sub(r"^```.*$", "", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    examples = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    result = doctest.DocTestRunner().run(examples)
    assert result.attempted > 20
    assert result.failed == 0
