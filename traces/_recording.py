"""Recording one run: its spans, its journal, its bodies, its seal."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, set_span_in_context

from . import _names as names
from ._bodies import BodyCache, BodyPack
from ._call import Amendment, Call, CallRequest
from ._errors import StoreError
from ._journal import Journal, Stamp, without_stamp
from ._kept_body import UnsearchableError
from ._messages import TunnelMessage, message_attributes
from ._otlp import NO_ATTRIBUTES, EncodedAttributes, encode_attributes_once, encode_moment, encode_span
from ._reader import JOURNAL_NAME, read_announcement, read_calls
from ._redaction import Redactor
from ._seal import Seal, survey
from ._span import amendment_attributes, call_attributes, hash_pairs, request_attributes, span_name
from ._tracing import JournalProcessor, make_envelope, make_tracer, refuse_disabled_sdk

__all__ = ["OpenCall", "RunRecording"]

_ANNOUNCED: Final = frozenset({names.AGENT, names.CHECK})
"""Kinds of spans, beside runs and calls, that last long enough to be known of before they end."""
_CLOSING_ATTEMPTS: Final = 10
_CLOSING_PAUSE: Final = 0.002
"""Seconds."""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call whose announcement is in the journal."""

    context: SpanContext
    parent: SpanContext
    start_ns: int
    """Unix time, nanoseconds."""
    asked: EncodedAttributes
    """The attributes of its request."""
    sequence: int | None
    """The call's number in the run; None if the announcement waits for a full disk."""
    links: tuple[Link, ...] = ()
    """To the span of the agent's own trace in which the call was made."""

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        return f"{self.context.span_id:016x}"


