"""Delivering one batch: sent until it is accepted, refused for good, or the forwarder is to stop."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ._answer import Accepted, Answer, Misaddressed, Refused, Retry, TooLarge
from ._backoff import Backoff
from ._batches import Batch, body_of
from ._destination import Destination
from ._profile import FurtherRequest
from ._sender import Sender

__all__ = ["Delivered", "Delivery", "GaveUpError", "MisaddressedError", "Outcome", "RefusedBatch", "RefusedRequest"]


class GaveUpError(Exception):
    """It is not delivered, and may be later: the forwarder was told to stop, or has no patience left."""


class MisaddressedError(GaveUpError):
    """It will not be delivered before somebody mends the address or the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRequest:
    """A request of the profile that was refused for good."""

    request: FurtherRequest
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A batch that the collector has."""

    batch: Batch
    accepted: Accepted
    refused_requests: tuple[RefusedRequest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedBatch:
    """A batch that it will not take."""

    batch: Batch
    reason: str


Outcome: TypeAlias = Delivered | RefusedBatch

Wait: TypeAlias = Callable[[float], bool]
"""Waits so many seconds; False if there is to be no further attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How batches of one destination are delivered."""

    destination: Destination
    sender: Sender
    wait: Wait
    tell: Callable[[str | None], None]
    """Told of each success (None) and of each failure that will be tried again."""
    backoff: Backoff = field(default_factory=Backoff)

    def deliver(self, batch: Batch) -> Iterator[Outcome]:
        """Deliver a batch, in parts if it is too large, or if something in it is refused; one outcome a part, in order.

        Raises:
            GaveUpError: `wait` said that there is to be no further attempt.
            MisaddressedError: the address or the key is wrong.
        """
        body = body_of(batch, self.destination.protocol)
        if not any(line.payload for line in batch):
            answer: Answer = Accepted()  # the profile sends nothing of it
        else:
            answer = self._insistently(lambda: self.sender.send(body))
        match answer:
            case TooLarge() | Refused() if len(batch) > 1:
                # One odd line must not take the others with it.
                middle = len(batch) // 2
                yield from self.deliver(batch[:middle])
                yield from self.deliver(batch[middle:])
            case Accepted():
                yield Delivered(
                    batch=batch,
                    accepted=Accepted(
                        rejected_spans=answer.rejected_spans, message=self.destination.masked(answer.message)
                    ),
                    refused_requests=tuple(self._ask_further(batch)),
                )
            case Misaddressed(reason=reason):
                shown = self.destination.masked(f"{reason}: is the address right, and the key?")
                self.tell(shown)
                raise MisaddressedError(shown)
            case TooLarge(reason=reason) | Refused(reason=reason):
                yield RefusedBatch(batch=batch, reason=self.destination.masked(reason))

    def ask(self, request: FurtherRequest) -> RefusedRequest | None:
        """Make a request of the profile; None if it was taken. What is not found is refused: such a request names things.

        Raises:
            GaveUpError: as `deliver`.
        """
        answer = self._insistently(lambda: self.sender.ask(request))
        if isinstance(answer, Accepted):
            return None
        return RefusedRequest(request=request, reason=self.destination.masked(answer.reason))

    def _ask_further(self, batch: Batch) -> Iterator[RefusedRequest]:
        recorded = [line.recorded for line in batch if line.recorded is not None]
        for request in self.destination.profile.further(recorded):
            if refused := self.ask(request):
                yield refused

    def _insistently(self, attempt: Callable[[], Answer]) -> Accepted | TooLarge | Refused | Misaddressed:
        failures = 0
        while isinstance(answer := attempt(), Retry):
            failures += 1
            self.tell(self.destination.masked(answer.reason))
            if not self.wait(self.backoff.pause(failures, answer.after)):
                raise GaveUpError(self.destination.masked(answer.reason))
        return answer
