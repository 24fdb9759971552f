"""The table of calls when there are thousands, its keys, and what a text of the record may hide."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

FOCUSED = "document.activeElement.getAttribute('aria-label')"


def test_only_the_rows_near_what_is_seen_are_there(open_page: Any, hostile_page: Path) -> None:
    """At the start and at the end of 5,000, which the keyboard reaches."""
    page = open_page(hostile_page)
    rows = page.locator("#calls tbody button")
    assert 10 < rows.count() < 100
    rows.first.focus()
    page.keyboard.press("End")
    assert page.evaluate(FOCUSED) == "Open call 5000"
    assert 10 < rows.count() < 100
    page.keyboard.press("ArrowUp")
    assert page.evaluate(FOCUSED) == "Open call 4999"
    page.keyboard.press("Home")
    page.keyboard.press("PageDown")
    assert page.evaluate(FOCUSED) not in ("Open call 1", "Open call 2")


def test_closing_a_call_goes_back_to_its_row(open_page: Any, hostile_page: Path) -> None:
    """Who works by keyboard goes on where the table was left."""
    page = open_page(hostile_page)
    page.locator("#calls tbody button").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert "5,000 of 5,000" in page.locator("article.call h3").first.inner_text()
    page.locator("article.call header").get_by_text("Close").click()
    assert page.locator("article.call").count() == 0
    assert page.evaluate(FOCUSED) == "Open call 5000"


def test_only_failed_calls(open_page: Any, hostile_page: Path) -> None:
    """A quick filter tells how many there are, and shows as many."""
    page = open_page(hostile_page)
    button = page.locator("#calls [data-only=failed]")
    many = button.inner_text().removeprefix("Failed ")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert page.locator("#calls [role=status]").first.inner_text() == f"{many} of 5,000 shown"


@pytest.mark.parametrize(("text", "shown"), [("a\u202eb", "aU+202Eb"), ("a\x1b[1m", "aESC[1m"), ("a\r\nb", "a\r\nb")])
def test_what_would_not_show_is_shown(open_page: Any, run_page: Path, text: str, shown: str) -> None:
    """Marks of direction and controls by name; a line's end stays one."""
    page = open_page(run_page)
    assert page.evaluate("(text) => element('p', {}, recorded(text)).textContent", text) == shown


def test_what_is_open_outlives_a_live_reload(open_page: Any, run_page: Path) -> None:
    """The open call and what is unfolded are as before when the page is made again."""
    page = open_page(run_page)
    held = page.evaluate(
        """async () => {
          const state = new Map();
          const view = show(embedded("document"), state);
          openCall(view, 1);
          document.getElementById("axis-tokens").open = true;
          await new Promise((done) => setTimeout(done, 50));
          show(embedded("document"), state);
          return [document.querySelectorAll("article.call").length, document.getElementById("axis-tokens").open];
        }"""
    )
    assert held == [1, True]
