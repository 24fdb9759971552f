"""Recording inside a program: a transport for httpx, and for httpx2, which goes on with it (as in the SDKs since 2026).

Neither is imported here. The program's own client brings one, and which it is shows in the requests that it makes; the types
are those of httpx2.
"""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from ..traces import new_run_id
from ._in_process import Asked, InProcessCall, InProcessRun
from ._recorded_stream import AsyncStream, SyncStream, give_up, library_of, recorded

if TYPE_CHECKING:
    from httpx2 import AsyncBaseTransport, BaseTransport, Request, Response
else:
    AsyncBaseTransport = BaseTransport = object

__all__ = ["AsyncRecordingTransport", "RecordingTransport"]

_CONNECTIONS: Final = {"max_connections": 1000, "max_keepalive_connections": 100}
"""As the SDKs set them for themselves."""


class _Recorder:
    """What both transports have: a run, and the transport that does the work."""

    _WORKER: str
    """The library's own transport, by name."""

    def __init__(
        self,
        transport: Any = None,
        *,
        store: str | Path = "runs",
        run: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the run.

        Args:
            transport: does the work; None for the library's own, which looks at no proxy variables (give it one that
                has a proxy: `httpx2.HTTPTransport(proxy=…)`).
            store: the folder of all runs.
            run: the run's id, new or not; None for a new one.
            attributes: what is known of a new run from the start, on its span.

        Raises:
            InputError: the run id cannot name a folder.
            StoreError: the run cannot be written.
        """
        self._transport = transport
        self._making = threading.Lock()
        self._run = InProcessRun(Path(store), run or new_run_id("in-process"), attributes)

    @property
    def run_id(self) -> str:
        """The run's id: the name of its folder in the store."""
        return self._run.run_id

    def _worker(self, request: "Request") -> Any:
        with self._making:
            if self._transport is None:
                library = library_of(request)
                limits = library.Limits(**_CONNECTIONS)
                self._transport = getattr(library, self._WORKER)(limits=limits)
            return self._transport

    def _begin(self, request: "Request", start: tuple[int, int]) -> InProcessCall | None:
        url = request.url
        asked = Asked(
            request.method,
            url.scheme,
            url.host,
            url.port,
            url.raw_path,
            tuple(request.headers.raw),
            request.content,
            *start,
        )
        return self._run.begin(asked)


class RecordingTransport(_Recorder, BaseTransport):
    """Records every call of an `httpx.Client` or `httpx2.Client` into a run, as the proxy does, and changes nothing.

    `with RecordingTransport(store="runs", run="first") as transport:`, and in it
    `openai.OpenAI(http_client=httpx2.Client(transport=transport))`. Closing it, which closing a client does, too, seals the
    run; a call after that opens it again. Threads and clients may share one.
    """

    _WORKER = "HTTPTransport"

    def handle_request(self, request: "Request") -> "Response":
        """Send a request; it is on disk before it goes out. Raises what the transport that does the work raises."""
        start = time.time_ns(), time.perf_counter_ns()
        request.read()
        call = self._begin(request, start)
        if call is None:
            response: Response = self._worker(request).handle_request(request)
            return response
        try:
            response = self._worker(request).handle_request(request)
        except BaseException as error:
            give_up(call, error)
            raise
        return recorded(response, call, SyncStream)

    def close(self) -> None:
        """Close the connections, and seal the run. Closing again does nothing.

        Raises:
            StoreError: not all of the run could be written.
        """
        try:
            if self._transport is not None:
                self._transport.close()
        finally:
            self._run.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()


class AsyncRecordingTransport(_Recorder, AsyncBaseTransport):
    """The same for an `httpx.AsyncClient` or `httpx2.AsyncClient`.

    What is recorded is handed to the kernel in the event loop, as in the proxy: some tens of microseconds a call.
    """

    _WORKER = "AsyncHTTPTransport"

    async def handle_async_request(self, request: "Request") -> "Response":
        """Send a request; it is on disk before it goes out. Raises what the transport that does the work raises."""
        start = time.time_ns(), time.perf_counter_ns()
        await request.aread()
        call = self._begin(request, start)
        if call is None:
            response: Response = await self._worker(request).handle_async_request(request)
            return response
        try:
            response = await self._worker(request).handle_async_request(request)
        except BaseException as error:
            give_up(call, error)
            raise
        return recorded(response, call, AsyncStream)

    async def aclose(self) -> None:
        """Close the connections, and seal the run. Closing again does nothing.

        Raises:
            StoreError: not all of the run could be written.
        """
        try:
            if self._transport is not None:
                await self._transport.aclose()
        finally:
            self._run.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()
