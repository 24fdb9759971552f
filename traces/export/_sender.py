"""What sends a request's body, whichever the protocol is."""

import importlib.util
from collections.abc import Mapping
from typing import Final, Protocol

from .._errors import InputError
from ._answer import Answer
from ._destination import Destination
from ._profile import FurtherRequest
from ._tls import tls_context

__all__ = ["Sender", "check_sender", "open_sender"]


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


_PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "http/protobuf": ("opentelemetry.proto", "urllib3"),
    "http/json": ("opentelemetry.proto", "urllib3"),
    "grpc": ("opentelemetry.proto", "urllib3", "grpc", "google.rpc"),
}


def check_sender(destination: Destination) -> None:
    """Say what `open_sender` would be stopped by, without loading what it needs.

    Raises:
        InputError: packages are not installed, or certificates cannot be read.
    """
    for name in _PACKAGES[destination.protocol]:
        if not _is_installed(name):
            raise InputError(
                f"{name} is not installed, and {destination.protocol} needs it: pip install 'tachograph[export]'"
            )
    tls_context(destination)


def open_sender(destination: Destination) -> Sender:
    """The sender of a destination's protocol. Nothing is connected yet.

    Raises:
        InputError: as `check_sender`.
    """
    check_sender(destination)
    if destination.protocol == "grpc":
        from ._grpc import GrpcSender  # noqa: PLC0415  of the extra

        return GrpcSender(destination)
    from ._http import HttpSender  # noqa: PLC0415  of the extra

    return HttpSender(destination)


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # what it is a part of is not there
        return False
