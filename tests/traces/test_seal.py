"""A sealed run shows what is missing from it and what was altered in it, and where."""

import itertools
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tachograph.traces import Call, RunStore, StoreError, Verification, verify
from tachograph.traces._bodies import PACK_NAME

Recorder = Callable[..., Call]
JOURNAL = "trace.jsonl"


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory, record: Recorder) -> Path:
    """A sealed run with four calls: 11 lines, the last one the seal, and eight bodies."""
    run = RunStore(tmp_path_factory.mktemp("runs")).open_run("sealed")
    for number in range(4):
        record(run, b'{"messages":[%b],"n":%d}' % (b'"word",' * 200, number), b'{"answer":%d}' % number)
    run.close()
    return run.folder


@pytest.fixture
def folder(sealed: Path, tmp_path: Path) -> Path:
    """A copy of the sealed run, to be damaged."""
    return Path(shutil.copytree(sealed, tmp_path / "sealed"))


def lines_of(folder: Path) -> list[bytes]:
    return (folder / JOURNAL).read_bytes().splitlines(keepends=True)


def with_lines(folder: Path, lines: list[bytes]) -> Verification:
    (folder / JOURNAL).write_bytes(b"".join(lines))
    return verify(folder)


def assert_damaged(result: Verification, *sentences: str) -> None:
    """Damaged, and each sentence is among the problems."""
    assert result.state == "damaged"
    for sentence in sentences:
        assert any(re.fullmatch(sentence, problem) for problem in result.problems), result.problems


def test_a_closed_run_is_sealed(folder: Path) -> None:
    """Nothing to say, and the counts are those of the seal."""
    result = verify(folder)
    assert (result.state, result.problems, result.notes) == ("sealed", (), ())
    assert result.survey.seal is not None
    assert (result.survey.seal.lines, result.survey.calls, result.survey.finished_calls) == (10, 4, 4)
    assert len(result.survey.body_hashes) == 8


def test_an_open_run_is_open(store: RunStore, record: Recorder, new_request: Callable[..., Any]) -> None:
    """While it is recorded, and after a kill: open, with a note of the calls that have not ended."""
    run = store.open_run("open")
    record(run)
    assert verify(run.folder).state == "open"
    run.start_call(new_request(), 1, "no room")
    assert verify(run.folder).notes == ("1 call(s) in flight",)
    run._opened.close()
    result = verify(run.folder)
    assert (result.state, result.problems) == ("open", ())
    assert result.notes == ("1 call(s) interrupted: the recorder ended before they did",)


@pytest.mark.parametrize("index", range(10))
def test_a_line_that_is_gone_shows(folder: Path, index: int) -> None:
    """The first, one in the middle, the last before the seal: the gap is named."""
    lines = lines_of(folder)
    del lines[index]
    assert_damaged(with_lines(folder, lines), rf"1 line is missing after line {index}", r"the seal says bytes .*")


def test_several_lines_that_are_gone_show(folder: Path) -> None:
    """How many, and where."""
    lines = lines_of(folder)
    del lines[3:6]
    assert_damaged(with_lines(folder, lines), r"3 lines are missing after line 3", r"the seal says bytes \d+, the .*")


def test_without_its_seal_a_run_is_not_sealed(folder: Path) -> None:
    """Who takes the seal away leaves a run that was never closed, and that is what it is called."""
    result = with_lines(folder, lines_of(folder)[:-1])
    assert (result.state, result.problems) == ("open", ())


def test_without_its_last_lines_a_run_is_not_sealed(folder: Path) -> None:
    """A chain alone does not show what is missing at its end; the missing seal does."""
    lines = lines_of(folder)
    for count in range(1, 11):
        assert with_lines(folder, lines[:count]).state == "open"


@pytest.mark.parametrize("index", range(9))
def test_two_lines_in_the_wrong_order_show(folder: Path, index: int) -> None:
    """Calls cannot be made to look as if they came in another order."""
    lines = lines_of(folder)
    lines[index], lines[index + 1] = lines[index + 1], lines[index]
    result = with_lines(folder, lines)
    assert_damaged(
        result,
        rf"1 line is missing after line {index}",
        rf"line {index + 1} stands again or out of order after line {index + 2}",
    )


