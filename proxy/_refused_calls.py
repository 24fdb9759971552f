"""The record of calls that the proxy refused: they are calls, too (law 2), but nothing of them went up.

What a stranger asks belongs to no run that somebody measures: it would count there. It goes to a run of its own, made when
the first such call comes, a new one for each process, which no call can name. It grows by no more than 1,000 calls of a few
KB: a disk must not be filled by who has no key.
"""

import logging
import time
from typing import Final

from ..traces import Call, CallRequest, CallResponse, Timing, Usage, new_run_id
from ._agent_connection import AgentRequest
from ._headers import recorded_head, recorded_query
from ._refusal import Refusal
from ._runs import OpenRun, OpenRuns, Target
from .apis import api_of

__all__ = ["RefusedCalls"]

_MOST: Final = 1000
"""Calls without a run that are recorded; of more of them there is only the number."""
_LONGEST_PATH: Final = 1024
"""Characters that are recorded of the path of a call without a run."""
_NO_BODIES: Final = "the call was refused"
_SPAN: Final = "refused"

_logger = logging.getLogger("tachograph.proxy")


class RefusedCalls:
    """Records what is refused. No fault of the recording leaves it (law 1)."""

    def __init__(self, runs: OpenRuns) -> None:
        """Take the runs of the proxy."""
        self._runs = runs
        self._run: OpenRun | None = None
        self._strangers = 0

    def record(self, request: AgentRequest, target: Target, refusal: Refusal, run: OpenRun | None) -> None:
        """Put a refused call on disk, without its body; of one that belongs to no run without its head, too."""
        try:
            if run is not None:
                run.learn_secrets(request.headers, target.query)
                asked = _request(request, target.path, recorded_query(target.query), recorded_head(request.head))
                _record(run, request, asked, refusal)
            elif (strangers := self._next()) is not None:
                path = target.path if target.run_id is None else f"/r/{target.run_id}{target.path}"
                _record(strangers, request, _request(request, path[:_LONGEST_PATH], None, None), refusal)
        except Exception:
            _logger.exception("a call that was refused could not be recorded")

    def _next(self) -> OpenRun | None:
        """The run for one more call that belongs to none; None if there were too many."""
        self._strangers += 1
        if self._strangers > _MOST:
            if self._strangers == _MOST + 1:
                _logger.warning("%d calls were refused: of more of them, only the number is recorded", _MOST)
            return None
        if self._run is None:
            run_id = new_run_id("refused")
            self._runs.keys.require(run_id)
            self._run = self._runs.open(run_id, {"tachograph.run.refused": True})
        return self._run

    def close(self) -> None:
        """Record how many more there were. The run itself is closed with the others."""
        unrecorded = self._strangers - _MOST
        if self._run is not None and unrecorded > 0:
            attributes = {"tachograph.refused.unrecorded_calls": unrecorded}
            with self._run.recording.span(_SPAN, f"{unrecorded} more calls refused", attributes=attributes):
                pass


def _request(request: AgentRequest, path: str, query: str | None, head: str | None) -> CallRequest:
    api = api_of(request.method, path)
    return CallRequest(
        method=request.method,
        path=path,
        query=query,
        server_address=None,
        server_port=None,
        api=api.name if api else None,
        provider=api.provider if api else None,
        model=None,
        streamed=False,
        session_id=None,
        body_hash=None,
        bytes=None if request.refusal else len(request.body or b""),
        sent_body_hash=None,
        sent_bytes=None,
        head=head,
    )


def _record(run: OpenRun, request: AgentRequest, asked: CallRequest, refusal: Refusal) -> None:
    recording = run.recording
    opened = recording.start_call(asked, request.start_ns, _NO_BODIES)
    response = CallResponse(
        status=refusal.status,
        model=None,
        id=None,
        upstream_request_id=None,
        finish_reasons=(),
        tool_calls=(),
        body_hash=None,
        bytes=None,
        delivered_body_hash=None,
        delivered_bytes=None,
        head=None,
    )
    call = Call(
        run_id=recording.run_id,
        span_id=opened.span_id,
        sequence=opened.sequence,
        attempt=1,
        outcome="completed",
        error_type=refusal.code,
        message=refusal.message,
        discarded=False,
        request=asked,
        request_hash=None,
        response=response,
        usage=Usage(source="absent", reason="the proxy refused the call: nothing went up"),
        timing=Timing(start_ns=request.start_ns, end=time.perf_counter_ns() - request.started),
        bodies_lost=_NO_BODIES,
    )
    recording.end_call(opened, call)
    run.tally.add(call.usage)
