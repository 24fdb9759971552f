"""The lines of a diff add up, whatever the texts."""

import random
import re
import time
from collections.abc import Iterator
from itertools import zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.workdir._lines import lines_of, text_diff

_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@\n")
some_lines = st.sampled_from(
    [b"", b"a", b"b", b"c", b"}", b"x" * 50, b"\r", b"\x0b", b"\\ No newline", b"--- a", b"@@ -1 +1 @@"]
)
texts = st.builds(
    lambda lines, end: b"\n".join(lines) + end, st.lists(some_lines, max_size=30), st.sampled_from([b"", b"\n"])
)


def signed_lines(hunks: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each line of hunks as its sign and its text; where it says that there is no newline, without one."""
    lines = lines_of(hunks)
    for line, following in zip_longest(lines, lines[1:], fillvalue=b""):
        if not line.startswith(b"\\"):
            yield line[:1], line[1:].removesuffix(b"\n") if following.startswith(b"\\") else line[1:]


def apply_hunks(text: bytes, hunks: bytes) -> bytes:
    """A patch program in a few lines: it checks each line that it passes or removes."""
    old, new, at = lines_of(text), list[bytes](), 0
    for sign, line in signed_lines(hunks):
        if sign == b"@":
            match = _HUNK.fullmatch(sign + line)
            assert match is not None
            start = int(match[1]) - (match[2] != b"0")
            new += old[at:start]
            at = start
        elif sign == b"+":
            new.append(line)
        else:
            assert old[at] == line
            new += [line] if sign == b" " else []
            at += 1
    return b"".join(new + old[at:])


@given(before=texts, after=texts)
def test_the_hunks_make_the_one_text_of_the_other(before: bytes, after: bytes) -> None:
    """And the counts are those of the lines that begin with + and -, and of their bytes."""
    found = text_diff(before, after)
    assert apply_hunks(before, found.hunks) == after
    signed = list(signed_lines(found.hunks))
    added = [line for sign, line in signed if sign == b"+"]
    removed = [line for sign, line in signed if sign == b"-"]
    assert (found.lines_added, found.bytes_added) == (len(added), sum(map(len, added)))
    assert (found.lines_removed, found.bytes_removed) == (len(removed), sum(map(len, removed)))
    assert found.bytes_added - found.bytes_removed == len(after) - len(before)


@given(text=texts)
def test_equal_texts_have_no_diff(text: bytes) -> None:
    """Nothing added, nothing removed, no hunks; from nothing, all lines are added, and to nothing, removed."""
    found = text_diff(text, text)
    assert (found.lines_added, found.lines_removed, found.hunks) == (0, 0, b"")
    from_nothing, to_nothing = text_diff(b"", text), text_diff(text, b"")
    assert (from_nothing.lines_added, from_nothing.lines_removed) == (len(lines_of(text)), 0)
    assert (to_nothing.lines_added, to_nothing.lines_removed) == (0, len(lines_of(text)))


def test_lines_end_at_newlines_only() -> None:
    """Carriage returns, form feeds and Unicode's separators are part of a line; a last line needs no newline."""
    assert lines_of(b"a\r\nb\x0cc\xe2\x80\xa8d\n\ne") == [b"a\r\n", b"b\x0cc\xe2\x80\xa8d\n", b"\n", b"e"]
    assert lines_of(b"") == []
    assert lines_of(b"\n") == [b"\n"]


def test_the_form_is_that_of_a_unified_diff() -> None:
    """Three lines of context, hunks that come near are one, and a missing newline is told."""
    before = b"".join(b"%d\n" % number for number in range(1, 21))
    after = before.replace(b"\n2\n", b"\ntwo\n").replace(b"\n9\n", b"\n").removesuffix(b"\n")
    assert text_diff(before, after).hunks == (
        b"@@ -1,12 +1,11 @@\n 1\n-2\n+two\n 3\n 4\n 5\n 6\n 7\n 8\n-9\n 10\n 11\n 12\n"
        b"@@ -17,4 +16,4 @@\n 17\n 18\n 19\n-20\n+20\n\\ No newline at end of file\n"
    )
    assert text_diff(b"", b"a").hunks == b"@@ -0,0 +1 @@\n+a\n\\ No newline at end of file\n"
    assert text_diff(b"a\n", b"").hunks == b"@@ -1 +0,0 @@\n-a\n"


def test_what_stays_is_found() -> None:
    """One line changed among many equal ones is one line; a block that moved is that block, removed and added."""
    same = [b"}\n", b"\n"] * 2000
    found = text_diff(b"".join(same), b"".join([*same[:1500], b"new\n", *same[1500:]]))
    assert (found.lines_added, found.lines_removed) == (1, 0)
    same[100:101] = [b"here\n"]
    found = text_diff(b"".join(same), b"".join([*same[:1500], b"new\n", *same[1501:3000], *same[3002:]]))
    assert (found.lines_added, found.lines_removed) == (1, 3)
    numbers = [b"%d\n" % number for number in range(5000)]
    found = text_diff(b"".join(numbers), b"".join(numbers[:10] + numbers[20:4000] + numbers[10:20] + numbers[4000:]))
    assert (found.lines_added, found.lines_removed) == (10, 10)


@pytest.mark.parametrize("kinds", [1, 2, 20, 1000, 10**9])
def test_the_time_is_bounded(kinds: int) -> None:
    """Two texts of 30,000 lines that have next to nothing in common, whatever repeats in them, take seconds at most."""
    random.seed(kinds)
    before, after = (b"".join(b"%d\n" % random.randrange(kinds) for _ in range(30_000 + more)) for more in (0, 500))
    started = time.process_time()
    found = text_diff(before, after)
    assert time.process_time() - started < 20
    assert apply_hunks(before, found.hunks) == after
