"""Which calls are attempts at one and the same request, sans I/O.

A call is a further attempt if an earlier call of its run failed, has not been repeated since, and

- asked for the same: the canonical hashes are equal, whatever the bytes and whatever the client says of its retries; or
- was cut, and this request is that one with no more behind it than what had come of the answer, as the assistant's words, and
  perhaps a word of the user's to go on (codex and qwen-code repeat a cut call so).

Clients' own counts are not asked: `x-stainless-retry-count` stays 0 in most agents' retries.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..traces import Call, canonical_request_hash

__all__ = ["Attempt", "Attempts"]

_REMEMBERED: Final = 256
_FIRST_ERROR: Final = 400
_CONVERSATIONS: Final = ("messages", "input")
"""The members of requests that hold the conversation."""
_CUT: Final = frozenset({"upstream_cut", "interrupted"})
_WORDS: Final = frozenset(
    {"message", "reasoning", "text", "input_text", "output_text", "thinking", "redacted_thinking"}
)
"""Types of entries and of their parts that are no tool's business."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a request."""

    number: int
    """From 1."""
    request_hash: str
    entries: int | None
    """How long the conversation is; None if the request has none."""
    first_hash: str | None = None
    """Hash of the request that failed before, if this one repeats it; else None."""
    retry_of: str | None = None
    """Span id of the call that it repeats; None for the first attempt."""


@dataclass(frozen=True, slots=True)
class _Failed:
    attempt: Attempt
    span_id: str
    cut: bool


class Attempts:
    """The failures of a run that have not been repeated, as far as one process knows of them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._failed: OrderedDict[str, _Failed] = OrderedDict()

    def begin(self, request_hash: str | None, parsed: Any) -> Attempt | None:
        """Which attempt a request is; None for one that is no JSON object.

        Args:
            request_hash: its canonical hash.
            parsed: its JSON.
        """
        if request_hash is None:
            return None
        entries = _conversation(parsed)
        failed = self._failed.get(request_hash) or self._gone_on_with(parsed, entries)
        length = None if entries is None else len(entries)
        if failed is None:
            return Attempt(1, request_hash, length)
        before = failed.attempt
        return Attempt(before.number + 1, request_hash, length, before.request_hash, failed.span_id)

    def _gone_on_with(self, parsed: Any, entries: Sequence[Any] | None) -> _Failed | None:
        """The cut call whose half answer a request goes on from."""
        for failed in reversed(self._failed.values()) if entries else ():
            length = failed.attempt.entries
            if failed.cut and length is not None and length < len(entries or ()):
                member = next(name for name in _CONVERSATIONS if parsed.get(name) is entries)
                before = {**parsed, member: (entries or ())[:length]}
                if _is_half_answer((entries or ())[length:]) and canonical_request_hash(before) == _hash(failed):
                    return failed
        return None

    def ended(self, attempt: Attempt | None, span_id: str, call: Call) -> None:
        """Take note of how an attempt ended, by its span's id."""
        if attempt is None:
            return
        if attempt.first_hash is not None:
            self._failed.pop(attempt.first_hash, None)
        self._failed.pop(attempt.request_hash, None)
        if not _has_failed(call):
            return
        self._failed[attempt.request_hash] = _Failed(attempt, span_id, _was_cut(call))
        if len(self._failed) > _REMEMBERED:
            self._failed.popitem(last=False)


def _hash(failed: _Failed) -> str:
    return failed.attempt.request_hash


def _has_failed(call: Call) -> bool:
    status = call.response.status if call.response else None
    return call.outcome != "completed" or (status or 0) >= _FIRST_ERROR or call.error_type is not None


def _was_cut(call: Call) -> bool:
    """Part of an answer came, and neither its end nor the agent's will was what ended it."""
    began = call.timing.first_byte_in is not None and (
        call.response is None or (call.response.status or 0) < _FIRST_ERROR
    )
    return began and (call.outcome in _CUT or (call.outcome == "completed" and call.error_type is not None))


def _conversation(parsed: Any) -> Sequence[Any] | None:
    if not isinstance(parsed, dict):
        return None
    return next((parsed[name] for name in _CONVERSATIONS if isinstance(parsed.get(name), list)), None)


def _is_half_answer(entries: Sequence[Any]) -> bool:
    """Whether they are the assistant's words, and perhaps the user's behind them, and nothing of a tool's."""
    roles = [entry.get("role", "assistant") for entry in entries if isinstance(entry, dict) and _is_words(entry)]
    said = [role for role in roles if role == "assistant"]
    return len(roles) == len(entries) and bool(said) and roles == said + ["user"] * (len(roles) - len(said))


def _is_words(entry: dict[str, Any]) -> bool:
    content = entry.get("content")
    parts = content if isinstance(content, list) else []
    kinds = [entry.get("type", "message"), *(part.get("type") for part in parts if isinstance(part, dict))]
    return not entry.get("tool_calls") and all(kind in _WORDS for kind in kinds)
