"""An answer's body inside a program, recorded as the program reads it, whichever library reads it."""

import functools
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from ..traces import Outcome
from ._in_process import InProcessCall

if TYPE_CHECKING:
    from httpx2 import Response

__all__ = ["AsyncStream", "SyncStream", "give_up", "library_of", "recorded"]

_LIBRARIES: Final = frozenset({"httpx", "httpx2"})
_OUTCOMES: Final[Mapping[str, Outcome]] = {
    "ConnectError": "upstream_unreachable",
    "ConnectTimeout": "upstream_unreachable",
    "LocalProtocolError": "upstream_unreachable",
    "PoolTimeout": "upstream_unreachable",
    "ProxyError": "upstream_unreachable",
    "UnsupportedProtocol": "upstream_unreachable",
    "TimeoutException": "client_disconnected",
    "Exception": "upstream_cut",
    "BaseException": "client_disconnected",
}
"""By the name of an exception's class, or of the nearest one that it is derived from; the names are the same in both libraries.

A limit of time that the program set is its own hanging up, and so are cancellation, Ctrl-C and a generator that is let go.
"""


class SyncStream:
    """An answer's body that is recorded as it is read."""

    LIBRARY_CLASS = "SyncByteStream"
    """What the library's clients want a stream to be."""

    def __init__(self, stream: Any, call: InProcessCall) -> None:
        self._stream = stream
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._stream:
                self._call.take(chunk)
                yield chunk
        except BaseException as error:
            give_up(self._call, error)
            raise
        self._call.complete()

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._call.leave()


class AsyncStream:
    """The same, read by an event loop."""

    LIBRARY_CLASS = "AsyncByteStream"

    def __init__(self, stream: Any, call: InProcessCall) -> None:
        self._stream = stream
        self._call = call

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                self._call.take(chunk)
                yield chunk
        except BaseException as error:
            give_up(self._call, error)
            raise
        self._call.complete()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._call.leave()


def recorded(response: "Response", call: InProcessCall, stream: Any) -> "Response":
    """An answer whose body will be recorded as the program reads it."""
    call.answered(response.status_code, tuple(response.headers.raw))
    if response.is_closed:  # a cache or a double has read it
        call.take(response.content)
        call.complete()
        return response
    response.stream = _stream_of(library_of(response), stream)(response.stream, call)
    return response


def give_up(call: InProcessCall, error: BaseException) -> None:
    """Record that a call ended by an exception, which goes on to the program."""
    outcome = next(_OUTCOMES[base.__name__] for base in type(error).__mro__ if base.__name__ in _OUTCOMES)
    call.give_up(outcome, f"{type(error).__name__}: {error}" if isinstance(error, Exception) else None)


def library_of(thing: object) -> Any:
    """The library that a request or an answer is of."""
    names = (base.__module__.partition(".")[0] for base in type(thing).__mro__)
    return sys.modules[next(name for name in names if name in _LIBRARIES)]


@functools.cache
def _stream_of(library: Any, stream: Any) -> Any:
    """The class of a recorded stream that is one of the library's streams, too."""
    return type(stream.__name__, (stream, getattr(library, stream.LIBRARY_CLASS)), {})
