"""Which calls are attempts at the same question: agents ask again after an error or a cut, and a retry looks like a new call.

A call is a further attempt at an earlier one if all of this holds:

- The earlier one failed: an error status, an error inside the stream, a cut, or the agent gave up waiting. What comes after a
  good answer is another question, however it reads.
- It was over when the later one began, not many calls ago, and no other call is an attempt at it yet. Of several it is the
  latest.
- Both ask the same of the same model: the same path, API, model and, where the provider remembers the conversation,
  the same answer to go on from; and then the same canonical request (see `canonical_request_hash`), or a conversation of the
  same messages. After an answer that broke off the later one may also hold what came of it, and a word that it is to go on:
  that is how some agents take up a cut stream. Not so if it was the agent that hung up: it may have been stopped, to be told
  something else.

An SDK's own count of its retries (`x-stainless-retry-count`) is not asked: what an SDK sends again is the same to the byte, and
agents that ask again by themselves send 0. Answers that the agent never saw (`Call.discarded`) are no attempts of its own. All
is read from the record, so that it does not matter how many proxies recorded a run.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from ..traces import BodyReader, Call
from .transcript import Message, UnreadableError, read_conversation

__all__ = ["has_failed", "link_attempts", "logical_calls"]

_FIRST_ERROR: Final = 400
_NO_FAILURES: Final = frozenset({"completed", "in_flight"})
"""How a call ended that did not break."""
_HUNG_UP: Final = "client_disconnected"
_LATE: Final = 1_000_000_000
"""Nanoseconds by which a recorder may learn later than the agent's next call that the agent has hung up."""
_SOON: Final = 64
"""Calls within which a question is asked again, if it is. Sub-agents may ask many things in between."""

_Words = tuple[str, str, str | None, tuple[tuple[str, str], ...]]


def link_attempts(calls: Iterable[Call], bodies: BodyReader) -> tuple[Call, ...]:
    """The calls of a run with `attempt` and `retry_of` as the whole record tells them.

    Bodies are read only where a call failed and the next one of its kind is not the same by its hash.

    Args:
        calls: all calls of one run, in any order.
        bodies: those of the run; what is missing there cannot be compared.

    Returns:
        The calls in the order in which they were given.
    """
    given = tuple(calls)
    linker = _Linker(bodies)
    in_time = sorted(given, key=lambda call: (call.timing.start_ns, call.sequence or 0, call.span_id))
    linked = {id(call): linker.take(call) for call in in_time}
    return tuple(linked[id(call)] for call in given)


def logical_calls(calls: Iterable[Call]) -> tuple[tuple[Call, ...], ...]:
    """What the agent asked: of each question all attempts, in the order of time. Calls that were discarded are none.

    Args:
        calls: as `link_attempts` gives them, in the order of time.
    """
    chains: dict[str, list[Call]] = {}
    found = []
    for call in calls:
        if call.discarded:
            continue
        chain = chains.pop(call.retry_of, None) if call.retry_of is not None else None
        if chain is None:
            chain = []
            found.append(chain)
        chain.append(call)
        chains[call.span_id] = chain
    return tuple(map(tuple, found))


def has_failed(call: Call) -> bool:
    """Whether the agent did not get what it asked for. A call that still goes on has not."""
    status = call.response.status if call.response else None
    return call.outcome not in _NO_FAILURES or (status or 0) >= _FIRST_ERROR or call.error_type is not None


@dataclass(slots=True)
class _Failure:
    """A call that failed and was not asked again yet."""

    call: Call
    number: int
    """Of the call in its run, in the order of time."""
    conversation: list[_Words] | None = None
    is_read: bool = False

    def is_over_before(self, later: Call) -> bool:
        """Whether the agent knew of it when it made a later call. What is not known is taken to be so."""
        timing = self.call.timing
        late = _LATE if self.call.outcome == _HUNG_UP else 0
        return later.timing.start_ns >= timing.start_ns + max((timing.end or 0) - late, 0)

    @property
    def broke_off(self) -> bool:
        """Whether there was some of an answer, which the agent did not want to end there and may send back."""
        response = self.call.response
        has_begun = response is not None and (response.status or 0) < _FIRST_ERROR
        return has_begun and self.call.outcome != _HUNG_UP


class _Linker:
    """The fold: takes the calls in the order of time."""

    def __init__(self, bodies: BodyReader) -> None:
        self._bodies = bodies
        self._open: deque[_Failure] = deque()
        self._number = 0

    def take(self, call: Call) -> Call:
        self._number += 1
        if call.discarded:
            return replace(call, attempt=1, retry_of=None)
        while self._open and self._open[0].number < self._number - _SOON:
            self._open.popleft()
        earlier = self._earlier(call)
        if earlier is not None:
            self._open.remove(earlier)
        attempt = 1 if earlier is None else (earlier.call.attempt or 1) + 1
        linked = replace(call, attempt=attempt, retry_of=earlier.call.span_id if earlier else None)
        if has_failed(call) and call.span_id:
            self._open.append(_Failure(linked, self._number))
        return linked

    def _earlier(self, call: Call) -> _Failure | None:
        """The failure that a call asks again: the same request before one that has grown, and of each the latest."""
        asked = [failure for failure in reversed(self._open) if _are_alike(failure.call, call)]
        asked = [failure for failure in asked if failure.is_over_before(call)]
        if not asked:
            return None
        same = next((failure for failure in asked if _is_same_request(failure.call, call)), None)
        if same is not None:
            return same
        conversation = self._conversation(call)
        for failure in asked:
            added = None if conversation is None else _added(self._conversation_of(failure), conversation)
            if added is None:
                continue
            if not added or (failure.broke_off and _takes_up(added)):
                return failure
            # The conversation went on without an answer to that.
            self._open.remove(failure)
        return None

    def _conversation_of(self, failure: _Failure) -> list[_Words] | None:
        if not failure.is_read:
            failure.conversation, failure.is_read = self._conversation(failure.call), True
        return failure.conversation

    def _conversation(self, call: Call) -> list[_Words] | None:
        try:
            return [_words(message) for message in read_conversation(call, self._bodies)]
        except UnreadableError:
            return None


def _are_alike(one: Call, other: Call) -> bool:
    return _address(one) == _address(other)


def _address(call: Call) -> tuple[str | None, ...]:
    request = call.request
    return request.path, request.query, request.api, request.model, request.previous_response_id


def _is_same_request(one: Call, other: Call) -> bool:
    if one.request_hash is not None and one.request_hash == other.request_hash:
        return True
    # A call that was interrupted has no canonical hash, and a request without a body none at all.
    asked = [(call.request.method, call.request.body_hash) for call in (one, other)]
    return asked[0] == asked[1] and asked[0] != ("POST", None)


def _words(message: Message) -> _Words:
    """What makes two messages of two requests the same. Ids, reasoning and the breaks between parts come and go."""
    calls = tuple((call.name, call.arguments) for call in message.tool_calls)
    return message.role, "".join(message.text.split()), message.refusal, calls


def _added(earlier: list[_Words] | None, later: list[_Words]) -> list[_Words] | None:
    """What a conversation has more than an earlier one; None if it is another one, or the earlier one is not known."""
    return later[len(earlier) :] if earlier and later[: len(earlier)] == earlier else None


def _takes_up(added: list[_Words]) -> bool:
    """Whether an agent goes on from half an answer: that comes first, then at most one message of the agent's own."""
    roles = [role for role, *_ in added]
    said = roles[:-1] if roles[-1] in ("user", "system") else roles
    return bool(said) and all(role == "assistant" for role in said)
