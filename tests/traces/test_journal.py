"""Lines of a journal are whole, numbered and chained, whoever writes them, and none is lost without a word."""

import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachograph.traces import StoreError, survey
from tachograph.traces._journal import NO_LINE, Journal, Stamp, stamp_in
from tachograph.traces._otlp import LINE_LIMIT, SPAN_LIMIT, decode_line
from tachograph.traces._tracing import make_envelope

HERE = Path(__file__).parent


def span_bytes(name: str = "s", filler: int = 0) -> bytes:
    attributes = [{"key": "filler", "value": {"stringValue": "x" * filler}}] if filler else []
    return orjson.dumps({"traceId": "a" * 32, "spanId": "b" * 16, "name": name, "attributes": attributes})


def open_journal(path: Path) -> Journal:
    return Journal(path, make_envelope())


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def stamps_of(path: Path) -> list[Stamp]:
    """The stamps of all lines, each checked against the line before it; torn lines are passed over."""
    stamps, previous = [], NO_LINE
    for line in lines_of(path):
        try:
            stamp = stamp_in(decode_line(line))
        except ValueError:
            continue
        assert stamp is not None
        assert stamp.previous == previous
        previous = sha256(line).hexdigest()
        stamps.append(stamp)
    return stamps


def names_of(path: Path) -> list[str]:
    names: list[str] = []
    for line in lines_of(path):
        try:
            names.extend(span.name for span in decode_line(line))
        except ValueError:
            continue
    return names


def test_lines_are_numbered_and_chained(tmp_path: Path) -> None:
    """Each line says its number, how many calls were announced by then, and the hash of the line before."""
    path = tmp_path / "trace.jsonl"
    journal = open_journal(path)
    told = [journal.append(span_bytes(str(number)), announces_call=number % 2 == 1) for number in range(5)]
    journal.close()
    stamps = stamps_of(path)
    assert told == stamps
    assert [stamp.line for stamp in stamps] == [1, 2, 3, 4, 5]
    assert [stamp.calls for stamp in stamps] == [0, 1, 1, 2, 2]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_journal_is_gone_on_with(tmp_path: Path) -> None:
    """Another process, or a later one, continues the numbers and the chain."""
    path = tmp_path / "trace.jsonl"
    for start in range(3):
        journal = open_journal(path)
        for number in range(4):
            journal.append(span_bytes(f"{start} {number}"), announces_call=True)
        journal.close()
    assert [(stamp.line, stamp.calls) for stamp in stamps_of(path)] == [(n, n) for n in range(1, 13)]


def test_two_that_write_in_turns_share_one_chain(tmp_path: Path) -> None:
    """Each line of one follows from the line of the other."""
    path = tmp_path / "trace.jsonl"
    journals = [open_journal(path), open_journal(path)]
    for number in range(10):
        journals[number % 2].append(span_bytes(str(number)), announces_call=True)
    assert [stamp.line for stamp in stamps_of(path)] == list(range(1, 11))
    for journal in journals:
        journal.close()


