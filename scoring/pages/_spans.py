"""The spans of a run as a timeline shows them: its own and those of other tools, each with its lane."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ...traces import Run, SpanRecord, is_call
from ._lanes import Stretch, assign_lanes
from ._moments import Moments

__all__ = ["spans_of"]

_KIND: Final = "tachograph.span"
_START: Final = ".start"
_NO_STRETCHES: Final = frozenset({"score", "seal", "call.tail", "call.message"})
"""Kinds of spans that tell something of others, or of a moment: they took no time of the run."""
_OPERATIONS: Final[Mapping[str, str]] = {"invoke_agent": "agent", "execute_tool": "tool"}
"""Kinds of other tools' spans, by `gen_ai.operation.name`."""
_ORDER: Final = {"run": 0, "agent": 1}
"""Of spans that begin at the same moment."""
_OF_EACH_LINE: Final = ("tachograph.journal.", _KIND, "tachograph.run.id", "session.id")
"""How the names of attributes begin that say where a span stands, and not what it is."""
_TOLD_BY_CALLS: Final = frozenset(
    {
        "error.type",
        "gen_ai.request.model",
        "gen_ai.request.stream",
        "gen_ai.response.finish_reasons",
        "gen_ai.response.model",
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.reasoning.output_tokens",
        "http.request.method",
        "http.response.status_code",
        "server.address",
        "server.port",
        "url.path",
        "url.query",
    }
)
"""Attributes of calls that stand in the table of calls, beside the names below."""
_TOLD_BY_CALLS_TOO: Final = (
    "tachograph.at.",
    "tachograph.call.",
    "tachograph.request.bytes",
    "tachograph.request.body_hash",
    "tachograph.request.hash",
    "tachograph.response.bytes",
    "tachograph.response.body_hash",
    "tachograph.stream.largest_gap_ns",
    "tachograph.usage.",
)
_LONGEST_VALUE: Final = 4_000
"""Characters of an attribute."""
_ERROR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """A span, or what its announcement tells of it."""

    span_id: str
    parent_id: str | None
    kind: str
    end_ns: int | None
    told: SpanRecord

    @property
    def order(self) -> tuple[int, int, str]:
        """Where it stands among the others."""
        return self.told.start_ns, _ORDER.get(self.kind, len(_ORDER)), self.span_id


def spans_of(spans: Iterable[SpanRecord], run: Run, moments: Moments) -> list[dict[str, Any]]:
    """The spans in the order of their start. Those that were announced and did not end have no end.

    Args:
        spans: all of the run's, as they were written.
        run: the same run.
        moments: its clock.
    """
    found = sorted(_stretches(spans, run), key=lambda stretch: stretch.order)
    places = {stretch.span_id: place for place, stretch in enumerate(found)}
    calls = {call.span_id: place for place, call in enumerate(run.calls)}
    lanes = assign_lanes([_lane_stretch(stretch, places, moments) for stretch in found])
    return [
        {
            "id": stretch.span_id,
            "parent": stretch.parent_id if stretch.parent_id in places else None,
            "kind": stretch.kind,
            "name": stretch.told.name.removesuffix(_START) if stretch.end_ns is None else stretch.told.name,
            "start_ms": moments.at(stretch.told.start_ns),
            "end_ms": None if stretch.end_ns is None else moments.at(stretch.end_ns),
            "lane": lane,
            "error": _error(stretch.told),
            "attributes": _texts(stretch.told.attributes, is_in_calls=stretch.span_id in calls),
            "call": calls.get(stretch.span_id),
        }
        for stretch, lane in zip(found, lanes, strict=True)
    ]


def _lane_stretch(stretch: _Stretch, places: Mapping[str, int], moments: Moments) -> Stretch:
    end = moments.end_ns if stretch.end_ns is None else stretch.end_ns
    return Stretch(stretch.told.start_ns, end, places.get(stretch.parent_id or ""))


def _stretches(spans: Iterable[SpanRecord], run: Run) -> list[_Stretch]:
    ended: dict[str, _Stretch] = {}
    announced: dict[str, SpanRecord] = {}
    root: str | None = None
    for span in spans:
        kind = _kind(span)
        if kind.endswith(_START):
            announced.setdefault(span.parent_id or span.span_id, span)
        elif kind not in _NO_STRETCHES and not (kind == "run" and run.end_ns is None):
            ended[span.span_id] = _Stretch(
                span_id=span.span_id, parent_id=span.parent_id, kind=kind, end_ns=span.end_ns, told=span
            )
    agents = [stretch.span_id for stretch in ended.values() if stretch.kind == "agent"]
    for span_id, span in announced.items():
        kind = _kind(span).removesuffix(_START)
        root = span_id if kind == "run" else root
        agents += [span_id] if kind == "agent" and span_id not in ended else []
    # An announcement does not tell its span's parent.
    parents = {"run": None, "call": agents[0] if len(agents) == 1 else root}
    unended = [
        _Stretch(span_id=span_id, parent_id=parents.get(kind, root), kind=kind, end_ns=None, told=span)
        for span_id, span in announced.items()
        if span_id not in ended
        for kind in [_kind(span).removesuffix(_START)]
    ]
    return [*ended.values(), *unended]


def _kind(span: SpanRecord) -> str:
    """What a span is: by this project's mark, else by the conventions that other tools follow, else whose it is."""
    own = span.attributes.get(_KIND)
    if own is not None:
        return str(own)
    if is_call(span):
        return "call"
    if span.attributes.get("openinference.span.kind") == "TOOL":
        return "tool"
    return _OPERATIONS.get(str(span.attributes.get("gen_ai.operation.name")), span.scope or "span")


def _error(span: SpanRecord) -> str | None:
    if span.status_code != _ERROR:
        return None
    return span.status_message or str(span.attributes.get("error.type", "error"))


def _texts(attributes: Mapping[str, Any], *, is_in_calls: bool) -> list[tuple[str, str]]:
    """Attributes as text, by name. Secrets in them were masked when they were written."""
    told = [(name, value) for name, value in sorted(attributes.items()) if not name.startswith(_OF_EACH_LINE)]
    if is_in_calls:
        told = [one for one in told if one[0] not in _TOLD_BY_CALLS and not one[0].startswith(_TOLD_BY_CALLS_TOO)]
    return [(name, _text(value)) for name, value in told]


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    more = len(text) - _LONGEST_VALUE
    return text if more <= 0 else f"{text[:_LONGEST_VALUE]}… and {more:,} more characters"
