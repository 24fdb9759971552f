"""Which calls are attempts at one and the same request, sans I/O.

A call is a further attempt if an earlier call of its run failed, has not been repeated since, and

- asked for the same: the canonical hashes are equal, whatever the bytes and whatever the client says of its retries; or
- was cut, and this request's conversation is that one's with no more behind it than what had come of the answer, as the
  assistant's words, and perhaps a word of the user's to go on (so codex, qwen-code, and at times
  claude-code).

Clients' own counts are not asked: `x-stainless-retry-count` stays 0 in most agents' retries.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..traces import Call

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
    entries: int
    """How long the conversation is; 0 if the request has none."""
    last: int | None
    """Tells the last entry from others, within this process; None without one."""
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
        last = _words_hash(entries[-1]) if entries else None
        failed = self._failed.get(request_hash) or self._gone_on_with(entries)
        if failed is None:
            return Attempt(1, request_hash, len(entries), last)
        before = failed.attempt
        return Attempt(before.number + 1, request_hash, len(entries), last, before.request_hash, failed.span_id)

    def _gone_on_with(self, entries: Sequence[Any]) -> _Failed | None:
        """The cut call whose half answer a request goes on from."""
        for failed in reversed(self._failed.values()):
            length = failed.attempt.entries
            if not failed.cut or not 0 < length < len(entries) or not _is_half_answer(entries[length:]):
                continue
            if _words_hash(entries[length - 1]) == failed.attempt.last:
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


def _has_failed(call: Call) -> bool:
    status = call.response.status if call.response else None
    return call.outcome != "completed" or (status or 0) >= _FIRST_ERROR or call.error_type is not None


def _was_cut(call: Call) -> bool:
    """Part of an answer came, and neither its end nor the agent's will was what ended it."""
    began = call.timing.first_byte_in is not None and (
        call.response is None or (call.response.status or 0) < _FIRST_ERROR
    )
    return began and (call.outcome in _CUT or (call.outcome == "completed" and call.error_type is not None))


def _conversation(parsed: Any) -> Sequence[Any]:
    if not isinstance(parsed, dict):
        return ()
    return next((parsed[name] for name in _CONVERSATIONS if isinstance(parsed.get(name), list)), ())


def _words_hash(entry: Any) -> int:
    """Of who says what. claude-code writes the same words in blocks at first, and as one text later."""
    if not isinstance(entry, dict):
        return hash(str(entry))
    content = entry.get("content")
    if isinstance(content, str):
        return hash((entry.get("role"), content))
    parts = content if isinstance(content, list) else [content]
    words = "".join(str(part.get("text", part)) if isinstance(part, dict) else str(part) for part in parts)
    return hash((entry.get("role"), words))


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
