"""A run's page in a real browser: every section, every control, and the keys."""

import os
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

SECTIONS = ("outcome", "identity", "time", "calls", "changes", "breakdown", "check", "rerun")


def test_every_section_is_there_and_in_the_menu(open_page: Any, run_page: Path) -> None:
    """In the order in which a reader asks, with links that lead to them."""
    page = open_page(run_page)
    shown = page.locator("main > section").evaluate_all("each => each.map((one) => one.id)")
    assert [name for name in shown if name in SECTIONS] == list(SECTIONS)
    links = page.locator("#menu a").evaluate_all("each => each.map((one) => one.hash)")
    assert links == [f"#{name}" for name in shown]


def test_a_call_opens_by_keyboard_and_by_link(open_page: Any, run_page: Path) -> None:
    """Enter on a row shows its messages; a link from elsewhere opens the same."""
    page = open_page(run_page)
    page.locator("#calls tbody button").first.focus()
    page.keyboard.press("Enter")
    opened = page.locator("article.call")
    assert opened.count() == 1
    assert opened.evaluate("each => each.contains(document.activeElement)")
    name = opened.get_attribute("id")
    other = open_page(run_page, hash_=f"#{name}")
    assert other.locator("article.call").get_attribute("id") == name


def test_calls_are_sorted_and_filtered(open_page: Any, run_page: Path) -> None:
    """Each heading sorts, there and back; what is searched for is told by number."""
    page = open_page(run_page)
    headings = page.locator("#calls thead th button")
    cells = page.locator("#calls thead th[aria-sort]")
    assert headings.count() == cells.count() > 7
    for place in range(headings.count()):
        before = cells.nth(place).get_attribute("aria-sort")
        headings.nth(place).click()
        after = cells.nth(place).get_attribute("aria-sort")
        assert (before, after) in {("none", "ascending"), ("ascending", "descending")}
    status = page.locator("#calls-shown")
    page.locator("#calls-filter").fill("nothing says this")
    assert status.inner_text().startswith("0 of")
    page.locator("#calls-filter").fill("")
    assert status.inner_text() == ""
    for name in ("failed", "retried", "all"):
        page.locator(f"[data-only={name}]").click()
        assert page.locator(f"[data-only={name}]").get_attribute("aria-pressed") == "true"


def test_raw_bodies_are_unpacked_when_asked_for(open_page: Any, run_page: Path) -> None:
    """As they were on the wire."""
    page = open_page(run_page)
    page.locator("#calls tbody button").first.click()
    page.locator("article.call summary").filter(has_text="Request").first.click()
    page.locator("article.call .body").get_by_text('"messages"').first.wait_for()


def test_the_theme(open_page: Any, run_page: Path) -> None:
    """Follows the system, unless it is chosen."""
    page = open_page(run_page, scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(colour)
    page.get_by_label("Theme").select_option("light")
    assert page.evaluate(colour) != dark


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 900, 1600])
def test_no_width_makes_the_page_scroll_sideways(
    open_page: Any, run_page: Path, tmp_path: Path, *, width: int, scheme: str
) -> None:
    """From a phone on; the picture is kept where TACHOGRAPH_SCREENSHOTS says."""
    page = open_page(run_page, width=width, scheme=scheme)
    page.locator("#calls tbody button").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    folder = Path(os.environ.get("TACHOGRAPH_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"run-{width}-{scheme}.png", full_page=True)
