"""Recording calls that a program makes itself, without a proxy: one run, and its calls while they go on.

Threads may share a run: what is recorded is recorded by one at a time.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..traces import Outcome, Redactor, RequestHashes, RunStore, read_context, secrets_of_environment
from ._call_record import CallRecord
from ._headers import Head, fields_of, masked
from ._observation import Observation
from ._request_record import read_question, recorded_request
from ._runs import OpenRun
from .apis import api_of

__all__ = ["Asked", "InProcessCall", "InProcessRun"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_FIRST_ERROR: Final = 400
_CLOSED: Final = "the transport was closed before the end of the answer"

_logger = logging.getLogger("tachograph.proxy")


class Asked(NamedTuple):
    """A request that a program is about to send."""

    method: str
    scheme: str
    host: str
    port: int | None
    """None: that of the scheme."""
    target: bytes
    """Path and query as they go on the wire."""
    head: Head
    body: bytes
    start_ns: int
    """When the program asked: Unix time, nanoseconds."""
    started: int
    """The same moment by the monotonic clock."""


class _GivenUp(NamedTuple):
    call: "InProcessCall"
    outcome: Outcome
    message: str | None


class InProcessRun:
    """A run that a program records into. `with run:` lets one thread at a time record, and no fault of it out (law 1)."""

    def __init__(self, store: Path, run_id: str, attributes: Mapping[str, Any] | None) -> None:
        """Open the run.

        Raises:
            InputError: the run id cannot name a folder.
            StoreError: the run cannot be written.
        """
        self.run_id = run_id
        self._store = RunStore(store, Redactor(secrets_of_environment(os.environ)))
        self._attributes = attributes
        self._lock = threading.Lock()
        self._given_up: deque[_GivenUp] = deque()
        self._calls: set[InProcessCall] = set()
        self._open: OpenRun | None = self._opened()

    def _opened(self) -> OpenRun:
        return OpenRun(self._store.open_run(self.run_id, self._attributes), RequestHashes())

    def begin(self, asked: Asked) -> "InProcessCall | None":
        """Put a request on disk before it goes out; None if it cannot be recorded. A closed run is opened again."""
        call = None
        with self:
            self._open = self._open or self._opened()
            call = InProcessCall(self, self._open, asked)
            self._calls.add(call)
        return call

    def give_up(self, call: "InProcessCall", outcome: Outcome, message: str | None) -> None:
        """End a call whose program or upstream went away.

        That may be found out while garbage is collected, in the middle of anything that this thread does here: so this
        waits for nobody. Whoever records just now puts it on disk when he is done.
        """
        self._given_up.append(_GivenUp(call, outcome, message))
        if self._lock.acquire(blocking=False):
            try:
                self._end_given_up()
            finally:
                self._lock.release()

    def _end_given_up(self) -> None:
        with suppress(IndexError):
            while True:
                call, outcome, message = self._given_up.popleft()
                call.end(outcome, message)

    def ended(self, call: "InProcessCall") -> None:
        """Nothing more will come of a call."""
        self._calls.discard(call)

    def close(self) -> None:
        """End the calls that go on, and seal the run unless another process has it open. Closing again does nothing.

        Raises:
            StoreError: not all could be written.
        """
        for call in tuple(self._calls):
            self.give_up(call, "client_disconnected", _CLOSED)
        with self:
            run, self._open = self._open, None
        if run is not None:
            run.recording.close()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        try:
            self._end_given_up()
        finally:
            self._lock.release()
        if not isinstance(error, Exception):
            return False
        _logger.error("run %s: a call could not be recorded whole", self.run_id, exc_info=error)
        return True


class InProcessCall:
    """One call, from its request on; it is shown all that passes, before the program gets it."""

    def __init__(self, run: InProcessRun, opened: OpenRun, asked: Asked) -> None:
        """Announce the call."""
        self._run = run
        path, _, self._query = asked.target.decode("latin-1").partition("?")
        headers = fields_of(asked.head)
        opened.learn_secrets(headers, self._query)
        api = api_of(asked.method, path)
        question = read_question(api, headers, asked.body)
        request = recorded_request(
            method=asked.method,
            path=path,
            query=self._query,
            server_address=asked.host,
            server_port=asked.port or _DEFAULT_PORTS.get(asked.scheme),
            api=api,
            question=question,
            headers=headers,
            head=asked.head,
            body=asked.body,
            sha256=opened.sha256_of_body,
        )
        recording = opened.recording
        self._observation = Observation(
            recording.run_id,
            request,
            api,
            question,
            opened.new_response(),
            start_ns=asked.start_ns,
            started=asked.started,
        )
        self._observation.stamp("request_read", time.perf_counter_ns())
        self._record = CallRecord(opened, self._observation, sync=False, remote=read_context(headers))
        self._record.begin(asked.body, None, headers.get("content-encoding", ""))
        self._status = 0
        self._length: int | None = None
        self._came_late = False
        self._over = False
        self._observation.stamp("upstream_sent", time.perf_counter_ns())

    def answered(self, status: int, head: Head) -> None:
        """Take the head of the answer."""
        with self._run:
            self._status = status
            headers = fields_of(head)
            length = headers.get("content-length", "")
            self._length = int(length) if length.isdecimal() else None
            self._observation.begin_response(status, head, headers, time.perf_counter_ns())
            self._record.hash_request()

    def take(self, chunk: bytes) -> None:
        """Take bytes of the answer's body; if they are its end, that is on disk when this returns."""
        with self._run:
            observation, record = self._observation, self._record
            if self._over:
                return
            observation.take(chunk, time.perf_counter_ns())
            observation.deliver(chunk)
            if record.ended:
                self._came_late = True
            elif observation.ended or observation.body.length == self._length:
                record.end("completed")
            observation.passed(time.perf_counter_ns())

    def complete(self) -> None:
        """The answer is over, as it should be."""
        with self._run:
            self.end("completed")

    def give_up(self, outcome: Outcome, message: str | None = None) -> None:
        """The answer is not read on; says nothing new of one that has ended."""
        self._run.give_up(self, outcome, message)

    def leave(self) -> None:
        """The program closes the answer. Of an error the head is enough for some: they do not read it, and try again."""
        self.give_up("completed" if self._status >= _FIRST_ERROR else "client_disconnected")

    def end(self, outcome: Outcome, message: str | None = None) -> None:
        """Put the end on disk, or what came after it; for who records just now."""
        if self._over:
            return
        self._over = True
        self._record.end(outcome, message and masked(message, self._query))
        if self._came_late:
            self._record.amend()
        self._run.ended(self)
