"""A forwarder that is ready: its lock held, its sender open."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ._backoff import Backoff
from ._delivery import Delivery
from ._destination import Destination
from ._forwarder import Forwarder, Sent
from ._sender import open_sender
from ._state import DestinationState

__all__ = ["Patience", "forwarding"]


class Patience:
    """How long to go on: until told to stop, and from then on, or since the last success, so many seconds.

    A function to wait with, as `Delivery` and `follow` want it.
    """

    def __init__(self, *, without_success: float | None = None, after_stop: float = 0) -> None:
        """Begin.

        Args:
            without_success: seconds; None: without end.
            after_stop: seconds that attempts go on once it was told to stop.
        """
        self._stopped = threading.Event()
        self._without_success = without_success
        self._after_stop = after_stop
        self._give_up_at = self._later(without_success)

    def stop(self) -> None:
        """Have every wait end. Safe in a signal handler and from other threads."""
        if not self._stopped.is_set():
            self._give_up_at = self._later(self._after_stop)
            self._stopped.set()

    def succeeded(self) -> None:
        """Begin to count anew."""
        if not self._stopped.is_set():
            self._give_up_at = self._later(self._without_success)

    def pause(self, seconds: float) -> bool:
        """Wait before the next look; False once it was told to stop."""
        return not self._stopped.wait(seconds)

    def before_retry(self, seconds: float) -> bool:
        """Wait before the same is sent again; False if time is up, or would be by then."""
        left = self._give_up_at - time.monotonic()
        if not self._stopped.wait(max(0.0, min(seconds, left))):
            return left > seconds
        left = self._give_up_at - time.monotonic()
        time.sleep(max(0.0, min(seconds, left)))
        return left > seconds

    @staticmethod
    def _later(seconds: float | None) -> float:
        return float("inf") if seconds is None else time.monotonic() + seconds


def _nobody(sent: Sent) -> None:
    pass


@contextmanager
def forwarding(
    store: Path,
    destination: Destination,
    patience: Patience,
    *,
    backoff: Backoff | None = None,
    watch: Callable[[Sent], None] = _nobody,
) -> Iterator[Forwarder]:
    """A forwarder from a store to a destination.

    Args:
        store: the folder of all runs, which the state lies in.
        destination: where to.
        patience: how long it tries.
        backoff: how it pauses between two attempts; None: the usual.
        watch: told after each batch.

    Raises:
        InputError: another forwarder of the destination is at work, or packages are missing.
        StoreError: the state cannot be written.
    """
    sender = open_sender(destination)
    try:
        with DestinationState(store, destination) as state:

            def tell(failure: str | None) -> None:
                if failure is None:
                    patience.succeeded()
                state.tell(failure)

            delivery = Delivery(
                destination=destination,
                sender=sender,
                wait=patience.before_retry,
                tell=tell,
                backoff=backoff or Backoff(),
            )
            yield Forwarder(state=state, destination=destination, delivery=delivery, watch=watch)
    finally:
        sender.close()
