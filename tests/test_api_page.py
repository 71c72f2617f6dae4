import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_of_the_python_api_is_that_of_the_docstrings() -> None:
    script = runpy.run_path(str(ROOT / "scripts/api_page.py"))
    written = script["PAGE"].read_text(encoding="utf-8")
    assert written == script["page"](), "run python scripts/api_page.py"
