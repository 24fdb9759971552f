"""Finding, in what a check left behind, the results that can be trusted most."""

from collections.abc import Callable, Mapping
from typing import Final

from ._cargo import read_cargo
from ._cargo_json import read_cargo_json
from ._go import read_go_json
from ._go_text import read_go_text
from ._junit import find_junit, read_junit
from ._pytest import read_pytest
from ._report import Report
from ._unittest import read_unittest

__all__ = ["REPORT_FORMATS", "read_report"]

_Reader = Callable[[bytes, bytes], Report | None]
"""From standard output and standard error."""


def _unittest(stdout: bytes, stderr: bytes) -> Report | None:
    return read_unittest(stderr) or read_unittest(stdout)


_IN_OUTPUT: Final[Mapping[str, tuple[_Reader, ...]]] = {
    "go": (lambda out, _: read_go_json(out), lambda out, _: read_go_text(out)),
    "cargo": (read_cargo_json, read_cargo),
    "pytest": (lambda out, _: read_pytest(out),),
    "unittest": (_unittest,),
    "junit": (lambda out, _: find_junit(out),),
}
"""How each format is read from the output of a check, events before lines."""

REPORT_FORMATS: Final = tuple(sorted(_IN_OUTPUT))
"""What a task may name as the format of the results in its check's output."""
_UNASKED: Final = tuple(reader for name, readers in _IN_OUTPUT.items() if name != "junit" for reader in readers)
"""Tried if the task names none. Not JUnit, which no runner prints unless it is told to."""
_MOST_BYTES: Final = 64 * 2**20
"""Of an output or a file. A report in more than that is not looked for: it would take minutes and gigabytes."""
_NOTHING: Final = Report(None, None, None)


def read_report(stdout: bytes, stderr: bytes, files: Mapping[str, bytes], promised: str | None = None) -> Report:
    """The results of tests in what a check left behind.

    Args:
        stdout: all of it.
        stderr: all of it.
        files: reports that it wrote, by path.
        promised: what the task says: one of `REPORT_FORMATS`, to be found in the output; or a path, to be found in `files`.
            None: it says nothing, and whatever is found is taken: files first, then events, then lines.

    Returns:
        Format, tests and problem. Without a format nothing was found; that is a problem if something was promised.
    """
    if len(stdout) + len(stderr) > _MOST_BYTES or any(len(content) > _MOST_BYTES for content in files.values()):
        return _NOTHING._replace(problem=f"the check wrote more than {_MOST_BYTES:,} bytes: not searched for a report")
    if promised is None:
        found = [report for content in files.values() if (report := _read_file(content))]
        found = found or [report for read in _UNASKED if (report := read(stdout, stderr))]
        return max(found, key=lambda report: report.tests is not None, default=_NOTHING)
    if promised in _IN_OUTPUT:
        report = next((report for read in _IN_OUTPUT[promised] if (report := read(stdout, stderr))), None)
        return report or _NOTHING._replace(problem=f"the check's output holds no {promised} report")
    if promised not in files:
        return _NOTHING._replace(problem=f"the check left no report {promised}")
    return _read_file(files[promised]) or _NOTHING._replace(problem=f"{promised} is no report that is understood")


def _read_file(content: bytes) -> Report | None:
    """A report in a file of its own: XML, events, or what a runner printed."""
    return read_junit(content) or next((report for read in _UNASKED if (report := read(content, b""))), None)
