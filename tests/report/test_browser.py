"""The report in a real browser: it draws, fits a phone, complains about nothing, loads nothing."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from basketwise.report.html import render_html
from tests.report.example import example_report, impact_of

CHROMIUM = shutil.which("chromium")
ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

DARK = "--blink-settings=preferredColorScheme=0"
HEIGHTS = {"report.png": 11_100, "report-dark.png": 11_100, "report-phone.png": 17_400}
"""Pictures that are kept, and how much of the page they hold, in pixels."""

# Reads the page in a frame as wide as a phone, since a browser window cannot be that narrow.
PHONE = """<!DOCTYPE html><title>waiting</title>
<style>body {{ margin: 0; background: #888 }} iframe {{ border: 0; display: block }}</style>
<iframe width="360" height="{height}" srcdoc="{page}"></iframe><script>onload = () => {{
  const root = document.querySelector("iframe").contentDocument.documentElement;
  const box = root.querySelector(".classes")?.parentElement;
  document.title = `${{root.clientWidth}} of ${{root.scrollWidth}}`
    + (box ? `, classes ${{box.scrollWidth - box.clientWidth}} beyond` : "");
}}</script>"""


@dataclass(frozen=True)
class Visit:
    """What the browser made of a page."""

    dom: str
    complaints: list[str]
    requests: list[str]


def visit(page: Path, *options: str, size: str = "1280,4600") -> Visit:
    """Open a local page; requests are those that the page itself makes, not the browser."""
    profile = page.with_suffix(".profile")
    log = page.with_suffix(".net.json")
    done = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            f"--window-size={size}",
            "--enable-logging=stderr",
            f"--user-data-dir={profile}",
            f"--log-net-log={log}",
            *options,
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Visit(
        done.stdout,
        [line for line in done.stderr.splitlines() if ":CONSOLE" in line],
        requests_of_pages(log),
    )


def requests_of_pages(log: Path) -> list[str]:
    """Return the addresses that pages asked the network for; the browser's own have no origin."""
    urls = []
    for event in json.loads(log.read_text("utf-8"))["events"]:
        params = event.get("params", {})
        url, origin = str(params.get("url", "")), params.get("initiator", "not an origin")
        if re.match("(https?|wss?|ftp):", url) and origin != "not an origin":
            urls.append(url)
    return urls


def test_report_shows_its_verdict_and_asks_for_nothing(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render_html(example_report()), "utf-8")
    seen = visit(page, "--dump-dom")
    verdict = re.search(r'<h2 id="verdict-title">([^<]+)</h2>', seen.dom)
    assert verdict is not None
    assert verdict[1] == "Approved"
    assert seen.complaints == []
    assert seen.requests == []


def test_a_page_that_loads_or_complains_would_be_noticed(tmp_path: Path) -> None:
    loads = '<img src="http://127.0.0.1:9/x.png">'
    page = tmp_path / "loads.html"
    page.write_text(f"<!DOCTYPE html><title>x</title>{loads}", "utf-8")
    assert "http://127.0.0.1:9/x.png" in visit(page, "--dump-dom").requests

    page = tmp_path / "forbidden.html"
    page.write_text(render_html(example_report()).replace("<main", f"{loads}<main"), "utf-8")
    seen = visit(page, "--dump-dom")
    assert seen.requests == []
    assert any("Content Security Policy" in line for line in seen.complaints)


@pytest.mark.parametrize("hostile", [False, True])
def test_report_fits_a_phone(tmp_path: Path, hostile: bool) -> None:
    report = example_report(approved=hostile)
    if hostile:
        report["run"]["run_id"] = report["winner"]["model"] = "x" * 500
        report["run"]["command"] = report["verdict"]["headline"] = "y" * 900
        report["leaderboard"][0]["model"] = report["verdict"]["reasons"][0]["rule"] = "z" * 500
        impact_of(report)["assumptions"][0]["name"] = impact_of(report)["currency"] = "w" * 500
        report["data"]["split"]["strategy"] = report["lineage"]["git_commit"] = "v" * 500
        report["drivers"]["products"]["Low"][0]["prod_code"] = "u" * 500
        report["verdict"]["warnings"][0] = report["calibration"]["description"] = "t" * 900
        report["slices"][0]["rows"][3]["value"] = report["slices"][1]["column"] = "s" * 500
        report["splits"][1]["strategy"] = report["splits"][2]["reason"] = "r" * 900
        report["leaderboard"][4]["without"] = report["leaderboard"][6]["model"] = "q" * 500
        report["leaderboard"][0]["groups"][0] = report["lineage"]["code_hash"] = "p" * 500
    page = tmp_path / "phone.html"
    page.write_text(PHONE.format(page=html.escape(render_html(report)), height=800), "utf-8")
    title = re.search("<title>([^<]+)</title>", visit(page, "--dump-dom").dom)
    assert title is not None
    assert title[1] == "360 of 360, classes 0 beyond"


@pytest.mark.parametrize("name", HEIGHTS)
def test_screenshot_is_kept(tmp_path: Path, name: str) -> None:
    text, height = render_html(example_report()), HEIGHTS[name]
    if "phone" in name:
        text = PHONE.format(page=html.escape(text), height=height)
    page = tmp_path / "report.html"
    page.write_text(text, "utf-8")
    ARTIFACTS.mkdir(exist_ok=True)
    picture = ARTIFACTS / name
    picture.unlink(missing_ok=True)
    width = 500 if "phone" in name else 1280
    options = [DARK] if "dark" in name else []
    visit(page, f"--screenshot={picture}", *options, size=f"{width},{height}")
    with Image.open(picture) as image:
        assert image.size == (width, height)
        corner = image.convert("L").getpixel((2, 2))
        # Of many colours, all down the page: it is not blank.
        slabs = [
            image.crop((0, top, width, top + 1_500)) for top in range(0, height - 1_500, 1_500)
        ]
        assert all(len(slab.getcolors(maxcolors=1 << 24) or []) > 50 for slab in slabs)
    assert isinstance(corner, int)
    assert (corner < 40) == ("dark" in name)
