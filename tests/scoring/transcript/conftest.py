"""Runs of chat completions or another API, recorded as the proxy records them."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring.transcript import Turn, read_transcript
from tachograph.traces import (
    BodyReader,
    Call,
    CallRequest,
    CallResponse,
    RunRecording,
    RunStore,
    Timing,
    Usage,
    read_run,
)

START = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


class Conversation:
    """Records calls of one run, a second apart."""

    def __init__(self, recording: RunRecording) -> None:
        self._recording = recording
        self._calls = 0

    def call(self, body: bytes, answer: bytes | None, **changed: Any) -> None:
        """Record a call by its bodies; an answer of None was never given. `keep=False` forgets the bodies."""
        self._calls += 1
        start_ns = changed.pop("start_ns", START + self._calls * SECOND)
        keep = changed.pop("keep", True)
        request_head, head = changed.pop("request_head", ""), changed.pop("head", "content-type: application/json")
        status, outcome = changed.pop("status", 200), changed.pop("outcome", "completed")
        request = CallRequest(
            method="POST",
            path="/v1/chat/completions",
            query=None,
            server_address="127.0.0.1",
            server_port=80,
            api=changed.pop("api", "chat_completions"),
            provider="openai",
            model="a-model",
            streamed=False,
            session_id=None,
            previous_response_id=changed.pop("previous_response_id", None),
            body_hash=sha256(body).hexdigest(),
            bytes=len(body),
            sent_body_hash=None,
            sent_bytes=None,
            head=f"Content-Type: application/json\r\n{request_head}",
        )
        response = answer if answer is None else self._response(answer, status, head, changed.pop("response_id", None))
        bodies = self._recording.bodies
        if keep:
            bodies.put_request(body, request.body_hash or "")
            grown = bodies.new_response()
            grown.add(answer or b"")
            bodies.put_response(grown)
        opened = self._recording.start_call(request, start_ns, None)
        call = Call(
            run_id=self._recording.run_id,
            span_id="",
            sequence=opened.sequence,
            attempt=1,
            outcome=outcome,
            error_type=None,
            message=None,
            discarded=False,
            request=request,
            request_hash=None,
            response=response,
            usage=Usage(source="absent"),
            timing=Timing(start_ns=start_ns, end=SECOND // 2),
            bodies_lost=changed.pop("bodies_lost", None),
        )
        assert not changed
        self._recording.end_call(opened, call)

    def _response(self, answer: bytes, status: int, head: str, response_id: str | None) -> CallResponse:
        return CallResponse(
            status=status,
            model=None,
            id=response_id,
            upstream_request_id=None,
            finish_reasons=(),
            tool_calls=(),
            body_hash=sha256(answer).hexdigest(),
            bytes=len(answer),
            delivered_body_hash=None,
            delivered_bytes=len(answer),
            head=head,
        )

    def say(self, messages: list[dict[str, Any]], *choices: dict[str, Any], **changed: Any) -> None:
        """Record a call by what it asks and what it is answered."""
        request = json.dumps({"model": "a-model", "messages": messages, **changed.pop("request", {})})
        told = [{"index": index, "message": choice, "finish_reason": "stop"} for index, choice in enumerate(choices)]
        self.call(request.encode(), json.dumps({"choices": told}).encode(), **changed)

    @property
    def folder(self) -> Path:
        return self._recording.folder

    def turns(self) -> tuple[Turn, ...]:
        """What is read of all that was recorded so far."""
        return read_transcript(read_run(self.folder).calls, BodyReader(self.folder / "bodies"))

    def turn(self) -> Turn:
        """What is read of the one call that was recorded."""
        (turn,) = self.turns()
        return turn


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture(scope="session")
def converse() -> type[Conversation]:
    return Conversation


@pytest.fixture
def conversation(store: RunStore) -> Iterator[Conversation]:
    recording = store.open_run("the-run")
    yield Conversation(recording)
    recording.close()