@pytest.mark.parametrize("index", range(11))
def test_a_line_that_stands_again_shows(folder: Path, index: int) -> None:
    """A call cannot be counted twice."""
    lines = lines_of(folder)
    lines.insert(index, lines[index])
    number = index + 1
    assert_damaged(with_lines(folder, lines), rf"line {number} stands again or out of order after line {number}")


def test_a_line_of_another_run_shows(folder: Path, store: RunStore, record: Recorder) -> None:
    """A line that fits by its number does not fit by its hash."""
    other = store.open_run("other")
    record(other)
    other.close()
    lines = lines_of(folder)
    lines[2] = lines_of(other.folder)[2]
    assert_damaged(
        with_lines(folder, lines), r"line 2 is altered: line 3 holds another hash of it", r"line 3 is altered.*"
    )


def test_a_line_of_another_program_shows(folder: Path) -> None:
    """Valid OTLP in the middle of a journal, but not of this recorder."""
    lines = lines_of(folder)
    lines.insert(4, b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a","spanId":"b"}]}]}]}\n')
    assert_damaged(with_lines(folder, lines), r"the line after line 4 is not this journal's: it carries no number")


@given(line=st.integers(0, 10), where=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
@example(line=10, where=0.0, change=1)
@settings(max_examples=700)
def test_an_altered_byte_shows(sealed: Path, line: int, where: float, change: int) -> None:
    """Any byte of any line, the seal's own included, altered in any way: damaged, with the place."""
    lines = lines_of(sealed)
    altered = bytearray(lines[line])
    altered[int(where * (len(altered) - 1))] ^= change
    lines[line] = bytes(altered)
    copy = sealed.parent / "altered"
    shutil.copytree(sealed, copy, dirs_exist_ok=True)
    result = with_lines(copy, lines)
    assert result.state == "damaged"
    near = {f"line {number}" for number in (line, line + 1, line + 2)} | {"the seal"}
    assert any(name in problem for problem in result.problems for name in near)


def test_each_byte_of_the_seal_is_sealed(folder: Path) -> None:
    """No line after the seal holds its hash, so it holds its own: no byte of it may be another one."""
    lines = lines_of(folder)
    seal = lines[-1]
    shutil.rmtree(folder / "bodies")  # reading them takes most of the time
    for position in range(len(seal) - 1):
        for byte in {seal[position] ^ 1, ord("\n"), ord('"')} - {seal[position]}:
            lines[-1] = seal[:position] + bytes([byte]) + seal[position + 1 :]
            problems = with_lines(folder, lines).problems
            assert any("body" not in problem for problem in problems), (position, bytes([byte]))


def test_a_truncated_file_is_never_sealed(folder: Path) -> None:
    """Cut off at any byte: open, with a note of the torn line if there is one. Only the whole file is sealed."""
    data = (folder / JOURNAL).read_bytes()
    ends = list(itertools.accumulate(map(len, lines_of(folder))))
    for size in range(len(data) - 1, 0, -1):
        os.truncate(folder / JOURNAL, size)
        # All sizes near the end; of the many others, those where something may be special, and each 17th.
        if size > len(data) - 1500 or size % 17 == 0 or {size - 1, size, size + 1} & set(ends):
            result = verify(folder)
            assert (result.state, result.problems) == ("open", ())
            assert any("unfinished" in note for note in result.notes) is (size not in ends)


def test_lines_in_the_place_of_others_show(folder: Path) -> None:
    """What is no JSON any more is altered if the numbers go on after it, and left by a kill if they go on with it."""
    lines = lines_of(folder)
    altered = [*lines[:4], b"}" * len(lines[4][:-1]) + b"\n", *lines[5:]]
    assert_damaged(with_lines(folder, altered), r"1 line is altered after line 4: there is no JSON")
    assert_damaged(
        with_lines(folder, [*lines[:-1], lines[-1][:-2] + b"x\n"]), r"1 line is altered after line 10: there is no JSON"
    )


def test_a_killed_writers_torn_line_is_no_damage(store: RunStore, record: Recorder) -> None:
    """Wherever it was cut, even behind a brace: the next writer ends it, and the run is sealed over it with a note."""
    for cut in (1, 100, 300, -2, -3, -10):
        run = store.open_run(f"torn{cut}")
        record(run)
        path = run.folder / JOURNAL
        data = path.read_bytes()
        run._opened.close()
        last = data.rindex(b"\n", 0, -1) + 1
        path.write_bytes(data[: last + cut] if cut > 0 else data[:cut])
        run = store.open_run(f"torn{cut}")
        record(run, b"other")
        run.close()
        result = verify(run.folder)
        assert (result.state, result.problems) == ("sealed", ())
        assert result.notes[0] == "1 unfinished line(s), left by a writer that was killed while writing"


def test_what_comes_after_the_seal_unseals(folder: Path, record: Recorder) -> None:
    """A run that goes on is open until it is closed again; forged lines after the seal are damage."""
    again = RunStore(folder.parent).open_run("sealed")
    record(again)
    again._opened.close()
    assert verify(folder).state == "open"
    lines = lines_of(folder)
    assert_damaged(with_lines(folder, [*lines, lines[0]]), r"line 1 stands again or out of order after line 13")


def test_an_altered_body_shows(folder: Path) -> None:
    """Any byte of any record's frames altered: the body is named, and those that lean on it."""
    path = folder / "bodies" / PACK_NAME
    data = path.read_bytes()
    frames = [match.end() for match in re.finditer(rb'"stored":\d+}\n', data)]
    assert len(frames) == 8
    for start in frames:
        path.write_bytes(data[: start + 6] + bytes([data[start + 6] ^ 0xFF]) + data[start + 7 :])
        result = verify(folder)
        assert_damaged(result, rf"{re.escape(str(path))}: the record of body [0-9a-f]{{64}} is damaged: .*")


def test_a_missing_body_shows(folder: Path) -> None:
    """A body that was cut out of the pack, the whole pack, or the folder: each body that is gone is named."""
    path = folder / "bodies" / PACK_NAME
    data = path.read_bytes()
    last = data.rindex(b'{"sha256":"')
    digest = data[last + 11 : last + 75].decode()
    path.write_bytes(data[:last])
    assert verify(folder).problems == (f"body {digest} is missing",)
    path.write_bytes(data[:-20])
    (problem,) = verify(folder).problems
    assert (
        problem
        == f"body {digest} is missing; bytes [({last}, {len(data) - 20})] of the pack hold no record that can be read"
    )
    path.unlink()
    assert len(verify(folder).problems) == 8
    path.parent.rmdir()
    assert_damaged(verify(folder), r"body [0-9a-f]{64} is missing")


def test_a_pack_of_a_newer_version_is_told(folder: Path) -> None:
    """It cannot be read here, which is not to say that it is whole."""
    path = folder / "bodies" / PACK_NAME
    path.write_bytes(path.read_bytes().replace(b'bodies":2', b'bodies":3', 1))
    assert_damaged(verify(folder), r".*written by a newer tachograph \(format 3\).*")


def test_bodies_that_were_lost_with_a_word_are_not_missing(store: RunStore, new_request: Callable[..., Any]) -> None:
    """A call that says why its bodies could not be kept (a full disk) is no damage."""
    run = store.open_run("lost")
    run.start_call(new_request(), 1, "No space left on device")
    run.close()
    assert verify(run.folder).state == "sealed"


def test_a_newer_journal_is_refused_and_not_called_damaged(folder: Path) -> None:
    """A version that is not known here may have another chain."""
    run = folder / JOURNAL
    lines = (
        run.read_bytes().replace(b'format","value":{"intValue":"1"', b'format","value":{"intValue":"3"').splitlines()
    )
    first = re.sub(rb',\{"key":"tachograph.journal.check.*?\}\}', b"", lines[0])
    run.write_bytes(first + b"\n")
    with pytest.raises(StoreError, match=r"newer tachograph \(journal format 3\); update to verify it"):
        verify(folder)


def test_the_calls_in_the_seal_are_counted(store: RunStore, record: Recorder, new_request: Callable[..., Any]) -> None:
    """Announced and finished calls are told apart."""
    run = store.open_run("counted")
    record(run)
    run.start_call(new_request(), 1, "no room")
    seal = run.close()
    assert seal is not None
    assert (seal.calls, seal.finished_calls) == (2, 1)
    assert verify(run.folder).state == "sealed"