class RunRecording:
    """One run, open for writing. Several processes may have it open; the last one to close it seals it."""

    def __init__(self, folder: Path, attributes: Mapping[str, Any], cache: BodyCache, redactor: Redactor) -> None:
        """Open the run's folder, making it if need be, and announce the run if it is new.

        Args:
            folder: the run's folder; its name is the run id.
            attributes: what is known of the run from the start, on its span.
            cache: where to hold the latest request bodies, shared by the runs of a process.
            redactor: masks the secrets in all that is written.

        Raises:
            StoreError: the folder cannot be made or written, a newer tachograph wrote it, or OTEL_SDK_DISABLED is set.
        """
        refuse_disabled_sdk()
        self.run_id = folder.name
        self.folder = folder
        self.redactor = redactor
        """What masks the secrets in all that is written."""
        with contextlib.ExitStack() as opened:
            try:
                folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder.mkdir(mode=0o700, exist_ok=True)
                self._presence = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
                opened.callback(os.close, self._presence)
                fcntl.flock(self._presence, fcntl.LOCK_SH)
                self._journal = Journal(folder / JOURNAL_NAME, make_envelope())
                opened.callback(self._journal.close)
                announced = read_announcement(folder / JOURNAL_NAME)
                self.bodies = BodyPack(folder / "bodies", cache, redactor)
                opened.callback(self.bodies.close)
            except OSError as error:
                raise StoreError(f"{folder}: cannot record here: {error.strerror}") from error
            self._opened = opened.pop_all()
        self._processor = JournalProcessor(self._journal, redactor)
        self._ids = RandomIdGenerator()
        self._tracer = make_tracer(self.run_id, self._processor)
        earlier = without_stamp(announced.attributes) if announced else {}
        known = {**earlier, **attributes, **self._known(names.RUN), names.OPENINFERENCE_KIND: "CHAIN"}
        root = self._tracer.start_span(
            f"run {known.get(names.TASK_ID, self.run_id)}",
            context=Context(),
            attributes=known,
            start_time=announced.start_ns if announced else time.time_ns(),
        )
        assert isinstance(root, Span)
        self._root = root
        self._names_synced = False
        self._kept_masked: dict[str, str] = {}
        if announced is None:
            self._announce(names.RUN, root.get_span_context(), known, root.start_time or 0)
        self.context = set_span_in_context(root, Context())
        """The run's span as a parent for others."""
        self.calls_below = root.get_span_context()
        """The parent of calls: the run's span, or that of the agent that makes them."""

    def _known(self, kind: str) -> dict[str, str]:
        return {names.SPAN_KIND: kind, names.RUN_ID: self.run_id, names.SESSION_ID: self.run_id}

    @property
    def unwritten(self) -> int:
        """Lines that wait for a disk that cannot take them."""
        return self._journal.unwritten

    def start_call(
        self,
        request: CallRequest,
        start_ns: int,
        bodies_lost: str | None,
        tunnel: OpenCall | None = None,
        *,
        bodies_masked: Mapping[str, str] | None = None,
        remote: SpanContext | None = None,
    ) -> OpenCall:
        """Announce a call: from here on it is known even if this process is killed.

        Args:
            request: what is asked.
            start_ns: Unix time, nanoseconds.
            bodies_lost: why the request's body is not kept; None if it is.
            tunnel: the call through whose tunnel it is made; None for an exchange of its own.
            bodies_masked: as in `Call`, of the request.
            remote: the context that the agent sent; None without one. A span of the run's own trace is the call's parent; to
                one of another trace the call has a link, since a run is one trace, whatever traces its agents begin.
        """
        parent = tunnel.context if tunnel else self.calls_below
        links: tuple[Link, ...] = ()
        if remote is not None:
            links = (Link(remote),)
            if remote.trace_id == parent.trace_id:
                parent = remote
        span_id = self._ids.generate_span_id()
        context = SpanContext(parent.trace_id, span_id, is_remote=False, trace_flags=parent.trace_flags)
        asked = encode_attributes_once(request_attributes(request), self.redactor)
        kept: dict[str, Any] = {}
        if bodies_lost is not None:
            kept[names.BODIES_LOST] = bodies_lost
        if bodies_masked:
            kept[names.BODIES_MASKED] = hash_pairs(bodies_masked)
        # The announcement tells no parent of the call's: there, a span of the run's own trace is linked, too.
        stamp = self._announce(names.CALL, context, kept, start_ns, more=asked, links=links)
        links = () if parent is remote else links
        return OpenCall(context, parent, start_ns, asked, stamp.calls if stamp else None, links)

    def end_call(self, opened: OpenCall, call: Call) -> None:
        """Record how a call ended."""
        error = None if call.error_type is None else Status(StatusCode.ERROR, call.message or call.error_type)
        # Made whole when it ends: a span of the tracer checks, locks and copies each attribute, a quarter of a call's cost.
        span = ReadableSpan(
            name=span_name(call.request),
            context=opened.context,
            parent=opened.parent,
            resource=self._root.resource,
            attributes=call_attributes(call),
            links=opened.links,
            kind=SpanKind.CLIENT,
            status=error or Status(),
            start_time=opened.start_ns,
            end_time=opened.start_ns + (call.timing.end or 0),
            instrumentation_scope=self._root.instrumentation_scope,
        )
        self._journal.append(encode_span(span, self.redactor, opened.asked))

    def amend_call(self, opened: OpenCall, amendment: Amendment) -> None:
        """Record what was learnt of a call after its end: bytes behind the terminal event, a failed last write."""
        attributes = {**amendment_attributes(amendment), **self._known(names.TAIL)}
        self._journal.append(encode_moment(names.TAIL, opened.context, attributes, amendment.at_ns, self.redactor))

    def record_message(self, opened: OpenCall, message: TunnelMessage) -> None:
        """Record a message that passes through a call's tunnel."""
        attributes = {**message_attributes(message), **self._known(names.MESSAGE)}
        self._journal.append(encode_moment(names.MESSAGE, opened.context, attributes, message.at_ns, self.redactor))

    def _announce(
        self,
        kind: str,
        span: SpanContext,
        attributes: Mapping[str, Any],
        start_ns: int,
        *,
        more: EncodedAttributes = NO_ATTRIBUTES,
        links: tuple[Link, ...] = (),
    ) -> Stamp | None:
        """Write that a span has begun, as a span of no duration below it."""
        own = {**attributes, **self._known(kind + names.START_SUFFIX)}
        # What this project says itself holds no secret, and `more` has been searched.
        redactor = self.redactor if attributes or links else None
        announcement = encode_moment(kind + names.START_SUFFIX, span, own, start_ns, redactor, more=more, links=links)
        return self._journal.append(announcement, announces_call=kind == names.CALL)

    @contextlib.contextmanager
    def span(
        self,
        kind: str,
        name: str,
        parent: Context | None = None,
        start_ns: int | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Iterator[Span]:
        """A span of the run for the time of a `with` block, or at one moment if `start_ns` says when."""
        span = self._tracer.start_span(
            name,
            context=parent or self.context,
            attributes={**(attributes or {}), **self._known(kind)},
            start_time=start_ns,
        )
        assert isinstance(span, Span)
        if kind in _ANNOUNCED:
            self._announce(kind, span.get_span_context(), attributes or {}, span.start_time or 0)
        try:
            yield span
        finally:
            span.end(end_time=start_ns)

    def keep(self, content: bytes) -> str:
        """Store bytes that belong to the run, such as a check's output; gives their hex sha256.

        Raises:
            StoreError: they cannot be stored.
        """
        body = self.bodies.new_response()
        body.add(content)
        try:
            kept = self.bodies.put_response(body)
        except (OSError, UnsearchableError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise StoreError(f"{self.folder}: cannot be written: {reason}") from error
        if kept is not None:
            self._kept_masked[body.sha256] = kept
        return body.sha256

    def sync(self) -> None:
        """Wait until all that was recorded is safe against power loss. Bodies first: lines name them."""
        self.bodies.sync()
        self._journal.sync()
        if not self._names_synced:
            # A new file is not found after a power loss unless the folders that name it are safe, too.
            for folder in (self.folder / "bodies", self.folder, self.folder.parent):
                _sync_folder(folder)
            self._names_synced = True

    def close(self, status: str = "completed", error_type: str | None = None) -> Seal | None:
        """Close the run, and seal it unless another process has it open.

        Args:
            status: `completed`, `timeout`, `aborted` or another word for how the run ended.
            error_type: what went wrong with the recording or the harness, not with the task; None if nothing.

        Returns:
            The seal; None if another process will seal the run.

        Raises:
            StoreError: not all could be written.
        """
        # The journal is closed, and what waited for the disk written, before another process may open or seal the run.
        with self._opened:
            self._journal.flush()
            if self.unwritten or not self._is_last():
                return None
            return self._seal(status, error_type)

    def _is_last(self) -> bool:
        # Asking for the exclusive lock gives up the shared one first, so of two that close at once the second gets it.
        # A reader that asks whether the run is live holds it for a moment: hence more than one attempt.
        for _ in range(_CLOSING_ATTEMPTS):
            try:
                fcntl.flock(self._presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_CLOSING_PAUSE)
            else:
                return True
        return False

    def _seal(self, status: str, error_type: str | None) -> Seal | None:
        found = survey(self.folder)
        if found.seal is not None:
            return found.seal  # that of one that closed at the same time, or of before, and nothing was recorded since
        self._root.set_attributes({names.RUN_STATUS: status, **_totals(self.folder)})
        if self._kept_masked:
            self._root.set_attribute(names.BODIES_MASKED, hash_pairs(self._kept_masked))
        if error_type is not None:
            self._root.set_attribute(names.ERROR_TYPE, error_type)
            self._root.set_status(Status(StatusCode.ERROR, error_type))
        self._root.end()
        if self.unwritten:
            return None
        found = survey(self.folder, found)
        seal = Seal(
            lines=found.lines,
            calls=found.calls,
            finished_calls=found.finished_calls,
            bytes=found.bytes,
            head=found.head,
        )
        sealed = {
            names.SEAL_LINES: seal.lines,
            names.SEAL_CALLS: seal.calls,
            names.SEAL_FINISHED: seal.finished_calls,
            names.SEAL_BYTES: seal.bytes,
            names.SEAL_HEAD: seal.head,
        }
        moment = encode_moment(
            names.SEAL, self._root.get_span_context(), {**sealed, **self._known(names.SEAL)}, time.time_ns()
        )
        self._journal.append(moment, checked=True)
        return seal


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _totals(folder: Path) -> dict[str, int]:
    """Sums over the run's calls, under names of our own so that no backend adds them to the calls' once more."""
    calls = tokens_in = tokens_out = without = 0
    for call in read_calls(folder):
        if call.only_carries_calls:
            continue
        calls += 1
        tokens_in += call.usage.input_tokens or 0
        tokens_out += call.usage.output_tokens or 0
        without += call.usage.source == "absent"
    return {
        "tachograph.run.model_calls": calls,
        "tachograph.run.input_tokens": tokens_in,
        "tachograph.run.output_tokens": tokens_out,
        "tachograph.run.calls_without_usage": without,
    }
