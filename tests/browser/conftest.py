"""A real browser, and pages in it; whatever a page complains of, or asks the network for, fails the test that opened it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring.pages import read_page, render_page
from tests.hostile_run import HOSTILE_CALLS, record_hostile_run
from tests.record_exported_run import RUN, record

PARTS = Path(__file__).parents[2] / ".browser" / "node_modules"
"""What npm brings: axe-core and TypeScript."""


def part(name: str) -> Path:
    """A file of those parts; the test is skipped where they are not installed."""
    if not (PARTS / name).exists():
        pytest.skip(f"{name} is not installed: `make test-browser` does it")
    return PARTS / name


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium as the system has it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: `make test-browser`")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("chromium is not installed: `apt-get install chromium`")
    with playwright.sync_playwright() as started:
        # A browser that root starts, as in CI, wants no sandbox.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        made = started.chromium.launch(executable_path=chromium, args=arguments)
        yield made
        made.close()


def write_page(folder: Path, to: Path) -> Path:
    made = read_page(folder)
    to.write_bytes(render_page(made.document, made.bodies))
    return to


@pytest.fixture(scope="session")
def run_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with an agent, calls, messages, a check and scores."""
    place = tmp_path_factory.mktemp("run")
    record(place / "runs")
    return write_page(place / "runs" / RUN, place / "run.html")


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("hostile")
    return write_page(record_hostile_run(place / "runs", HOSTILE_CALLS), place / "hostile.html")


Open = Callable[..., Any]


def foreign(asked: str, url: str) -> list[str]:
    """What was asked for, if it is neither the page itself, nor in it, nor what a page that is served follows."""
    return [] if asked.startswith((url.partition("#")[0], "data:")) else [asked]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """Opens a file; at the end of the test nothing may have been complained of, and nothing asked for."""
    faults: list[str] = []
    contexts = []

    def show(place: Path | str, *, width: int = 1280, height: int = 900, scheme: str = "light", hash_: str = "") -> Any:
        size = {"width": width, "height": height}
        context = browser.new_context(viewport=size, color_scheme=scheme, permissions=["clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        url = place.as_uri() if isinstance(place, Path) else place
        page.on("console", lambda said: faults.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
        page.on("request", lambda asked: faults.extend(foreign(asked.url, url)))
        page.goto(url + hash_)
        return page

    yield show
    for context in contexts:
        context.close()
    assert faults == []
