"""What a call said, in the JSON that the GenAI conventions have for it.

`gen-ai-input-messages.json`, `-output-messages.json`, `-system-instructions.json` and `-tool-definitions.json` of semantic
conventions 1.41. Parts that are no text (images, audio) stand as `[image]` and the like, as in a transcript.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...traces import BodyReader, Call
from ..transcript import Exchange, Message, read_exchange

__all__ = ["genai_content"]

_FINISH: Final[Mapping[str, str]] = {
    "completed": "stop",
    "end_turn": "stop",
    "function_call": "tool_call",
    "max_output_tokens": "length",
    "max_tokens": "length",
    "pause_turn": "stop",
    "refusal": "content_filter",
    "stop_sequence": "stop",
    "tool_calls": "tool_call",
    "tool_use": "tool_call",
}
"""The conventions' words for those of providers; any other stays."""
_UNTOLD: Final = "error"
"""An answer whose end did not come."""

Json = dict[str, Any]


def genai_content(call: Call, bodies: BodyReader) -> tuple[dict[str, list[Json]], str | None]:
    """What a call said, by attribute, and why some of it is not told (None if all is).

    Args:
        call: of a run.
        bodies: those of the run.
    """
    said = read_exchange(call, bodies)
    content = {
        "gen_ai.system_instructions": [part for message in said.instructions for part in _parts(message)],
        "gen_ai.tool.definitions": [_tool(tool) for tool in said.tools],
        "gen_ai.input.messages": [_message(message) for message in said.messages or ()],
        "gen_ai.output.messages": _outputs(said, call.response.finish_reasons if call.response else ()),
    }
    return {name: told for name, told in content.items() if told}, said.unreadable


def _outputs(said: Exchange, reasons: Sequence[str]) -> list[Json]:
    """The choices, each with why it ended: the conventions want a word for that."""
    return [
        {**_message(message), "finish_reason": _FINISH.get(reason, reason)}
        for at, message in enumerate(said.answers or ())
        for reason in [reasons[at] if at < len(reasons) else _UNTOLD]
    ]


def _message(message: Message) -> Json:
    return {"role": message.role, "parts": _parts(message)}


def _parts(message: Message) -> list[Json]:
    if message.role == "tool":
        return [{"type": "tool_call_response", "id": message.tool_call_id, "response": message.text}]
    texts = (("reasoning", message.reasoning), ("text", message.text), ("text", message.refusal))
    return [
        *({"type": kind, "content": text} for kind, text in texts if text),
        *(
            {
                "type": "tool_call",
                "id": invocation.id,
                "name": invocation.name,
                "arguments": invocation.arguments if invocation.parsed is None else invocation.parsed,
            }
            for invocation in message.tool_calls
        ),
    ]


def _tool(tool: Mapping[str, Any]) -> Json:
    """A tool, whichever API describes it."""
    told = next((tool[name] for name in ("function", "custom") if isinstance(tool.get(name), dict)), tool)
    made = {
        "name": told.get("name") or tool.get("type"),
        "description": told.get("description"),
        "parameters": told.get("parameters") or told.get("input_schema"),
    }
    return {"type": "function", **{name: value for name, value in made.items() if value is not None}}
