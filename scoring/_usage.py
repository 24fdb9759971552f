"""What a call's usage says, read with suspicion: told, half told, not told, or contradicting itself.

`traces.Usage` has one meaning for all providers, that of OpenTelemetry's GenAI conventions: input tokens include those that
were read from or written to a cache, output tokens include reasoning. Providers that tell it otherwise (Anthropic tells the
cached ones apart) are brought to it where a call is recorded. A record of another tool is taken to keep the conventions.

Attempts at the same question are calls of their own here: each that was billed counts once. What was told was billed. Of those
that told nothing, error answers were not, since providers charge for none; but behind one of a gateway that lost the answer, or
did not wait for it, a model may have worked. A cut stream was billed by an amount that nobody told.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

from ..traces import Call, Usage

__all__ = ["CallTokens", "Standing", "is_foreign", "makes_model_work", "read_usage"]

Standing = Literal["told", "half_told", "contradictory", "estimated", "absent", "refused"]
"""`told`: input and output. `half_told`: one of them, or both of an answer that was cut, so that there was more.
`contradictory`: numbers that cannot all be right, none of which counts. `estimated`: somebody's guess, which does not count
either. `absent`: none. `refused`: none, and none to tell, since no model was paid: the upstream could not be reached, answered
with an error, or was asked for what it knows without one."""

_WITHOUT_MODEL: Final = frozenset({"count_tokens", "models"})
"""APIs that make no model work."""
_WITHOUT_OUTPUT: Final = frozenset({"embeddings"})
"""APIs whose input tokens are all that there are."""
_FIRST_ERROR: Final = 400
_GATEWAY_GAVE_UP: Final = frozenset({502, 504, 520, 524})
"""Of a gateway that lost the answer of a server behind it, or did not wait for it (RFC 9110, 15.6; 52x: Cloudflare's)."""
_BROKEN: Final = "error"
"""The finish reason of a stream that broke: none of the provider's."""
_MEMBERS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens", "reasoning_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTokens:
    """The tokens of one call that can be relied on. None is `not told`, never zero."""

    standing: Standing
    reason: str | None
    """Why the standing is not `told`; None if it is."""
    input: int | None = None
    """All of them, cached ones included."""
    output: int | None = None
    """All of them, reasoning included."""
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None

    @property
    def total(self) -> int | None:
        """Input and output, as far as they were told; None if neither was."""
        told = [count for count in (self.input, self.output) if count is not None]
        return sum(told) if told else None

    @property
    def classes(self) -> dict[str, int]:
        """The total in parts that share no token: those that were told, so that they add up to it.

        `input_undivided` is input of which was not told what came from a cache.
        """
        parts: dict[str, int | None] = {"output": self.output}
        if self.input is not None and self.cache_read is None:
            parts["input_undivided"] = self.input
        elif self.input is not None and self.cache_read is not None:
            parts["input_uncached"] = self.input - self.cache_read - (self.cache_write or 0)
            parts["cache_read"] = self.cache_read
            parts["cache_write"] = self.cache_write
        return {name: count for name, count in parts.items() if count is not None}


def read_usage(call: Call) -> CallTokens:
    """The tokens of a call."""
    usage = call.usage
    if problem := _contradiction(usage):
        return CallTokens(standing="contradictory", reason=problem)
    told = usage.input_tokens is not None, usage.output_tokens is not None
    if call.request.api in _WITHOUT_OUTPUT and told[0]:
        told = True, True
    if not any(told) or usage.source == "absent":
        return _untold(call)
    estimated = usage.source == "estimated"
    missing = None if all(told) else f"only {'input' if told[0] else 'output'} tokens were told"
    if missing is None and _was_cut(call):
        missing = f"{call.error_type or call.outcome}: only the tokens of a part of the answer were told"
    return CallTokens(
        standing="estimated" if estimated else "told" if missing is None else "half_told",
        reason="an estimate" if estimated else missing,
        input=usage.input_tokens,
        output=usage.output_tokens,
        cache_read=usage.cache_read_tokens,
        cache_write=usage.cache_creation_tokens,
        reasoning=usage.reasoning_tokens,
    )


def is_foreign(call: Call) -> bool:
    """Whether another tool recorded a call: this project's recorder keeps the request's head."""
    return call.request.head is None


def makes_model_work(call: Call) -> bool:
    """Whether a call asks a model at all, and not for a list of models or a count of tokens."""
    return call.request.api not in _WITHOUT_MODEL


def _was_cut(call: Call) -> bool:
    """Whether an answer broke off before it was finished: the counts of some streams grow with them."""
    reasons = call.response.finish_reasons if call.response else ()
    is_whole = call.outcome == "completed" and call.error_type is None
    return not is_whole and all(reason == _BROKEN for reason in reasons)


def _untold(call: Call) -> CallTokens:
    if not makes_model_work(call):
        return CallTokens(standing="refused", reason="an API that makes no model work")
    status = call.response.status if call.response else None
    if status is not None and status >= _FIRST_ERROR and status not in _GATEWAY_GAVE_UP:
        return CallTokens(standing="refused", reason=f"refused with HTTP {status}")
    if call.outcome == "upstream_unreachable" and call.response is None:
        return CallTokens(standing="refused", reason="the upstream was not reached")
    return CallTokens(standing="absent", reason=_why_absent(call, status))


def _why_absent(call: Call, status: int | None) -> str:
    if call.outcome != "completed":
        return f"{call.outcome}: no usage was told before the end"
    if status is not None and status >= _FIRST_ERROR:
        return f"HTTP {status}: no usage was told"
    return f"{call.error_type}: no usage was told" if call.error_type else call.usage.reason or "no usage was told"


def _contradiction(usage: Usage) -> str | None:
    """What cannot be true of these numbers; None if nothing."""
    counts: dict[str, Any] = {name: getattr(usage, name) for name in _MEMBERS}
    for name, count in counts.items():
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 0):
            return f"{name} is {count!r}, which is no count"
    cached = (usage.cache_read_tokens or 0) + (usage.cache_creation_tokens or 0)
    if usage.input_tokens is not None and cached > usage.input_tokens:
        return f"{cached} cached tokens of {usage.input_tokens} input tokens"
    if usage.output_tokens is not None and (usage.reasoning_tokens or 0) > usage.output_tokens:
        return f"{usage.reasoning_tokens} reasoning tokens of {usage.output_tokens} output tokens"
    if usage.input_tokens == 0:
        return "0 input tokens, which no request has"
    return None
