"""The transcript of a run: from its recorded bodies, what was said in each call."""

from collections.abc import Callable, Iterable

from ...traces import BodyReader, Call
from ._dialect import UnreadableError
from ._history import History
from ._reading import dialect_of, read_answer, read_request, reason_of
from ._requests import WORDLESS_APIS, RequestRead, Requests
from ._turn import Message, Turn

__all__ = ["read_conversation", "read_transcript"]


def read_transcript(
    calls: Iterable[Call], bodies: BodyReader, watch: Callable[[RequestRead], None] | None = None
) -> tuple[Turn, ...]:
    """What was said in each call of a run.

    Bodies are read one at a time; what is held is what was said.

    Args:
        calls: all calls of one run, with their attempts linked. In which order they are given does not matter to what a turn
            holds.
        bodies: those of the run. What is missing there, damaged or not understood is None in its turn, with the reason.
        watch: told of each request when it has been read, in the order of time, for whoever needs more of it than a turn holds.

    Returns:
        One turn for each call, in the order in which they were given.
    """
    given = tuple(calls)
    in_time = sorted(given, key=lambda call: (call.timing.start_ns, call.sequence or 0, call.span_id))
    # Answers first: a request is kept as what it adds to the one before it, so that they are best read in a row.
    answers = {id(call): read_answer(call, bodies) for call in in_time}
    talk = _Talk(given, bodies, watch)
    turns = {id(call): talk.turn(call, answers[id(call)]) for call in in_time}
    return tuple(turns[id(call)] for call in given)


def read_conversation(call: Call, bodies: BodyReader) -> tuple[Message, ...]:
    """All that a call's request holds of a conversation; what it leaves to the provider to remember is not in it.

    Raises:
        UnreadableError: its body was not kept, or is not understood.
    """
    try:
        dialect = dialect_of(call)
        entries = dialect.entries(read_request(call, bodies))
        return tuple(message for entry in entries for message in dialect.messages(entry))
    except RecursionError as error:
        raise UnreadableError(reason_of(error)) from error


class _Talk:
    """Follows the calls of a run, in the order of time."""

    def __init__(
        self, calls: tuple[Call, ...], bodies: BodyReader, watch: Callable[[RequestRead], None] | None
    ) -> None:
        self._history = History()
        self._repeated = {call.retry_of for call in calls}
        self._requests = Requests(calls, bodies)
        self._watch = watch

    def turn(self, call: Call, answer: tuple[Message, ...] | UnreadableError) -> Turn:
        """What was said in a call."""
        is_wordless = call.request.api in WORDLESS_APIS
        if is_wordless and self._watch is None:
            return self._wordless(call)
        answers = () if isinstance(answer, UnreadableError) else answer
        read = self._requests.read(call, answers)
        if self._watch is not None:
            self._watch(read)
        if is_wordless:
            return self._wordless(call)
        added, problem = self._ask(read)
        problems = [f"request: {problem}"] if problem else []
        if isinstance(answer, UnreadableError):
            problems.append(f"answer: {answer}")
        self._history.answer(answers)
        return Turn(
            call=call,
            added=added,
            answers=None if isinstance(answer, UnreadableError) else answer,
            tools=None if added is None else read.tools,
            unreadable="; ".join(problems) or None,
            repeated=call.span_id in self._repeated,
        )

    def _wordless(self, call: Call) -> Turn:
        return Turn(call=call, added=(), answers=(), tools=(), repeated=call.span_id in self._repeated)

    def _ask(self, read: RequestRead) -> tuple[tuple[Message, ...] | None, str | None]:
        """What is new in a request, and why that is not known."""
        problem = read.unreadable
        if read.entries is not None:
            try:
                return self._history.ask(read.entries, read.messages_of), None
            except RecursionError as error:
                problem = reason_of(error)
        self._history.ask_unknown()
        return None, problem
