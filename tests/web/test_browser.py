"""The whole way of a visitor, in a real browser."""

from __future__ import annotations

import shutil
import socket
import threading
import time

import pytest

from fillbench.tests.web.kept_run import make_kept_run, png
from fillbench.web.app import create_app

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium: apt-get install chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    import uvicorn

    folder = make_kept_run(tmp_path_factory.mktemp("kept"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create_app([folder]), port=port, log_level="warning"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(params=[("light", 1280, True), ("dark", 390, True), ("light", 390, False)], ids=str)
def page(request, browser, address):
    """A laptop's and a phone's, light and dark, with JavaScript and without; what the policy refuses is an error."""
    scheme, width, script = request.param
    context = browser.new_context(
        base_url=address,
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
        java_script_enabled=script,
        accept_downloads=True,
    )
    opened = context.new_page()
    errors = []
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert not errors


def fits(page):
    """Whether nothing of the page lies beyond the right edge; tables scroll within it."""
    box = page.locator("main").bounding_box()
    return box["x"] >= 0 and box["x"] + box["width"] <= page.viewport_size["width"]


def test_a_visitor_compares_classifies_and_generates(page, tmp_path):
    page.goto("/")
    assert fits(page)
    page.get_by_role("link", name="digits: filling").click()
    page.get_by_role("link", name="Compare").click()
    page.get_by_label("Arm").select_option("dcgan")
    page.get_by_label("beside").select_option("smote")
    page.get_by_role("button", name="Show").click()
    assert "first=smote" in page.url
    assert page.get_by_role("heading", level=1).inner_text() == "dcgan beside smote"
    assert fits(page)

    page.get_by_role("link", name="Play").click()
    assert "What none misses" in page.inner_text("h1")
    page.get_by_role("link", name="Classify").click()
    (tmp_path / "good.png").write_bytes(png())
    (tmp_path / "bad.png").write_bytes(png()[:200])
    page.get_by_label("Files").set_input_files([tmp_path / "good.png", tmp_path / "bad.png"])
    page.get_by_role("button", name="Classify").click()
    assert page.get_by_role("heading", name="good.png").is_visible()
    assert "is not an image" in page.get_by_role("alert").inner_text()
    assert fits(page)

    page.get_by_role("link", name="Generate", exact=True).click()
    page.get_by_label("Arm").select_option("smote")
    page.get_by_label("How many").fill("10")
    page.get_by_role("button", name="Generate").click()
    page.get_by_text("10 of 10: 10 made").wait_for(timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as PNG").click()
    assert download.value.suggested_filename == "examples.zip"
    assert fits(page)


def test_all_of_it_can_be_reached_by_the_keyboard(page):
    page.goto("/runs/mine/generate")
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.name || document.activeElement.textContent.trim()"))
    assert {"Runs", "Compare", "arm", "label", "count", "seed", "Generate"} <= reached
