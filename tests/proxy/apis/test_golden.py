"""Samples of each API's bytes, in `tests/data`, are read as what stands beside them, however they are cut.

A sample is `API/NAME.sse`, a stream, or `API/NAME.json`, a whole answer. `API/NAME.expected.json` has the typed reading
(members that are left out are as an empty answer has them), and for a stream a text of the event with the first content
and one of the terminal event, where it has them.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.proxy import apis
from tachograph.proxy.apis import Answer, AnswerReader, Api, EventSplitter, TokenCounts, event_data, event_type
from tachograph.traces import ToolCall

DATA: Final = Path(__file__).parents[2] / "data"
APIS: Final[dict[str, Api]] = {api.name: api for name in apis.__all__ if isinstance(api := getattr(apis, name), Api)}
STREAMS: Final = sorted(DATA.glob("*/*.sse"))
WHOLE: Final = sorted(path for path in DATA.glob("*/*.json") if not path.name.endswith(".expected.json"))


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def expected(sample: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sample.with_suffix(".expected.json").read_text())
    return found


def answer_of(sample: Path) -> Answer:
    members = expected(sample)["answer"]
    if "tokens" in members:
        members["tokens"] = TokenCounts(**members["tokens"])
    members["finish_reasons"] = tuple(members.get("finish_reasons", ()))
    members["tool_calls"] = tuple(ToolCall(**call) for call in members.get("tool_calls", ()))
    return Answer(**members)


def stream_reader(sample: Path) -> AnswerReader:
    return APIS[sample.parent.name].stream_reader()


def whole_reader(sample: Path) -> AnswerReader:
    return APIS[sample.parent.name].whole_reader()


def read(reader: AnswerReader, *pieces: bytes) -> Answer:
    for piece in pieces:
        reader.feed(piece)
    return reader.finish()


def event_with(stream: bytes, text: str | None) -> tuple[int, int] | None:
    """Where the event with a text begins and ends."""
    start = 0
    for event in EventSplitter().feed(stream):
        if text is not None and text.encode() in event:
            return start, start + len(event)
        start += len(event)
    assert text is None
    return None


def test_each_api_has_samples() -> None:
    """An API that is added here gets samples; and a sample is of an API that is read."""
    assert {path.parent.name for path in (*STREAMS, *WHOLE)} == set(APIS)


@pytest.mark.parametrize("sample", STREAMS, ids=name_of)
def test_a_stream_cut_in_two_anywhere(sample: Path) -> None:
    """The reading is the same; content is seen with the event that brings it, and the end when an agent can see it."""
    stream, answer = sample.read_bytes(), answer_of(sample)
    content = event_with(stream, expected(sample).get("first_content"))
    terminal = event_with(stream, expected(sample).get("terminal"))
    for place in range(len(stream) + 1):
        reader = stream_reader(sample)
        reader.feed(stream[:place])
        assert reader.has_content == (content is not None and place >= content[1])
        if terminal is None or place <= terminal[0]:
            assert not reader.ended
        elif place == terminal[1]:
            assert reader.ended
        assert read(reader, stream[place:]) == answer
        assert reader.ended == (terminal is not None)


@pytest.mark.parametrize("sample", STREAMS, ids=name_of)
def test_a_stream_byte_by_byte(sample: Path) -> None:
    """No piece is too small."""
    stream = sample.read_bytes()
    assert read(stream_reader(sample), *(stream[at : at + 1] for at in range(len(stream)))) == answer_of(sample)


@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 8000), max_size=20), st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_stream_in_any_pieces_and_with_any_line_ends(sample: Path, places: list[int], end: str) -> None:
    """The reading hangs neither on the pieces, nor on how lines end, nor on comments between events."""
    stream = (
        sample.read_bytes().replace(b"\r\n", b"\n").replace(b"\n\n", b"\n\n: ping\n\n").replace(b"\n", end.encode())
    )
    cuts = [0, *sorted({min(place, len(stream)) for place in places}), len(stream)]
    pieces = [stream[start:stop] for start, stop in pairwise(cuts)]
    assert read(stream_reader(sample), *pieces) == answer_of(sample)


@pytest.mark.parametrize("sample", [path for path in STREAMS if "terminal" in expected(path)], ids=name_of)
def test_the_end_is_seen_before_the_blank_line(sample: Path) -> None:
    """An agent that reads line by line may hang up before the event is complete, unless only its data say its type."""
    stream = sample.read_bytes()
    terminal = event_with(stream, expected(sample)["terminal"])
    assert terminal is not None
    reader = stream_reader(sample)
    reader.feed(stream[: terminal[1]].rstrip(b"\r\n") + b"\n")
    told_by_data_alone = stream[terminal[0] :].startswith(b"data: {") and b"message_stop" not in stream[terminal[0] :]
    assert reader.ended != told_by_data_alone
    if reader.ended:
        assert reader.finish() == answer_of(sample)


@pytest.mark.parametrize("sample", STREAMS, ids=name_of)
def test_what_follows_the_end_changes_nothing(sample: Path) -> None:
    """The call is on disk by then."""
    reader = stream_reader(sample)
    reader.feed(sample.read_bytes())
    if reader.ended:
        reader.feed(b'event: error\ndata: {"type":"error","error":{"type":"late"}}\n\n')
        assert reader.finish() == answer_of(sample)


@pytest.mark.parametrize("sample", WHOLE, ids=name_of)
def test_a_whole_answer_cut_in_two_anywhere(sample: Path) -> None:
    """One object in however many pieces."""
    body, answer = sample.read_bytes(), answer_of(sample)
    for place in range(len(body) + 1):
        assert read(whole_reader(sample), body[:place], body[place:]) == answer


@pytest.mark.parametrize("sample", [*STREAMS, *WHOLE], ids=name_of)
def test_a_sample_cut_short_is_no_fault(sample: Path) -> None:
    """What came is read, wherever the rest was lost."""
    data = sample.read_bytes()
    for place in range(0, len(data), 7):
        assert read(stream_reader(sample), data[:place]) is not None
        assert read(whole_reader(sample), data[:place]) is not None


JUNK: Final[tuple[Any, ...]] = (None, True, -1, 7, 2.5, "x", "", [], [1], [[]], {}, {"type": 1}, {"error": []})


def spoiled(value: Any) -> Iterator[Any]:
    """A JSON value with each of its parts replaced by each kind of junk, one at a time; and without it."""
    yield from JUNK
    if isinstance(value, dict):
        for name, member in value.items():
            yield {key: kept for key, kept in value.items() if key != name}
            yield from ({**value, name: junk} for junk in spoiled(member))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from ([*value[:at], junk, *value[at + 1 :]] for junk in spoiled(item))


@pytest.mark.parametrize("sample", STREAMS, ids=name_of)
def test_no_member_of_another_kind_is_a_fault_in_a_stream(sample: Path) -> None:
    """Whatever stands where something is looked for: it is passed over."""
    events = EventSplitter().feed(sample.read_bytes())
    for at, event in enumerate(events):
        kind, data = event_type(event), event_data(event)
        if not (data or b"").startswith(b"{"):
            continue
        for said in spoiled(json.loads(data or b"")):
            reader = stream_reader(sample)
            junk = b"event: %b\ndata: %b\n\n" % (kind, json.dumps(said).encode())
            assert read(reader, b"".join(events[max(0, at - 3) : at]), junk) is not None


@pytest.mark.parametrize("sample", WHOLE, ids=name_of)
def test_no_member_of_another_kind_is_a_fault_in_a_whole_answer(sample: Path) -> None:
    """As in a stream."""
    for said in spoiled(json.loads(sample.read_bytes())):
        assert read(whole_reader(sample), json.dumps(said).encode()) is not None


@given(st.sampled_from(sorted(APIS)), st.binary(max_size=300))
def test_no_bytes_are_a_fault(name: str, data: bytes) -> None:
    """Neither as a question nor as an answer."""
    api = APIS[name]
    assert api.read_question(data) is not None
    assert read(api.stream_reader(), b"event: error\ndata: " + data + b"\n\n", data) is not None
    assert read(api.whole_reader(), data) is not None
