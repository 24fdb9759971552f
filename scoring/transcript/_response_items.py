"""The items of a streamed answer of OpenAI Responses, put together from its events.

A stream tells everything up to three times: in deltas, in the item when it is done, and in the response that its last event
holds. The latest of these counts; of a stream that was cut the deltas are all that there is. Servers of other makers leave
out indexes, change the ids, or leave the last response empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ._members import list_of, object_of, text_of

__all__ = ["Items"]

_DELTAS: Final[Mapping[str, tuple[str, str]]] = {
    "response.output_text.delta": ("message", "text"),
    "response.refusal.delta": ("message", "refusal"),
    "response.reasoning_text.delta": ("reasoning", "text"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary"),
    "response.function_call_arguments.delta": ("function_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input"),
}
"""By the type of the event: the kind of item that it belongs to, and the member."""
_PARTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "text": ("content", "output_text", "text"),
    "refusal": ("content", "refusal", "refusal"),
    "summary": ("summary", "summary_text", "text"),
}
"""By the member: where in an item parts of it stand, their type, and their text."""
_ADDED: Final = "response.output_item.added"
_DONE: Final = "response.output_item.done"
_ENDS: Final = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})


@dataclass(slots=True)
class _Item:
    told: Mapping[str, Any]
    place: Any
    is_done: bool = False
    pieces: dict[tuple[str, Any], list[str]] = field(default_factory=dict)
    """Of what is told in deltas, by the member and the part."""

    def whole(self) -> Mapping[str, Any]:
        if self.is_done or not self.pieces:
            return self.told
        parts: dict[str, list[dict[str, str]]] = {}
        item: dict[str, Any] = {**self.told}
        for (member, _), pieces in self.pieces.items():
            text = "".join(pieces)
            if member in _PARTS:
                target, kind, name = _PARTS[member]
                parts.setdefault(target, []).append({"type": kind, name: text})
            else:
                item[member] = text
        return {**item, **parts}


class Items:
    """Gathers the items."""

    def __init__(self) -> None:
        """Begin with none."""
        self._items: list[_Item] = []
        self._final: list[Any] = []

    def take(self, event: Mapping[str, Any]) -> None:
        """Take the JSON of an event. What is not known is passed over."""
        kind, place = text_of(event.get("type")), event.get("output_index")
        if kind == _ADDED:
            self._items.append(_Item(object_of(event.get("item")), place))
        elif kind == _DONE:
            self._take_done(object_of(event.get("item")), place)
        elif kind in _DELTAS:
            self._take_delta(event, place, *_DELTAS[kind])
        elif kind in _ENDS:
            self._final = list_of(object_of(event.get("response")).get("output"))

    def told(self) -> list[Any]:
        """The items, as far as they came."""
        return self._final or [item.whole() for item in self._items]

    def _take_done(self, told: Mapping[str, Any], place: Any) -> None:
        known = self._by_id(told.get("id"), told.get("call_id")) or self._begun_at(place, told.get("type"))
        if known is None:
            known = _Item(told, place)
            self._items.append(known)
        known.told, known.is_done = told, True

    def _take_delta(self, event: Mapping[str, Any], place: Any, kind: str, member: str) -> None:
        known = self._by_id(event.get("item_id"), None) or self._begun_at(place, kind)
        if known is None:
            known = _Item({"type": kind, "role": "assistant"} if kind == "message" else {"type": kind}, place)
            self._items.append(known)
        part = event.get("summary_index") if member == "summary" else event.get("content_index")
        known.pieces.setdefault((member, part), []).append(text_of(event.get("delta")))

    def _by_id(self, item_id: Any, call_id: Any) -> _Item | None:
        for item in reversed(self._items):
            for known, told in ((item.told.get("id"), item_id), (item.told.get("call_id"), call_id)):
                if told and known == told:
                    return item
        return None

    def _begun_at(self, place: Any, kind: Any) -> _Item | None:
        """The latest item of a kind that is not done, at its place if one is told."""
        for item in reversed(self._items):
            if not item.is_done and item.told.get("type") == kind and place in (None, item.place):
                return item
        return None
