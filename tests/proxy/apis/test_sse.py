"""A stream of events is cut where it says, however it comes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.proxy.apis import EventSplitter, event_data, event_type, leading_type

ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
# Characters that other notions of a line end at: U+0085, U+2028, vertical tab, form feed, file separator.
texts = st.text(
    st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])
    | st.sampled_from("\u2028\u2029\x85\x0b\x0c\x1c")
)
fields = st.tuples(st.sampled_from([b"data: ", b"data:", b"event: ", b"id: ", b": ", b":", b"retry: "]), texts)


def streams() -> st.SearchStrategy[tuple[bytes, list[bytes]]]:
    """A stream, and its events, each without what ends it."""

    def build(end: bytes, events: list[list[tuple[bytes, str]]]) -> tuple[bytes, list[bytes]]:
        whole = [end.join(name + text.encode() for name, text in event) for event in events]
        return b"".join(event + end + end for event in whole), whole

    return st.builds(build, ends, st.lists(st.lists(fields, min_size=1, max_size=4), max_size=6))


def split(pieces: list[bytes]) -> list[bytes]:
    splitter = EventSplitter()
    events = [event for piece in pieces for event in splitter.feed(piece)]
    rest = splitter.flush()
    return [*events, rest] if rest else events


@given(streams(), st.lists(st.integers(0, 10**6), max_size=10))
def test_events_are_the_same_however_the_stream_is_cut_up(drawn: tuple[bytes, list[bytes]], places: list[int]) -> None:
    """Cut anywhere, inside UTF-8 and between CR and LF too, the events are those of the whole stream."""
    stream, events = drawn
    cuts = sorted({place % (len(stream) + 1) for place in places})
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    found = split(pieces)
    assert b"".join(found) == stream
    assert [event.rstrip(b"\r\n") for event in found] == [event.rstrip(b"\r\n") for event in events]
    assert [event_data(event) for event in found] == [event_data(event) for event in split([stream])]


@given(streams())
def test_events_byte_by_byte(drawn: tuple[bytes, list[bytes]]) -> None:
    """No cut between two bytes makes a difference."""
    stream, _ = drawn
    assert split([bytes([byte]) for byte in stream]) == split([stream])


@given(st.binary(max_size=200), st.integers(1, 9))
def test_any_bytes_joined_again_are_the_stream(stream: bytes, size: int) -> None:
    """Nothing is lost or made up, though it be no stream of events at all."""
    assert b"".join(split([stream[at : at + size] for at in range(0, len(stream), size)])) == stream


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n", b"\r\r\n"])
def test_an_event_is_had_with_its_last_byte(end: bytes) -> None:
    """Nobody waits for the next event to know that one is over."""
    splitter = EventSplitter()
    assert splitter.feed(b"data: x" + end) == [b"data: x" + end]


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: x\n\n", b"x"),
        (b"data:x\n\n", b"x"),
        (b"data:  x\n\n", b" x"),
        (b"data\n\n", b""),
        (b"data:\n\n", b""),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"data: a\r\ndata:b\r\rdata", b"a\nb\n"),
        (b"event: x\nid: 1\ndata: y\n\n", b"y"),
        (b"\ndata: x\n\n", b"x"),
        (b": data: x\n\n", None),
        (b": ping\n\n", None),
        (b"event: ping\n\n", None),
        (b"data : x\n\n", None),
        (b"datax: y\n\n", None),
        (b" data: x\n\n", None),
        (b"\n\n", None),
        (b"", None),
        (b"data: : keepalive\n\n", b": keepalive"),
    ],
)
def test_the_data_of_an_event(event: bytes, data: bytes | None) -> None:
    """Lines joined by LF, one space after the colon taken off; None where no line has data."""
    assert event_data(event) == data


def test_line_separators_of_other_standards_end_no_line() -> None:
    """JSON may hold U+2028 raw: `str.splitlines` would cut an event in two there."""
    said = json.dumps({"content": "\u2028\u2029\x85"}, ensure_ascii=False).encode()
    (event,) = split([b"data: " + said + b"\n\n"])
    assert event_data(event) == said


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (b"event: error\ndata: x\n\n", b"error"),
        (b"event:error\r\n\r\n", b"error"),
        (b"data: event: error\n\n", b""),
        (b"event: a\nevent: b\n\n", b"b"),
        (b"data: x\n\n", b""),
    ],
)
def test_the_type_of_an_event(event: bytes, kind: bytes) -> None:
    """The last one told; empty if none is."""
    assert event_type(event) == kind


def test_what_has_begun() -> None:
    """The beginning of an event can be looked at, if it is short, and stays where it is."""
    splitter = EventSplitter()
    splitter.feed(b"data: a\n\ndata: b")
    assert splitter.begun(7) == b"data: b"
    assert splitter.begun(6) == b""
    assert splitter.feed(b"\n\n") == [b"data: b\n\n"]
    assert splitter.begun(7) == b""


def test_a_large_event_in_many_pieces_is_not_searched_again_and_again() -> None:
    """Work grows with the bytes that come, not with their square: 4 MB in pieces of 64 bytes is no matter of minutes."""
    splitter, piece = EventSplitter(), b"x" * 64
    for _ in range(2**16):
        assert splitter.feed(piece) == []
    assert len(splitter.feed(b"\n\n")[0]) == 2**22 + 2


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_what_has_begun_and_ended_its_line(end: bytes) -> None:
    """However long it is: an agent that reads lines has it."""
    splitter = EventSplitter()
    splitter.feed(b"event: a" + end + b"data: " + b"x" * 100)
    assert splitter.begun(64) == b""
    splitter.feed(end)
    assert splitter.begun(64) == b"event: a" + end + b"data: " + b"x" * 100 + end


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (b"event: a.b_c\ndata: {}\n\n", b"a.b_c"),
        (b"event:a\r\n\r\n", b"a"),
        (b"event: a\r\r", b"a"),
        (b"event: a", b""),
        (b"data: {}\nevent: a\n\n", b""),
        (b": x\n\n", b""),
        (b"event: a b\n\n", b""),
        (b"", b""),
    ],
)
def test_the_type_in_the_first_line(event: bytes, kind: bytes) -> None:
    """Where it stands there whole it is that of the event; where it does not the event has to be read."""
    assert leading_type(event) == kind
    assert kind in (b"", event_type(event))
