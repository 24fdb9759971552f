"""The steps of a trajectory: what was said, once each, in the order of time."""

from collections.abc import Iterable
from typing import Any, Final

from ...traces import Call
from .._usage import is_foreign, makes_model_work, read_usage
from ..transcript import Message, ToolInvocation, Turn
from ._text import known, timestamp

__all__ = ["OWN", "asks_a_model", "trajectory_steps"]

OWN: Final = "tachograph"
"""The member of each `extra` that holds what ATIF has no word for."""
_SOURCES: Final = {"system": "system", "assistant": "agent"}
"""By a message's role; any other is a user's."""
_COUNTED: Final = frozenset({"told", "half_told"})
_FIRST_ERROR: Final = 400

Step = dict[str, Any]


def trajectory_steps(turns: Iterable[Turn]) -> list[Step]:
    """The steps of a run as ATIF has them, numbered from 1.

    Each call that brought an answer is one step of the agent's; each that brought none, or half a one that was asked for again,
    is a step of the system's, which says what broke. A message is a step when it is sent for the first time; a tool's result is
    an observation of the step that asked for it. What an agent sends as its own words and no call has answered is a step, too,
    marked as copied.
    """
    steps = _Steps()
    for turn in sorted(turns, key=_when):
        for message in turn.added or ():
            steps.take_message(message, turn.call)
        if asks_a_model(turn.call):
            steps.take_answer(turn)
    return [{"step_id": number, **step} for number, step in enumerate(steps.taken, start=1)]


def asks_a_model(call: Call) -> bool:
    """Whether a call is one of the agent's to a model: it may ask for a list of models, and the proxy may ask twice."""
    by_message = call.request.tunnel_id is not None
    is_asked = by_message or call.request.method not in ("GET", "HEAD")
    return is_asked and makes_model_work(call) and not call.discarded


def _when(turn: Turn) -> tuple[int, int, str]:
    return (turn.call.timing.start_ns, turn.call.sequence or 0, turn.call.span_id)


class _Steps:
    def __init__(self) -> None:
        self.taken: list[Step] = []
        self._asked: dict[str, Step] = {}
        """By the id of a tool call: the latest step that asked for it."""

    def take_message(self, message: Message, call: Call) -> None:
        """Take a message that a call's request has sent for the first time."""
        if message.role == "tool":
            self._observe(message, call)
            return
        source = _SOURCES.get(message.role, "user")
        step: Step = {"timestamp": timestamp(call.timing.start_ns), "source": source, "message": _words(message)}
        if source == "agent":
            step |= self._deeds(message, call) | {"is_copied_context": True}
        self._add(step)

    def take_answer(self, turn: Turn) -> None:
        """Take what a call was answered, or that it was not."""
        call, timing = turn.call, turn.call.timing
        step: Step = {"timestamp": timestamp(timing.start_ns + (timing.last_byte or timing.end or 0))}
        own = _own(turn)
        if turn.repeated or not _is_answered(call):
            self._add(step | {"source": "system", "message": _broken(call), "extra": {OWN: own}})
            return
        first, *others = turn.answers or (Message(role="assistant"),)
        deeds = self._deeds(first, call)
        own |= known(refusal=first.refusal, choices=[_choice(other) for other in others] or None)
        self._add(
            {
                **step,
                "source": "agent",
                **known(model_name=(call.response and call.response.model) or call.request.model),
                "message": _words(first),
                **deeds,
                **known(metrics=_metrics(call), llm_call_count=1 if call.request.api or is_foreign(call) else None),
                "extra": {OWN: own},
            }
        )

    def _add(self, step: Step) -> None:
        self.taken.append(step)
        for tool_call in step.get("tool_calls", ()):
            self._asked[tool_call["tool_call_id"]] = step

    def _observe(self, message: Message, call: Call) -> None:
        """Take a tool's result. One that no step has asked for is an event of the system."""
        asked = None if message.tool_call_id is None else self._asked.get(message.tool_call_id)
        step = asked or {"timestamp": timestamp(call.timing.start_ns), "source": "system", "message": ""}
        own = {"call": call.span_id} | ({} if asked else known(tool_call_id=message.tool_call_id))
        result = known(source_call_id=message.tool_call_id if asked else None, content=message.text, extra={OWN: own})
        step.setdefault("observation", {"results": []})["results"].append(result)
        if asked is None:
            self.taken.append(step)

    def _deeds(self, message: Message, call: Call) -> dict[str, Any]:
        made = [_tool_call(tool_call, f"{call.span_id}-{at}") for at, tool_call in enumerate(message.tool_calls)]
        return known(reasoning_content=message.reasoning, tool_calls=made or None)


def _words(message: Message) -> str:
    return message.text or message.refusal or ""


def _tool_call(tool_call: ToolInvocation, own_id: str) -> dict[str, Any]:
    """With an id of ours if it has none, and with its text if that is no JSON object."""
    parsed = tool_call.parsed
    made = {"tool_call_id": tool_call.id or own_id, "function_name": tool_call.name, "arguments": {}}
    if isinstance(parsed, dict):
        return made | {"arguments": parsed}
    return made | ({"extra": {OWN: {"arguments": tool_call.arguments}}} if tool_call.arguments.strip() else {})


def _choice(message: Message) -> dict[str, Any]:
    made = [_tool_call(tool_call, str(at)) for at, tool_call in enumerate(message.tool_calls)]
    return {"message": _words(message), **known(reasoning_content=message.reasoning, tool_calls=made or None)}


def _is_answered(call: Call) -> bool:
    return call.response is not None and (call.response.status or 0) < _FIRST_ERROR


def _broken(call: Call) -> str:
    if _is_answered(call):
        return (
            f"the call to the model brought only a part of an answer: {call.message or call.error_type or call.outcome}"
        )
    status = call.response and call.response.status
    said = [f"HTTP {status}" if status else None, call.error_type, call.message]
    told = [part for part in said if part and part != str(status)]
    return f"the call to the model brought no answer: {': '.join(told) or call.outcome}"


def _metrics(call: Call) -> dict[str, Any] | None:
    """What the provider told; None if nothing that can be relied on."""
    used = read_usage(call)
    if used.standing not in _COUNTED:
        return None
    return known(prompt_tokens=used.input, completion_tokens=used.output, cached_tokens=used.cache_read)


def _own(turn: Turn) -> dict[str, Any]:
    """What ATIF has no word for: times in nanoseconds, hashes of bodies, where the usage is from and what it lacks."""
    call, timing, response = turn.call, turn.call.timing, turn.call.response
    used = read_usage(call)
    sent, content = timing.upstream_sent, timing.first_content
    streamed = call.request.streamed and sent is not None and content is not None
    return known(
        call=call.span_id,
        sequence=call.sequence,
        attempt=call.attempt,
        retry_of=call.retry_of,
        outcome=call.outcome,
        error_type=call.error_type,
        error_message=call.message,
        status=response and response.status,
        finish_reasons=(response and list(response.finish_reasons)) or None,
        duration_ns=timing.end,
        time_to_first_token_ns=(content or 0) - (sent or 0) if streamed else None,
        overhead_ns=timing.overhead,
        reasoning_tokens=used.reasoning,
        cache_creation_tokens=used.cache_write,
        usage_source=call.usage.source,
        usage_missing=used.reason,
        request_hash=call.request_hash,
        request_body_sha256=call.request.body_hash,
        response_body_sha256=response and response.body_hash,
        unreadable=turn.unreadable,
    )
