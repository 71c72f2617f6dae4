"""Names that lead elsewhere, names that are code, and a workspace that is somewhere else now."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.calling import SMALL, called
from tests.cli.till import delivered, delivery
from tests.hostile.registry.shop import LINES, Shop
from tests.hostile.scale import tried

ELSEWHERE = ("../outside", "../../outside", "/etc", "..", "a/../../outside", "%2e%2e/outside")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("evaluate", "--run"),
    ("register", "--run"),
    ("reproduce",),
    ("models", "show"),
    ("models", "approve"),
    ("export", "--version"),
    ("predict", str(LINES), "--out", "-", "--model"),
)
PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</script><svg onload=alert(1)>",
    "{{7*7}}{% raw %}",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "]]><!--",
)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: "-".join(words[:2])[:12])
def test_no_name_leads_out_of_a_workspace(
    template: Shop, tmp_path: Path, words: tuple[str, ...]
) -> None:
    shop, outside = template.copied(tmp_path / "w"), tmp_path / "outside"
    outside.mkdir()
    (outside / "training.json").write_text("{}")
    for name in ELSEWHERE[: tried(3, 9)]:
        outcome = shop.call(*words, name)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
    assert [path.name for path in outside.iterdir()] == ["training.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "w"]


def test_a_workspace_that_was_moved(template: Shop, tmp_path: Path) -> None:
    shop = Shop(tmp_path / "moved")
    shutil.move(template.copied(tmp_path / "w").folder, shop.folder)
    for words in (("models", "list"), ("models", "approve", "1"), ("models", "rollback")):
        assert shop.call(*words).code == 0
    assert shop.call("predict", LINES, "--out", tmp_path / "scores.csv").code == 0
    assert (shop.champion, shop.is_settled) == ("3", True)


@pytest.mark.skipif(tried(0, 1) == 0, reason="make hostile")
def test_names_in_the_data_are_text_in_the_report(tmp_path: Path) -> None:
    lines = delivery()
    for number, line in enumerate(lines):
        line["PROD_CODE"] = f"{PAYLOADS[int(line['PROD_CODE'][4])]}{line['PROD_CODE']}"
        line["STORE_REGION"] = PAYLOADS[number % len(PAYLOADS)]
        line["STORE_FORMAT"] = PAYLOADS[number % 3]
    raw = tmp_path / PAYLOADS[2]
    raw.mkdir()
    delivered(raw, lines)
    called("run", raw, "--workspace", tmp_path / "w", *SMALL)
    (report,) = (tmp_path / "w").glob("artifacts/*/report.html")
    page = report.read_text(encoding="utf-8")
    assert "alert(1)" in page
    assert "Content-Security-Policy" in page
    for code in ("<script>alert", "<img src=x", "<svg onload", "-alert(1)-'", 'href="javascript'):
        assert code not in page
