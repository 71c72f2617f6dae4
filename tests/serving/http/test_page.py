"""The page at / in a real browser: it answers, loads nothing else, and anybody can use it."""

from __future__ import annotations

import http.client
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from basketwise.model.scoring import Model
from basketwise.serving.http.auth import Auth
from basketwise.serving.http.limits import Limits
from basketwise.serving.http.page.show import document
from basketwise.serving.http.served import Current, Served
from basketwise.serving.http.service import Service
from tests.serving.http.client import serving

CHROMIUM = shutil.which("chromium")
ARTIFACTS = Path(__file__).parents[3] / "test-artifacts"
TOKEN = "a-token-of-some-length"
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

CSV = "BASKET_ID,PROD_CODE,SPEND,QUANTITY\n7,PRD0900001,1.50,1\n8,PRD0900002,?,1\n"
MARKUP = "BASKET_ID,PROD_CODE,SPEND,QUANTITY\n<img src=x onerror=alert(1)>,<b>P</b>,1,1\n"


@pytest.fixture(scope="module")
def address(scorer: Model) -> Iterator[str]:
    current = Current(Served(scorer, "7", "ab" * 32, "Approved"))
    with serving(Service(current, Limits())) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, whose console has to stay empty and whose requests all go to its server."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(address)
    yield opened
    context.close()
    # A browser says by itself that an answer was no success.
    assert [text for text in complaints if "Failed to load resource" not in text] == []
    assert [url for url in asked if not url.startswith(f"{address}/")] == []


def test_the_page_is_one_document_that_may_ask_its_server_only() -> None:
    body, policy = document()
    assert b"/*style*/" not in body
    assert b"/*script*/" not in body
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(rb"""(?:src|href)=["'](?:https?:)?//""", body)


def test_the_page_needs_no_token_and_carries_its_policy(scorer: Model) -> None:
    service = Service(Current(Served(scorer)), Limits())
    with serving(service, auth=Auth(TOKEN)) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["Content-Security-Policy"] == document()[1]
        response.read()
        connection.request("GET", "/model/info")
        assert connection.getresponse().status == 401
        connection.close()


@needs_browser
def test_an_example_is_filled_in_and_classified_by_keyboard(page: Page) -> None:
    expect(page.get_by_text("version 7")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the form")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Till lines of whole baskets")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Fill in an example")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("An example is filled in.")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    title = page.get_by_role("heading", level=2)
    expect(title).to_have_text(re.compile("3 baskets: "))
    # A screen reader goes on at the answer.
    expect(title).to_be_focused()
    expect(page.get_by_role("article")).to_have_count(3)
    expect(page.get_by_role("table").first).to_contain_text("Adds to balance")
    expect(page.get_by_text("Answered by version 7")).to_be_visible()


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.get_by_role("button", name="Fill in an example").click()
    expect(page.get_by_role("status")).to_have_text("An example is filled in.")
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("article")).to_have_count(3)
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"serve-{scheme}.png", full_page=True)
    assert Axe().run(page).response["violations"] == []


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_list_of_routes(page: Page, address: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{address}/docs")
    expect(page.get_by_role("heading", level=1)).to_have_text("Routes of the server")
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"docs-{scheme}.png")
    assert Axe().run(page).response["violations"] == []


@needs_browser
def test_lines_that_cannot_be_used_are_named(page: Page) -> None:
    page.get_by_label("Till lines of whole baskets").fill(CSV)
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("heading", level=2)).to_have_text(re.compile("1 basket: 1 "))
    expect(page.get_by_text("1 line rejected: 1 spend_not_a_number")).to_be_visible()
    expect(page.get_by_text("Baskets without a usable line: 8")).to_be_visible()


@needs_browser
def test_what_is_wrong_is_told_and_how_to_fix_it(page: Page) -> None:
    page.get_by_role("button", name="Classify").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("There are no till lines.")
    expect(page.get_by_label("Till lines of whole baskets")).to_be_focused()
    page.get_by_label("Till lines of whole baskets").fill('{"baskets": 3}')
    page.get_by_role("button", name="Classify").click()
    expect(alert).to_contain_text("not an object with a list of 'baskets'")
    expect(alert).to_contain_text("Send {")


@needs_browser
def test_markup_in_lines_stays_text(page: Page) -> None:
    page.get_by_label("Till lines of whole baskets").fill(MARKUP)
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("article")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("article img, article b").count() == 0


@needs_browser
def test_a_file_is_filled_in(page: Page, tmp_path: Path) -> None:
    (tmp_path / "till.csv").write_text(CSV)
    page.get_by_label("Or choose a file").set_input_files(tmp_path / "till.csv")
    expect(page.get_by_role("status")).to_have_text("till.csv is filled in.")
    expect(page.get_by_label("Till lines of whole baskets")).to_have_value(CSV)


@needs_browser
def test_a_phone_is_wide_enough(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    page.get_by_role("button", name="Fill in an example").click()
    expect(page.get_by_role("status")).to_have_text("An example is filled in.")
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("article")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@needs_browser
def test_a_token_is_asked_for_where_there_is_one(browser: Browser, scorer: Model) -> None:
    service = Service(Current(Served(scorer)), Limits())
    with serving(service, auth=Auth(TOKEN)) as port:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_label("Till lines of whole baskets").fill(CSV)
        page.get_by_role("button", name="Classify").click()
        expect(page.get_by_role("article")).to_have_count(1)
        assert page.evaluate("Object.keys(localStorage).length + document.cookie.length") == 0
        page.close()