def start_writers(path: Path, names: Iterable[int], count: int) -> list[subprocess.Popen[bytes]]:
    """Processes that begin to write at the same moment, as nearly as can be."""
    command = [sys.executable, str(HERE / "append_spans.py"), str(path)]
    writers = [
        subprocess.Popen([*command, str(name), str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for name in names
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        writer.stdout.close()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.close()
    return writers


def test_several_processes_append_at_once(tmp_path: Path) -> None:
    """Four processes write 500 lines each: all are there, each writer's in order, numbers 1 to N, calls counted right."""
    path = tmp_path / "trace.jsonl"
    writers = start_writers(path, range(4), 500)
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    stamps = stamps_of(path)
    assert [stamp.line for stamp in stamps] == list(range(1, 2001))
    names = names_of(path)
    for writer in range(4):
        own = [name for name in names if name.startswith(f"{writer} ")]
        assert own == [f"{writer} {number}" for number in range(500)]
    calls = 0
    for name, stamp in zip(names, stamps, strict=True):
        calls += int(name.split()[1]) % 3 == 0
        assert stamp.calls == calls
    switches = sum(one[0] != other[0] for one, other in itertools.pairwise(names))
    assert switches > 10, "the writers did not write at the same time"


def test_killed_writers_leave_whole_lines_or_one_torn_one(tmp_path: Path) -> None:
    """SIGKILL at any moment while four write: every line but a torn one is whole and in the chain, and others go on."""
    path = tmp_path / "trace.jsonl"
    for round_ in range(5):
        writers = start_writers(path, range(round_ * 4, round_ * 4 + 4), 100_000)
        size = path.stat().st_size if path.exists() else 0
        deadline = time.monotonic() + 30
        while (path.stat().st_size if path.exists() else 0) < size + 200_000:
            assert time.monotonic() < deadline
            os.sched_yield()
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        assert [writer.wait() for writer in writers] == [-signal.SIGKILL] * 4
    journal = open_journal(path)
    journal.append(span_bytes("after"))
    journal.close()
    stamps = stamps_of(path)
    assert [stamp.line for stamp in stamps] == list(range(1, len(stamps) + 1))
    assert names_of(path)[-1] == "after"


@given(cut=st.floats(0, 1), longer=st.booleans())
@settings(max_examples=60)
def test_a_torn_line_is_ended_by_the_next(
    tmp_path_factory: pytest.TempPathFactory, cut: float, *, longer: bool
) -> None:
    """Wherever a line was cut off, the next one is readable and follows from the last whole one."""
    path = tmp_path_factory.mktemp("run") / "trace.jsonl"
    journal = open_journal(path)
    journal.append(span_bytes("first", 900_000 if longer else 0), announces_call=True)
    whole = path.stat().st_size
    journal.append(span_bytes("second", 900_000 if longer else 0), announces_call=True)
    journal.close()
    data = path.read_bytes()
    size = whole + int(cut * (len(data) - whole))
    os.truncate(path, size)
    for name in ("third", "fourth"):
        journal = open_journal(path)
        journal.append(span_bytes(name), announces_call=True)
        journal.close()
    # A line that lacks nothing but its newline is whole.
    whole_names = ["first", "second"] if size >= len(data) - 1 else ["first"]
    assert names_of(path) == [*whole_names, "third", "fourth"]
    assert [stamp.line for stamp in stamps_of(path)] == list(range(1, len(whole_names) + 3))
    assert path.read_bytes().startswith(data[:size])
    found = survey(path)
    assert found.problems == []
    assert found.torn == (0 if size in (whole, len(data) - 1, len(data)) else 1)


def test_many_torn_lines_are_passed_over(tmp_path: Path) -> None:
    """Several megabytes of what killed writers left do not hide the last whole line from the next writer."""
    path = tmp_path / "trace.jsonl"
    journal = open_journal(path)
    journal.append(span_bytes("first"))
    journal.close()
    with path.open("ab") as file:
        for _ in range(4):
            file.write(b'{"resourceSpans":[' + b" " * 1_000_000 + b"\n")
        file.write(b'{"resour')
    journal = open_journal(path)
    assert journal.append(span_bytes("second")) == stamps_of(path)[-1]
    journal.close()
    assert names_of(path) == ["first", "second"]
    assert [stamp.line for stamp in stamps_of(path)] == [1, 2]


def test_a_journal_that_was_cut_shows_it(tmp_path: Path) -> None:
    """Somebody truncates a journal that is being written: the calls go on being recorded, and the gap shows."""
    path = tmp_path / "trace.jsonl"
    journal = open_journal(path)
    for number in range(5):
        journal.append(span_bytes(str(number)))
    whole = len(b"\n".join(lines_of(path)[:2])) + 1
    for size in (whole, whole - 10, 0):
        os.truncate(path, size)
        assert journal.append(span_bytes("later")) is not None
        assert names_of(path)[-1] == "later"
        assert survey(path).problems
    journal.close()


def test_lines_have_a_limit(tmp_path: Path) -> None:
    """A Collector cuts longer lines in two and drops both halves. What could not be written is refused at once."""
    journal = open_journal(tmp_path / "trace.jsonl")
    longest = SPAN_LIMIT - len(span_bytes("s", 1))
    journal.append(span_bytes("s", longest))
    assert len(lines_of(tmp_path / "trace.jsonl")[0]) < LINE_LIMIT
    with pytest.raises(StoreError, match="does not fit a line"):
        journal.append(span_bytes("s", longest + 100))
    assert journal.unwritten == 0
    journal.close()


def full_disk_report(path: Path, limit: int, *, freed: bool) -> dict[str, Any]:
    command = [sys.executable, str(HERE / "fill_disk.py"), str(path), str(limit), "yes" if freed else "no"]
    report: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    return report


@pytest.mark.parametrize("limit", [4500, 4501, 5000, 5555])
def test_lines_wait_for_a_disk_that_is_full(tmp_path: Path, limit: int) -> None:
    """What does not fit is kept in memory, said once, and written when there is room; no part of a line stays in the file."""
    path = tmp_path / "trace.jsonl"
    report = full_disk_report(path, limit, freed=True)
    count = report["written"].index(False)
    assert 0 < count < 20
    assert report["written"] == [True] * count + [False] * (20 - count)
    assert report["unwritten"] == 20 - count
    assert report["whole_lines_only"]
    assert report["written_later"] == [True] * 3
    assert report["error"] is None
    error, warning = report["logged"]
    assert error.startswith(f"ERROR: {path}: cannot be written, kept in memory for now: File too large")
    assert warning == f"WARNING: {path}: can be written again, nothing was lost"
    assert names_of(path) == [f"line {number}" for number in range(23)]
    assert [(stamp.line, stamp.calls) for stamp in stamps_of(path)] == [(n, n) for n in range(1, 24)]


def test_lines_that_never_found_room_are_an_error(tmp_path: Path) -> None:
    """Nothing is lost without a loud word: closing says how many lines are gone, and what to do."""
    path = tmp_path / "trace.jsonl"
    report = full_disk_report(path, 5000, freed=False)
    lost = report["unwritten"] + 3
    assert report["written_later"] == [False] * 3
    assert report["error"] == (
        f"{path}: {lost} lines could not be written and are lost; free some space on the disk before the next run"
    )
    assert len(report["logged"]) == 1
    assert [stamp.line for stamp in stamps_of(path)] == list(range(1, 23 - lost + 1))
    assert path.read_bytes().endswith(b"\n")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, where one may be mounted: by root, in a place where that is allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small file system is not allowed here; the tests with RLIMIT_FSIZE hold the same law")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_real_full_disk(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    """ENOSPC in the middle of a line, with a torn line at the end: nothing is lost, and nothing is written twice."""
    path, ballast = small_disk / "trace.jsonl", small_disk / "ballast"
    journal = open_journal(path)
    journal.append(span_bytes("first"))
    with path.open("ab") as file:
        file.write(b'{"torn')
    ballast.write_bytes(bytes(48 * 1024))
    names = []
    for number in range(100):
        names.append(f"line {number}")
        journal.append(span_bytes(names[-1], 500), announces_call=True)
    assert 0 < journal.unwritten < 100
    assert path.read_bytes().endswith(b"\n")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "No space left on device" in caplog.text

    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    names.append("last")
    assert journal.append(span_bytes("last")) is not None
    journal.close()
    assert names_of(path) == ["first", *names]
    assert [stamp.line for stamp in stamps_of(path)] == list(range(1, len(names) + 2))
    assert survey(path).torn == 1


def test_a_disk_that_is_full_from_the_start(small_disk: Path) -> None:
    """A torn line and no room at all: the first line that finds room stands on a line of its own."""
    path, ballast = small_disk / "trace.jsonl", small_disk / "ballast"
    page = os.sysconf("SC_PAGE_SIZE")
    torn = b'{"torn' + b"x" * (page - 6)
    path.write_bytes(torn)
    ballast.write_bytes(bytes(64 * 1024 - page))
    journal = open_journal(path)
    for number in range(3):
        assert journal.append(span_bytes(str(number))) is None
        assert path.read_bytes() == torn
    ballast.unlink()
    assert journal.append(span_bytes("3")) is not None
    journal.close()
    assert names_of(path) == ["0", "1", "2", "3"]


def test_stamps_are_numbers_and_hashes() -> None:
    """A line that was tampered with carries no stamp, rather than one that breaks its reader."""
    good = {"tachograph.journal.line": 1, "tachograph.journal.calls": 0, "tachograph.journal.previous": "0" * 64}

    def stamp(**changed: Any) -> Stamp | None:
        attributes = good | {f"tachograph.journal.{name}": value for name, value in changed.items()}
        encoded = [
            {"key": name, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
            for name, value in attributes.items()
        ]
        span = {"traceId": "a", "spanId": "b", "attributes": encoded}
        return stamp_in(decode_line(orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})))

    assert stamp() == Stamp(1, 0, "0" * 64)
    assert stamp(line="1") is None
    assert stamp(calls="x") is None
    assert stamp(previous=7) is None
