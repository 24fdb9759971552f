"""The trace and the terminal, played: by mouse, by keys alone, and by ear."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring.pages import read_page, render_page
from tachograph.scoring.pages._terminal import read_terminal
from tests.record_exported_run import RUN, record

pytestmark = pytest.mark.browser

NOW = "document.querySelector('#replay .moment').textContent"
CHOSEN = "document.querySelector('#replay .details h3').textContent"
MOVED = """() => new Promise((done) => {
  const look = () => (document.querySelector("#replay .scrubber").value > 0 ? done() : requestAnimationFrame(look));
  look();
})"""
SCREEN = "[...document.querySelectorAll('#terminal .line')].map((line) => line.textContent).join('\\n').trimEnd()"


def _span(place: int, start: float, end: float | None, **others: Any) -> dict[str, Any]:
    span = {"id": f"{place:016x}", "parent": None, "kind": "tool", "name": f"span {place}", "start_ms": start}
    return span | {"end_ms": end, "lane": place % 9, "error": None, "attributes": [], "call": None} | others


def _page(folder: Path, spans: list[dict[str, Any]], *events: Any) -> Path:
    """A page of ten seconds with these spans, and what a terminal of 20 columns showed."""
    cast = folder / "terminal.cast"
    header = {"version": 2, "width": 20, "height": 4}
    cast.write_text("".join(json.dumps(line) + "\n" for line in [header, *events]))
    record(folder / "runs")
    made = read_page(folder / "runs" / RUN)
    terminal, _ = read_terminal(cast, 1000.0)
    document = made.document | {"spans": spans, "terminal": terminal, "wall_ms": 10_000.0}
    page = folder / "page.html"
    page.write_bytes(render_page(document, made.bodies))
    return page


@pytest.fixture
def page(tmp_path: Path, open_page: Any) -> Any:
    """Three spans, two of which begin together, and a terminal that shows one line after the other."""
    spans = [
        _span(0, 0, 10_000, kind="run", name="the run"),
        _span(1, 2000, 4000, name="first", error="it broke"),
        _span(2, 2000, None, name="<b>second</b>", attributes=[("key", "</script>")]),
    ]
    written = [[0, "o", "one\r\n"], [2, "o", "\x1b[31mtwo\x1b[m 漢!\r\n"], [4, "o", "\x1b[?1049h\x1b[Hinside"]]
    return open_page(_page(tmp_path, spans, *written))


def test_keys(page: Any) -> None:
    """Each key does what the help says, wherever the focus is that has no use for it."""
    said = []
    for key in ["ArrowRight", "ArrowRight", ".", ",", "ArrowLeft", "ArrowLeft"]:
        page.keyboard.press(key)
        said.append((page.evaluate(NOW).partition(" /")[0], page.evaluate(CHOSEN)))
    assert said == [
        ("t = 2.00 s", "first"),
        ("t = 2.00 s", "<b>second</b>"),
        ("t = 2.10 s", "<b>second</b>"),
        ("t = 2.00 s", "<b>second</b>"),
        ("t = 2.00 s", "first"),
        ("t = 0 ms", "the run"),
    ]
    page.keyboard.press(" ")
    assert page.locator("#replay .play").text_content() == "Pause"
    page.evaluate(MOVED)
    page.keyboard.press(" ")
    assert page.locator("#terminal .play").text_content() == "Play"
    page.locator("#replay button", has_text="Fit").focus()
    page.keyboard.press("End")
    assert page.evaluate(NOW) == "t = 10.00 s / 10.00 s"
    page.keyboard.press("Home")
    assert page.evaluate(NOW) == "t = 0 ms / 10.00 s"


def test_controls_keep_their_keys(page: Any) -> None:
    """The slider goes by itself on the arrows; what is typed into a field is text."""
    page.locator("#replay .scrubber").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(NOW) == "t = 1 ms / 10.00 s"
    page.locator("#calls input").first.focus()
    page.keyboard.type("a, b.")
    assert page.evaluate(NOW) == "t = 1 ms / 10.00 s"
    assert page.locator("#calls input").first.input_value() == "a, b."


def test_the_terminal_follows_the_clock(page: Any) -> None:
    """Both ways, with its colours, and without what the run before or after it did not show."""
    shown = []
    for moment in (999, 1000, 3000, 5000, 3500, 0):
        page.locator("#terminal .scrubber").fill(str(moment))
        shown.append(page.evaluate(SCREEN))
    assert shown == ["", "one", "one\ntwo 漢!", "inside", "one\ntwo 漢!", ""]
    page.locator("#replay .scrubber").fill("3000")
    red = page.locator("#terminal .line span", has_text="two").evaluate("(run) => getComputedStyle(run).color")
    assert red == "rgb(242, 119, 122)"


def test_a_chosen_span_is_said(page: Any) -> None:
    """Once, politely, when it was asked for; its text stays text, and the table tells the same."""
    page.locator("#replay summary", has_text="All spans as a table (3)").click()
    page.locator("#replay .spans button", has_text="second").click()
    said = page.locator("#replay [aria-live=polite]").first.text_content()
    assert said == "tool <b>second</b>, at 2.00 s, not ended"
    assert page.locator("#replay .attributes td").text_content() == "</script>"
    page.locator("#replay .spans button", has_text="first").click()
    assert page.locator("#replay .failure").text_content() == "Error: it broke"


def test_a_click_chooses_a_bar_and_zoom_moves_them(page: Any) -> None:
    """The bar under the pointer, before and after the zoom."""
    canvas = page.locator("#replay canvas")
    width = canvas.bounding_box()["width"]
    lane = "22 + 1.5 * Math.round(Math.min(22, 400 / 3))"
    y = page.evaluate(lane)
    canvas.click(position={"x": width * 0.3, "y": y})
    assert page.evaluate(CHOSEN) == "first"
    for _ in range(2):
        page.get_by_role("button", name="Zoom in").click()
    canvas.click(position={"x": width * 0.05, "y": y - 22})
    assert page.evaluate(CHOSEN) == "the run"
    canvas.click(position={"x": width * 0.9, "y": y})
    assert page.evaluate(CHOSEN) == "first"


def test_thousands_of_spans_and_pictures_play(tmp_path: Path, open_page: Any) -> None:
    """They are drawn, sought in and stepped through; how quickly is printed."""
    spans = [_span(place, place * 2.0, place * 2.0 + 30) for place in range(5000)]
    events = [[place * 0.034, "o", f"\r{place}"] for place in range(10_000)]
    page = open_page(_page(tmp_path, spans, *events))
    seeks = page.evaluate(
        """() => Array.from({ length: 100 }, (_, turn) => {
          const slider = document.querySelector("#replay .scrubber");
          const begin = performance.now();
          slider.value = (turn * 7919) % 10000;
          slider.dispatchEvent(new Event("input"));
          return performance.now() - begin;
        }).sort((one, other) => one - other)"""
    )
    sys.stdout.write(f"\n5,000 spans: a seek takes {seeks[50]:.1f} ms, at most {seeks[-1]:.1f} ms\n")
    page.locator("#replay .scrubber").fill("9000")
    assert page.evaluate(CHOSEN) == "span 4500"
    assert page.evaluate(SCREEN) == str(int(8000 / 34))


def test_no_motion_for_those_who_want_none(tmp_path: Path, open_page: Any) -> None:
    """Play goes on in steps of half a second."""
    page = open_page(_page(tmp_path, [_span(0, 0, 10_000)]))
    page.emulate_media(reduced_motion="reduce")
    page.keyboard.press(" ")
    page.evaluate(MOVED)
    assert page.evaluate("Number(document.querySelector('#replay .scrubber').value)") >= 500
