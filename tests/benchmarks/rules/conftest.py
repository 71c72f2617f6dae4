"""Generated weekly files that reach as far as the rows need."""

import pytest

from basketwise.sampling import draw_lines
from benchmarks.rules.lines import Made, Source


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """86 weeks, 200607 to 200740, of 40 baskets each; 60 products; not to be changed."""
    folder = tmp_path_factory.mktemp("lgsr") / "raw"
    Made(draw_lines(baskets=3_440, seed=5, weeks=86, products=60)).write(folder)
    return Source(folder)
