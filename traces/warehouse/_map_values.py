"""The types of attributes that a store keeps as text.

The Collector's ClickHouse exporter makes a text of every value (`pcommon.Value.AsString`): numbers in decimal, `true` and
`false`, lists and maps as JSON, bytes in base64. A text cannot tell what it was, so the attributes that are no texts are named
here; all others stay texts. A value that cannot be read as its type is left out: absent is not zero.
"""

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from .. import _names as names
from .._call import Call, CallRequest, CallResponse, Timing, Tunnel, Usage
from .._span import _CALL, _REQUEST, _RESPONSE, _TIMING, _TUNNEL, _USAGE

__all__ = ["typed_attributes"]

_MEMBERS: Final[tuple[tuple[Mapping[str, str], type], ...]] = (
    (_CALL, Call),
    (_REQUEST, CallRequest),
    (_RESPONSE, CallResponse),
    (_TIMING, Timing),
    (_TUNNEL, Tunnel),
    (_USAGE, Usage),
)
"""Attributes that hold a member of a class: its annotation is their type."""
_INTEGERS: Final = (
    names.JOURNAL_LINE,
    names.JOURNAL_CALLS,
    names.SEAL_LINES,
    names.SEAL_CALLS,
    names.SEAL_FINISHED,
    names.SEAL_BYTES,
    names.MESSAGE_BYTES,
    "process.exit.code",
    "tachograph.agent.active_ns",
    "tachograph.agent.output_bytes",
    "tachograph.check.duration_ns",
    "tachograph.check.rules_version",
    "tachograph.refused.unrecorded_calls",
    "tachograph.run.attempt",
    "tachograph.run.calls_without_usage",
    "tachograph.run.input_tokens",
    "tachograph.run.model_calls",
    "tachograph.run.output_tokens",
    "tachograph.score.n",
    "tachograph.score.version",
)
_FLOATS: Final = (
    names.TIME_TO_FIRST_CHUNK,
    "gen_ai.evaluation.score.value",
    "tachograph.score.ci_high",
    "tachograph.score.ci_low",
    "tachograph.score.coverage",
    "tachograph.task.time.budget",
    "tachograph.task.time.reference",
    "tachograph.task.tokens.budget",
    "tachograph.task.tokens.reference",
)
_BOOLEANS: Final = (
    names.CALL_DISCARDED,
    names.REQUEST_STREAM,
    names.RESPONSE_REFUSED,
    names.RUN_REFUSED,
    "tachograph.agent.adapter",
    "tachograph.agent.sandbox",
    "tachograph.agent.timed_out",
    "tachograph.check.fresh_copy",
    "tachograph.check.passed",
    "tachograph.check.timed_out",
    "tachograph.task.refusal.expected",
)
_LISTS: Final = (
    names.FINISH_REASONS,
    names.BODIES_MASKED,
    "tachograph.agent.argv",
    "tachograph.agent.housekeeping",
    "tachograph.check.expected_tests",
    "tachograph.check.restored",
    "tachograph.check.set_aside",
    "tachograph.check.set_aside_rules",
    "tachograph.score.flags",
    "tachograph.task.expected",
    "tachograph.task.protected",
    "tachograph.task.refusal.artifacts",
    "tachograph.task.refusal.forbidden",
)


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _list(text: str) -> tuple[Any, ...]:
    value = orjson.loads(text)
    if not isinstance(value, list):
        raise ValueError("no list")  # noqa: TRY004  as for what is no JSON
    return tuple(value)


def _readers() -> dict[str, Callable[[str], Any]]:
    found: dict[str, Callable[[str], Any]] = {}
    for attributes, holder in _MEMBERS:
        annotations = typing.get_type_hints(holder)
        found.update((name, int) for name, member in attributes.items() if _is_integer(annotations[member]))
    for listed, reader in ((_INTEGERS, int), (_FLOATS, float), (_BOOLEANS, _boolean), (_LISTS, _list)):
        found.update(dict.fromkeys(listed, reader))
    return found


def _is_integer(annotation: Any) -> bool:
    is_union = isinstance(annotation, types.UnionType)
    return annotation is int or (is_union and int in typing.get_args(annotation))


_READERS: Final = _readers()


def typed_attributes(texts: Mapping[str, str]) -> dict[str, Any]:
    """A span's attributes with their types, from the texts that stand for them.

    Raises:
        ValueError: these are no texts.
    """
    typed: dict[str, Any] = {}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise ValueError(f"{name}: not a text")  # noqa: TRY004  one kind of error for all that is no such row
        reader = _READERS.get(name)
        if reader is None:
            typed[name] = text
            continue
        try:
            typed[name] = reader(text)
        except (ValueError, KeyError):
            continue
    return typed
