"""What `cargo test -- --format json` prints: one event a line, the same on every toolchain that has the format."""

from collections.abc import Iterator
from typing import Any, Final

import orjson

from ._cargo import Part, put_together, started_programs
from ._report import Report, clip, plain_lines
from ._result import TestCase, TestOutcome

__all__ = ["read_cargo_json"]

_OUTCOMES: Final[dict[str, TestOutcome]] = {"ok": "passed", "failed": "failed", "ignored": "skipped"}
_TOTALS: Final = ("passed", "failed", "ignored", "measured")


def read_cargo_json(stdout: bytes, stderr: bytes = b"") -> Report | None:
    """The results in libtest's events, with names as `read_cargo` gives them; None if there are no events."""
    parts = list(_parts(stdout))
    if not parts:
        return None
    return put_together(parts, started_programs(plain_lines(stderr)), ())


def _parts(stdout: bytes) -> Iterator[Part]:
    part: Part | None = None
    for event in _events(stdout):
        kind, what = event["type"], event.get("event")
        if kind == "suite" and what == "started":
            if part:
                yield part
            part = Part(_count(event, "test_count"))
        elif part is None:
            continue
        elif kind == "suite":
            part.complete = part.agrees_with([_count(event, name) for name in _TOTALS])
            yield part
            part = None
        elif kind == "bench" or (isinstance(what, str) and what in _OUTCOMES):
            part.results.append(_case(event, "passed" if kind == "bench" else _OUTCOMES[str(what)]))
    if part:
        yield part


def _events(stdout: bytes) -> Iterator[dict[str, Any]]:
    for line in stdout.split(b"\n"):
        if line.startswith(b"{"):
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(event, dict) and event.get("type") in ("suite", "test", "bench"):
                yield event


def _case(event: dict[str, Any], outcome: TestOutcome) -> TestCase:
    seconds = event.get("exec_time")
    message = "\n".join(text for text in (event.get("message"), event.get("stdout")) if isinstance(text, str))
    return TestCase(
        name=str(event.get("name") or "unnamed"),
        outcome=outcome,
        seconds=seconds if isinstance(seconds, float) else None,
        message=clip(message) if outcome != "passed" else None,
    )


def _count(event: dict[str, Any], name: str) -> int:
    number = event.get(name)
    return number if type(number) is int else 0
