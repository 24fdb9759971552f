"""Who uses the page by keyboard or by ear can."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import part

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_violation(open_page: Any, run_page: Path, scheme: str) -> None:
    """By axe-core, with a call opened and everything unfolded."""
    page = open_page(run_page, scheme=scheme)
    page.locator("#calls tbody button").first.click()
    for _ in range(3):
        page.evaluate("document.querySelectorAll('details:not([open])').forEach((each) => (each.open = true))")
        page.wait_for_timeout(100)
    # Through the debugger: the page's own policy lets no other script in.
    page.evaluate(part("axe-core/axe.min.js").read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    told = [
        (violation["id"], violation["impact"], [node["target"] for node in violation["nodes"]][:3])
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert told == []
    assert len(found["passes"]) > 20
