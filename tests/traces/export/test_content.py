"""What was said, on the spans of calls: where it goes, and how much of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.traces import InputError, SpanRecord
from tachograph.traces.export import CAPTURE_VARIABLE, AddingContent, Content, ContentPlace, content_place

SYSTEM, INPUT = "gen_ai.system_instructions", "gen_ai.input.messages"
OUTPUT, TOOLS = "gen_ai.output.messages", "gen_ai.tool.definitions"


def line(**more: Any) -> dict[str, Any]:
    span = {
        "traceId": "0" * 32,
        "spanId": "1" * 16,
        "name": "chat",
        "startTimeUnixNano": "1",
        "endTimeUnixNano": "2",
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}],
        **more,
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def enriched(content: Content | None, place: ContentPlace = "span", limit: int = 10_000) -> dict[str, Any]:
    def read(span: SpanRecord, folder: Path) -> Content | None:
        assert span.name == "chat"
        assert folder == Path("run")
        return content

    data = AddingContent(read=read, place=place, limit=limit)(line(), Path("run"))
    span: dict[str, Any] = data["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    return span


def told(span: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: pair["value"] for pair in span["attributes"]}


def message(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"type": "text", "content": text}]}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("", "none"),
        ("NO_CONTENT", "none"),
        ("false", "none"),
        ("true", "span"),
        ("span_only", "span"),
        ("EVENT_ONLY", "event"),
        (" Span_And_Event ", "span_and_event"),
    ],
)
def test_the_variables_values(value: str, place: str) -> None:
    """Those of the official package, in any case, and of the packages before it."""
    assert content_place(value) == place


def test_a_value_that_nobody_knows_is_an_error() -> None:
    """Whoever asks for content and gets none would look for it in vain."""
    with pytest.raises(InputError, match=f"{CAPTURE_VARIABLE} is 'all'"):
        content_place("all")


def test_attributes_hold_it_as_json() -> None:
    """The form that backends read."""
    attributes = told(enriched(({INPUT: [message("hello")]}, None)))
    assert json.loads(attributes[INPUT]["stringValue"]) == [message("hello")]


def test_an_event_holds_it_structured() -> None:
    """As the conventions want of events; the span's attributes are as they were."""
    span = enriched(({INPUT: [message("hello")]}, None), "event")
    assert set(told(span)) == {"gen_ai.operation.name"}
    (event,) = span["events"]
    assert event["name"] == "gen_ai.client.inference.operation.details"
    values = {pair["key"]: pair["value"] for pair in event["attributes"]}
    assert values["gen_ai.operation.name"] == {"stringValue": "chat"}
    assert values[INPUT]["arrayValue"]["values"][0]["kvlistValue"]["values"][0]["key"] == "role"


def test_both() -> None:
    """Attributes and an event."""
    span = enriched(({INPUT: [message("hello")]}, None), "span_and_event")
    assert INPUT in told(span)
    assert span["events"]


def test_what_is_no_call_stays_as_it_is() -> None:
    """The reader knows."""
    assert enriched(None) == line()["resourceSpans"][0]["scopeSpans"][0]["spans"][0]


def test_what_is_missing_is_said() -> None:
    """No content is no failure, and not the same as nothing said."""
    attributes = told(enriched(({}, "request: its bodies were not kept: --bodies hash")))
    assert attributes["tachograph.content.missing"] == {
        "stringValue": "request: its bodies were not kept: --bodies hash"
    }


def test_the_oldest_messages_are_left_out() -> None:
    """Whole ones, and the span says how many."""
    said = {INPUT: [message(f"{number} " + "x" * 1000) for number in range(20)], OUTPUT: [message("answer")]}
    attributes = told(enriched((said, None), limit=5000))
    kept = json.loads(attributes[INPUT]["stringValue"])
    assert kept == said[INPUT][-len(kept) :]
    left_out = attributes["tachograph.content.left_out"]["arrayValue"]["values"]
    assert left_out == [{"stringValue": f"{INPUT}: {20 - len(kept)} of 20"}]
    assert json.loads(attributes[OUTPUT]["stringValue"]) == [message("answer")]


def test_what_is_nested_beyond_reason_is_left_out() -> None:
    """A model may write any arguments: the export goes on."""
    deep: Any = "x"
    for _ in range(2000):
        deep = [deep]
    for place in ("span", "event"):
        attributes = told(enriched(({OUTPUT: [{"role": "assistant", "parts": [deep]}]}, None), place))
        assert attributes["tachograph.content.missing"] == {"stringValue": "it is nested too deeply"}


messages = st.lists(st.text(max_size=300).map(message), max_size=10)


@given(
    said=st.fixed_dictionaries({SYSTEM: messages, INPUT: messages, OUTPUT: messages, TOOLS: messages}),
    limit=st.integers(0, 5000),
)
def test_the_limit_holds(said: dict[str, list[Any]], limit: int) -> None:
    """Never more bytes than allowed, always JSON, and what is not there is said."""
    attributes = told(enriched((said, None), limit=limit))
    kept = {name: attributes[name]["stringValue"] for name in said if name in attributes}
    assert sum(len(text.encode()) for text in kept.values()) <= limit
    lost = {
        item["stringValue"].partition(":")[0]
        for item in attributes.get("tachograph.content.left_out", {"arrayValue": {"values": []}})["arrayValue"][
            "values"
        ]
    }
    for name, items in said.items():
        held = json.loads(kept.get(name, "[]"))
        assert held == items[len(items) - len(held) :]
        assert (len(held) < len(items)) == (name in lost)
