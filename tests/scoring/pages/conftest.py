"""Runs as folders, for pages of them: recorded by the same classes as the proxy's."""

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import Call, CallRequest, CallResponse, RunRecording, RunStore, Timing, Usage

START = 1_700_000_000_123_456_000
SECOND = 1_000_000_000
USED = Usage(source="provider", input_tokens=100, output_tokens=20, cache_read_tokens=60, reasoning_tokens=5)


class Agent:
    """Records what an agent asks and is answered, a call every ten seconds that takes two."""

    def __init__(self, recording: RunRecording) -> None:
        self.recording = recording
        self.calls = 0
        self._is_open = True

    def close(self) -> Path:
        """End the run, if it has not ended; gives its folder."""
        if self._is_open:
            self.recording.close()
        self._is_open = False
        return self.recording.folder

    def ask(self, messages: list[dict[str, Any]], answer: dict[str, Any] | None, **changed: Any) -> str:
        """Record a call with a whole conversation. An answer of None was never given, and the call did not end."""
        members = {"model": "a-model", "messages": messages, "temperature": 0.5, **changed.pop("members", {})}
        told = {"choices": [{"index": 0, "message": answer, "finish_reason": "stop"}]}
        answered = None if answer is None else json.dumps(told).encode()
        return self.record(json.dumps(members).encode(), answered, **changed)

    def record(self, body: bytes, answer: bytes | None, **changed: Any) -> str:
        """Record a call by its bodies; gives its span id."""
        self.calls += 1
        keep = changed.pop("keep", True)
        request = _request(body, **changed.pop("request", {}))
        if keep:
            self.recording.bodies.put_request(body, request.body_hash or "")
        start_ns = changed.pop("start_ns", START + self.calls * 10 * SECOND)
        lost = None if keep else "only hashes of bodies are kept"
        opened = self.recording.start_call(request, start_ns, lost)
        span_id = f"{opened.context.span_id:016x}"
        if answer is None:
            return span_id
        if keep:
            grown = self.recording.bodies.new_response()
            grown.add(answer)
            self.recording.bodies.put_response(grown)
        members: dict[str, Any] = {
            "run_id": self.recording.run_id,
            "span_id": "",
            "sequence": opened.sequence,
            "attempt": 1,
            "outcome": "completed",
            "error_type": None,
            "message": None,
            "discarded": False,
            "request": request,
            "request_hash": sha256(b"asked" + body).hexdigest(),
            "response": _response(answer, **changed.pop("response", {})),
            "usage": USED,
            "timing": Timing(
                start_ns=start_ns,
                request_read=1_000,
                upstream_sent=2_000,
                first_byte_in=SECOND,
                first_byte_out=SECOND + 500,
                first_content=SECOND,
                last_byte=2 * SECOND,
                end=2 * SECOND,
            ),
            "bodies_lost": lost,
        }
        self.recording.end_call(opened, Call(**members | changed))
        return span_id


def _request(body: bytes, **changed: Any) -> CallRequest:
    members: dict[str, Any] = {
        "method": "POST",
        "path": "/v1/chat/completions",
        "query": None,
        "server_address": "api.example.com",
        "server_port": 443,
        "api": "chat_completions",
        "provider": "openai",
        "model": "a-model",
        "streamed": True,
        "session_id": None,
        "body_hash": sha256(body).hexdigest(),
        "bytes": len(body),
        "sent_body_hash": None,
        "sent_bytes": None,
        "head": "Content-Type: application/json",
    }
    return CallRequest(**members | changed)


def _response(answer: bytes, **changed: Any) -> CallResponse:
    members: dict[str, Any] = {
        "status": 200,
        "model": "a-model-2026",
        "id": "r1",
        "upstream_request_id": None,
        "finish_reasons": ("stop",),
        "tool_calls": (),
        "body_hash": sha256(answer).hexdigest(),
        "bytes": len(answer),
        "delivered_body_hash": None,
        "delivered_bytes": len(answer),
        "head": "content-type: application/json",
    }
    return CallResponse(**members | changed)


@pytest.fixture
def start_run(tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    """Opens runs by their ids and attributes; what the test does not close is closed after it."""
    agents: list[Agent] = []

    def start(run_id: str = "the-run", **attributes: Any) -> Agent:
        agents.append(Agent(RunStore(tmp_path / "runs").open_run(run_id, attributes)))
        return agents[-1]

    yield start
    for agent in agents:
        agent.close()


@pytest.fixture
def agent(start_run: Callable[..., Agent]) -> Agent:
    return start_run()


def unpack_bodies(packed: dict[str, str]) -> list[str]:
    """The bodies of a page, as a script unpacks them: lengths are UTF-16 code units."""
    assert packed["coding"] == "gzip+base64"
    bodies: list[bytes] = []
    for body in json.loads(gzip.decompress(base64.b64decode(packed["data"])))["bodies"]:
        like = b"" if body["like"] is None else bodies[body["like"]]
        end = like[len(like) - 2 * body["suffix"] :]
        bodies.append(like[: 2 * body["prefix"]] + body["text"].encode("utf-16-le") + end)
    return [body.decode("utf-16-le") for body in bodies]


@pytest.fixture(scope="session")
def unpack() -> Callable[[dict[str, str]], list[str]]:
    return unpack_bodies
