"""The transcript of a run: from its recorded bodies, what was said in each call."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...traces import BodyReader, Call
from ._body import parse_events, parse_json, read_body
from ._chains import Chains
from ._chat_completions import CHAT_COMPLETIONS
from ._completions import COMPLETIONS
from ._dialect import Dialect, UnreadableError
from ._history import History
from ._messages import MESSAGES
from ._responses import RESPONSES
from ._turn import Message, Turn

__all__ = ["read_conversation", "read_transcript"]

_WORDLESS_APIS: Final = frozenset({"count_tokens", "embeddings", "models"})
"""In whose calls nothing is said to a model that speaks."""
_DIALECTS: Final[Mapping[str | None, Dialect]] = {
    "chat_completions": CHAT_COMPLETIONS,
    "completions": COMPLETIONS,
    "messages": MESSAGES,
    "responses": RESPONSES,
}
"""By `call.request.api`."""
_FIRST_ERROR_STATUS: Final = 400
_UNENDED: Final[Mapping[str, str]] = {
    "interrupted": "the call was interrupted before an answer was recorded",
    "in_flight": "the call goes on",
}


def read_transcript(calls: Iterable[Call], bodies: BodyReader) -> tuple[Turn, ...]:
    """What was said in each call of a run.

    Bodies are read one at a time; what is held is what was said.

    Args:
        calls: all calls of one run, with their attempts linked. In which order they are given does not matter to what a turn
            holds.
        bodies: those of the run. What is missing there, damaged or not understood is None in its turn, with the reason.

    Returns:
        One turn for each call, in the order in which they were given.
    """
    given = tuple(calls)
    in_time = sorted(given, key=lambda call: (call.timing.start_ns, call.sequence or 0, call.span_id))
    # Answers first: a request is kept as what it adds to the one before it, so that they are best read in a row.
    answers = {id(call): _read_answer(call, bodies) for call in in_time}
    talk = _Talk(given)
    turns = {id(call): talk.turn(call, answers[id(call)], bodies) for call in in_time}
    return tuple(turns[id(call)] for call in given)


def read_conversation(call: Call, bodies: BodyReader) -> tuple[Message, ...]:
    """All that a call's request holds of a conversation; what it leaves to the provider to remember is not in it.

    Raises:
        UnreadableError: its body was not kept, or is not understood.
    """
    try:
        dialect = _dialect_of(call)
        entries = dialect.entries(_read_request(call, bodies))
        return tuple(message for entry in entries for message in dialect.messages(entry))
    except RecursionError as error:
        raise UnreadableError(_reason(error)) from error


class _Talk:
    """Follows the calls of a run, in the order of time."""

    def __init__(self, calls: Iterable[Call]) -> None:
        self._history = History()
        self._repeated = {call.retry_of for call in calls}
        self._chains = Chains(call.request.previous_response_id for call in calls)

    def turn(self, call: Call, answer: tuple[Message, ...] | UnreadableError, bodies: BodyReader) -> Turn:
        """What was said in a call."""
        if call.request.api in _WORDLESS_APIS:
            return Turn(call=call, added=(), answers=(), tools=(), repeated=call.span_id in self._repeated)
        added: tuple[Message, ...] | None = None
        tools: tuple[str, ...] | None = None
        problems = []
        answers = () if isinstance(answer, UnreadableError) else answer
        try:
            dialect = _dialect_of(call)
            request = _read_request(call, bodies)
            entries = self._chains.follow(call, request, dialect.entries(request), answers)
            added = self._history.ask(entries, lambda entry: entry if type(entry) is tuple else dialect.messages(entry))
            tools = dialect.tools(request)
        except (UnreadableError, RecursionError) as error:
            problems.append(f"request: {_reason(error)}")
            self._history.ask_unknown()
        if isinstance(answer, UnreadableError):
            problems.append(f"answer: {answer}")
        self._history.answer(answers)
        return Turn(
            call=call,
            added=added,
            answers=None if isinstance(answer, UnreadableError) else answer,
            tools=tools,
            unreadable="; ".join(problems) or None,
            repeated=call.span_id in self._repeated,
        )


def _dialect_of(call: Call) -> Dialect:
    try:
        return _DIALECTS[call.request.api]
    except KeyError:
        raise UnreadableError(f"the API of {call.request.path} is not read here") from None


def _read_request(call: Call, bodies: BodyReader) -> dict[str, Any]:
    request = parse_json(read_body(bodies, call.request.body_hash, call.request.head, call.bodies_lost))
    if not isinstance(request, dict):
        raise UnreadableError("it is no JSON object")
    return request


def _read_answer(call: Call, bodies: BodyReader) -> tuple[Message, ...] | UnreadableError:
    response = call.response
    if response is None:
        reason = _UNENDED.get(call.outcome)
        return UnreadableError(reason) if reason else ()
    if (response.status or 0) >= _FIRST_ERROR_STATUS or response.bytes == 0:
        return ()
    try:
        dialect = _dialect_of(call)
        body = read_body(bodies, response.body_hash, response.head, call.bodies_lost)
        if not body.lstrip().startswith((b"{", b"[")):
            return dialect.streamed_answer(parse_events(body))
        answer = parse_json(body)
        return dialect.whole_answer(answer) if isinstance(answer, dict) else ()
    except (UnreadableError, RecursionError) as error:
        return UnreadableError(_reason(error))


def _reason(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
