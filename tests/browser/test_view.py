"""`tachograph view`: a run is seen as it goes on."""

import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import RunStore
from tests.scoring.pages.conftest import Agent

pytestmark = pytest.mark.browser


@pytest.fixture
def viewed(tachograph: Any, tmp_path: Path) -> Iterator[tuple[str, Agent]]:
    """A run that goes on, and the address of its page."""
    agent = Agent(RunStore(tmp_path / "runs").open_run("seen"))
    agent.ask([{"role": "user", "content": "first"}], {"role": "assistant", "content": "yes"})
    process = tachograph.start("view", "seen", "--no-browser")
    yield process.stdout.readline().split(" ")[0], agent
    agent.close()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "")


def test_calls_appear_as_they_end(open_page: Any, viewed: tuple[str, Agent]) -> None:
    """Without a reload; the call that is open stays open, and the end of the run is seen."""
    address, agent = viewed
    page = open_page(address)
    page.locator("#calls tbody button").first.click()
    opened = page.locator("article.call").get_attribute("id")
    agent.ask([{"role": "user", "content": "second"}], {"role": "assistant", "content": "no"})
    page.get_by_role("heading", name="Model calls (2)").wait_for()
    assert page.locator("article.call").get_attribute("id") == opened
    assert page.locator("#head").get_by_text("running").count() == 1
    agent.close()
    page.locator("#head").get_by_text("running").wait_for(state="detached")


def test_the_list_of_runs_leads_to_each(open_page: Any, viewed: tuple[str, Agent]) -> None:
    """Those that go on are marked."""
    address, _ = viewed
    page = open_page(address.removesuffix("runs/seen/"))
    assert "running" in page.locator("tbody tr").first.inner_text()
    page.get_by_role("link", name="seen").click()
    page.get_by_role("heading", name="Model calls (1)").wait_for()


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("", "evil.example", 421),
        ("runs/seen/", "evil.example:80", 421),
        ("runs/..%2f..%2fetc/", None, 404),
        ("runs/../../etc/passwd", None, 404),
        ("runs/other/", None, 404),
        ("runs/seen/trace.jsonl", None, 404),
    ],
)
def test_nothing_else_is_served(viewed: tuple[str, Agent], path: str, host: str | None, status: int) -> None:
    """No other name of this machine, no other file, no way out of the folder."""
    address, _ = viewed
    base = address.removesuffix("runs/seen/")
    asked = urllib.request.Request(base + path, headers={"Host": host} if host else {})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=10)
    assert refused.value.code == status
    refused.value.close()
