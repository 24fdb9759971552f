"""What sends a request's body, whichever the protocol is."""

from typing import Protocol

from .._errors import InputError
from ._answer import Answer
from ._destination import Destination
from ._profile import FurtherRequest

__all__ = ["Sender", "open_sender"]


class Sender(Protocol):
    """Sends once, and never repeats by itself."""

    def send(self, body: bytes) -> Answer:
        """Send spans, as `body_of` encodes them; the answer's meaning. A fault of the transport is a `Retry`."""
        ...

    def ask(self, request: FurtherRequest) -> Answer:
        """Make a request of a profile."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


def open_sender(destination: Destination) -> Sender:
    """The sender of a destination's protocol. Nothing is connected yet.

    Raises:
        InputError: the packages that it needs are not installed, or its certificates cannot be read.
    """
    try:
        if destination.protocol == "grpc":
            from ._grpc import GrpcSender  # noqa: PLC0415  of the extra

            return GrpcSender(destination)
        from . import _protobuf  # noqa: F401, PLC0415  of the extra
        from ._http import HttpSender  # noqa: PLC0415  of the extra

        return HttpSender(destination)
    except ImportError as error:
        raise InputError(f"{error.name} is not installed: pip install 'tachograph[export]'") from error
