"""The check of a page: all of its output, and its tests."""

from typing import Any

import pytest

from tachograph.scoring.pages import _check, page_document

CARGO = "\nrunning 2 tests\ntest a ... ok\ntest b ... FAILED\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\n\n"


def record_check(agent: Any, stdout: bytes, **attributes: Any) -> dict[str, Any]:
    recording = agent.recording
    with recording.span("check", "check t") as span:
        span.set_attributes(
            {
                "process.exit.code": 1,
                "tachograph.check.command": "cargo test",
                "tachograph.check.duration_ns": 1_500_000,
                "tachograph.check.stdout": recording.keep(stdout),
                "tachograph.check.stderr": recording.keep(b"warning\n"),
                **attributes,
            }
        )
    check: dict[str, Any] = page_document(agent.close())["check"]
    return check


def test_what_it_said(agent: Any) -> None:
    """Command, output and the result of each test."""
    check = record_check(agent, CARGO.encode(), **{"tachograph.check.set_aside": ("conftest.py",)})
    assert (check["command"], check["passed"], check["exit_code"], check["signal"]) == ("cargo test", False, 1, None)
    assert (check["stdout"], check["stderr"], check["duration_ms"]) == (CARGO, "warning\n", 1.5)
    assert check["report_format"] == "cargo"
    assert [(test["name"].rpartition("::")[2], test["outcome"]) for test in check["tests"][:2]] == [
        ("a", "passed"),
        ("b", "failed"),
    ]
    assert "left out of the check: conftest.py" in check["note"]


def test_what_is_no_text(agent: Any) -> None:
    """Colours stay as they were written, and bytes that are no UTF-8 read as a replacement: the page shows both as text."""
    check = record_check(agent, b"\x1b[31mred\xff\n")
    assert check["stdout"] == "\x1b[31mred\ufffd\n"


def test_a_long_output_is_cut(agent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so."""
    monkeypatch.setattr(_check, "_LONGEST", 10)
    check = record_check(agent, b"x" * 15)
    assert check["stdout"] == "x" * 10
    assert "5 more characters of standard output are not on the page" in check["note"]


def test_without_a_check(agent: Any) -> None:
    """None, with the reason: not a check that failed."""
    document = page_document(agent.close())
    assert document["check"] is None
    assert document["reasons"]["check"] == "no check was recorded"


def test_a_check_that_did_not_end(agent: Any) -> None:
    """It began: the page says that it was not finished, and gives no verdict."""
    recording = agent.recording
    with recording.span("check", "check t", attributes={"tachograph.check.command": "cargo test"}):
        journal = (recording.folder / "trace.jsonl").read_bytes()
    agent.close()
    (recording.folder / "trace.jsonl").write_bytes(journal)
    check = page_document(recording.folder)["check"]
    assert (check["passed"], check["exit_code"], check["stdout"]) == (None, None, None)
    assert "ended before it did" in check["note"]
