"""The examples of recording inside a program, and the README's, with the real SDKs against an endpoint that answers by rule."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import Call, read_calls, verify

ROOT = Path(__file__).parents[2]
KEY = "sk-" + "x" * 20


def reversed_words(text: str) -> str:
    return " ".join(reversed(text.split()))


def chat(request: dict[str, Any]) -> list[dict[str, Any]]:
    said = reversed_words(request["messages"][-1]["content"])
    head = {"id": "c", "created": 1, "model": request["model"]}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    if not request.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        return [{**head, "object": "chat.completion", "choices": [choice], "usage": usage}]
    deltas: list[dict[str, str]] = [{"role": "assistant"}, {"content": said}, {}]
    choices = [[{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}] for delta in deltas]
    return [*({**head, "choices": each} for each in choices), {**head, "choices": [], "usage": usage}]


def responses(request: dict[str, Any]) -> list[dict[str, Any]]:
    part = {"type": "output_text", "text": reversed_words(request["input"]), "annotations": []}
    item = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
    head = {"id": "r", "object": "response", "created_at": 1, "model": request["model"], "status": "completed"}
    return [{**head, "output": [item], "usage": {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}}]


def messages(request: dict[str, Any]) -> list[dict[str, Any]]:
    said = reversed_words(request["messages"][-1]["content"])
    head = {"id": "a", "type": "message", "role": "assistant", "model": request["model"], "content": []}
    usage = {"input_tokens": 5, "output_tokens": 1}
    return [
        {"type": "message_start", "message": {**head, "usage": usage, "stop_reason": None, "stop_sequence": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": said}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]


def event(said: dict[str, Any]) -> bytes:
    kind = f"event: {said['type']}\n" if "type" in said else ""
    return f"{kind}data: {json.dumps(said)}\n\n".encode()


RULES = {"/v1/chat/completions": chat, "/v1/responses": responses, "/v1/messages": messages}


class Handler(BaseHTTPRequestHandler):
    """Says the words of the question in the other order, in each API's way."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert KEY in (self.headers["Authorization"] or "") + (self.headers["x-api-key"] or "")
        objects = RULES[self.path](request)
        body = json.dumps(objects[0]).encode()
        if request.get("stream"):
            body = b"".join(map(event, objects)) + (b"" if RULES[self.path] is messages else b"data: [DONE]\n\n")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if request.get("stream") else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Where the SDKs look for endpoint and key."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    openai = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": KEY}
    yield {**os.environ, **openai, "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY}
    server.shutdown()
    server.server_close()


def recorded(argv: list[str], folder: Path, environment: dict[str, str], run: str) -> tuple[str, list[Call]]:
    """What a program says, and the calls of its run, which is sealed."""
    done = subprocess.run(
        [sys.executable, *argv], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert verify(folder / "runs" / run).state == "sealed"
    written = b"".join(path.read_bytes() for path in (folder / "runs").rglob("*") if path.is_file())
    assert KEY.encode() not in written
    return done.stdout, sorted(read_calls(folder / "runs" / run), key=lambda call: call.sequence or 0)


def counts(calls: list[Call]) -> list[tuple[str | None, int | None, int | None]]:
    assert {call.outcome for call in calls} == {"completed"}
    return [(call.request.api, call.usage.input_tokens, call.usage.output_tokens) for call in calls]


def test_the_openai_sdk(tmp_path: Path, environment: dict[str, str]) -> None:
    """A stream and a whole answer, of two APIs, with their usage."""
    said, calls = recorded([str(ROOT / "examples" / "record_openai.py"), "m"], tmp_path, environment, "openai-example")
    assert said.startswith("hello. Say\ngoodbye. Say\n")
    assert counts(calls) == [("chat_completions", 3, 2), ("responses", 4, 2)]


def test_the_anthropic_sdk(tmp_path: Path, environment: dict[str, str]) -> None:
    """Two streams, with their usage."""
    argv = [str(ROOT / "examples" / "record_anthropic.py"), "m"]
    said, calls = recorded(argv, tmp_path, environment, "anthropic-example")
    assert said.startswith("hello. Say\ngoodbye. Say\n")
    assert counts(calls) == [("messages", 5, 2), ("messages", 5, 2)]


def test_the_readmes_program(tmp_path: Path, environment: dict[str, str]) -> None:
    """It runs as printed."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    _, calls = recorded(["-c", program], tmp_path, environment, "mine")
    assert counts(calls) == [("chat_completions", 3, 2)]
