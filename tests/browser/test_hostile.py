"""What a record holds is shown, and does nothing; and thousands of calls are no burden."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hostile_run import HOSTILE_CALLS

pytestmark = pytest.mark.browser

PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
LOADED = "performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart"
SCROLL = """async (box) => {
  const times = [];
  let last = performance.now();
  for (let step = 0; step < 120; step += 1) {
    box.scrollTop += 400;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  times.sort((one, other) => one - other);
  return [times[60], times[114]];
}"""


def test_a_hostile_run_of_thousands_of_calls(
    open_page: Any, hostile_page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No script, frame, picture or link of the record is one of the page's; first paint and scrolling are told."""
    page = open_page(hostile_page)
    painted, loaded = page.evaluate(PAINTED), page.evaluate(LOADED)
    table = page.evaluate(SCROLL, page.locator("#calls .rows").element_handle())
    whole = page.evaluate(SCROLL, page.evaluate_handle("document.scrollingElement"))
    page.locator("#calls-filter").fill("zero")
    assert "of 5,000" in page.locator("#calls-shown").inner_text()
    page.locator("#calls-filter").fill("")
    for place in (0, 7, 8, 9, 12):
        page.locator("#calls tbody button").nth(place).click()
        assert page.locator("article.call").count() == 1
    page.evaluate("document.querySelectorAll('details:not([open])').forEach((each) => (each.open = true))")
    page.wait_for_timeout(200)
    assert page.evaluate("[...document.scripts].filter((each) => !each.type).length") == 1
    assert page.locator("main iframe, main object, main embed, main script, main b, main style").count() == 0
    assert page.locator("a[href]:not([href^='#'])").count() == 0
    assert page.locator("img:not([src^='data:'])").count() == 0
    assert page.title() != "owned"
    size = hostile_page.stat().st_size
    with capsys.disabled():
        sys.stdout.write(
            f"\n{HOSTILE_CALLS:,} hostile calls, {size:,} bytes: first paint after {painted:.0f} ms, "
            f"all there after {loaded:.0f} ms; "
            f"frames while the table scrolls: p50 {table[0]:.1f} ms, p95 {table[1]:.1f} ms; "
            f"while the page does: p50 {whole[0]:.1f} ms, p95 {whole[1]:.1f} ms\n"
        )
