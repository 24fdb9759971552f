"""A recording holds what the terminal showed, in a form that every asciicast player reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from tachograph.harness._cast import Cast
from tachograph.traces import StoreError


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def shown(path: Path) -> str:
    return "".join(text for _, _, text in lines_of(path)[1:])


def test_the_header_is_asciicast_v2_without_secrets(tmp_path: Path) -> None:
    """Of the environment only TERM and SHELL are recorded: a key in it must not come to rest in the file."""
    path = tmp_path / "terminal.cast"
    Cast(path, 80, 24, {"TERM": "xterm", "SHELL": "/bin/sh", "OPENAI_API_KEY": "secret"}).close()
    (header,) = lines_of(path)
    assert isinstance(header.pop("timestamp"), int)
    assert header == {"version": 2, "width": 80, "height": 24, "env": {"TERM": "xterm", "SHELL": "/bin/sh"}}


def test_a_split_character_comes_out_whole(tmp_path: Path) -> None:
    """However the bytes are cut, the text is the same; an event without text is not written."""
    text = "aé€😀\x1b[1mz\r\n\u2028"
    data = text.encode()
    for cut in range(len(data) + 1):
        path = tmp_path / f"{cut}.cast"
        cast = Cast(path, 80, 24, {})
        cast.write(data[:cut])
        cast.write(data[cut:])
        cast.close()
        assert shown(path) == text
    path = tmp_path / "bytes.cast"
    cast = Cast(path, 80, 24, {})
    for byte in data:
        cast.write(bytes([byte]))
    cast.close()
    assert shown(path) == text


def test_invalid_bytes_are_replaced(tmp_path: Path) -> None:
    """What is not UTF-8, or ends in the middle of a character, neither stops the recording nor makes it unreadable."""
    path = tmp_path / "terminal.cast"
    cast = Cast(path, 80, 24, {})
    cast.write(b"a\xffb\xf0\x9f")
    cast.close()
    assert shown(path) == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"


def test_each_event_is_on_disk_at_once(tmp_path: Path) -> None:
    """Whoever kills the recorder loses no more than the last word. Times are seconds and never run backwards."""
    path = tmp_path / "terminal.cast"
    cast = Cast(path, 80, 24, {})
    for number in range(5):
        cast.write(b"%d\n" % number)
        assert shown(path) == "0\n1\n2\n3\n4\n"[: 2 * number + 2]
    cast.close()
    times = [event[0] for event in lines_of(path)[1:]]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] < 10


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    """The record is the truth: another run cannot write over it."""
    path = tmp_path / "terminal.cast"
    path.write_text("precious")
    with pytest.raises(StoreError, match=r"terminal\.cast: File exists"):
        Cast(path, 80, 24, {})
    assert path.read_text() == "precious"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder that does not exist is an error with the file's name, not a silent loss."""
    with pytest.raises(StoreError, match=r"nowhere/terminal\.cast: No such file"):
        Cast(tmp_path / "nowhere" / "terminal.cast", 80, 24, {})
