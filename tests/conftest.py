"""An upstream that answers by rule and keeps its own log, and the command line as a process."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Rule = Callable[[dict[str, Any]], str]
"""From a parsed chat completion request to the words of the answer."""


@dataclass
class LoggedCall:
    """What the upstream saw of one call, and what it said."""

    request_hash: str
    request: dict[str, Any]
    authorization: str | None
    prompt_tokens: int
    completion_tokens: int
    streamed: bool


@dataclass
class RuleUpstream:
    """A chat completions endpoint on a thread of its own."""

    rule: Rule
    calls: list[LoggedCall] = field(default_factory=list)
    url: str = ""


def words(text: str) -> int:
    return len(text.split())


def make_handler(upstream: RuleUpstream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = json.loads(body)
            answer = upstream.rule(request)
            streamed = bool(request.get("stream"))
            usage = {
                "prompt_tokens": words(json.dumps(request["messages"])),
                "completion_tokens": words(answer),
                "total_tokens": words(json.dumps(request["messages"])) + words(answer),
            }
            upstream.calls.append(
                LoggedCall(
                    request_hash=sha256(body).hexdigest(),
                    request=request,
                    authorization=self.headers["Authorization"],
                    prompt_tokens=usage["prompt_tokens"],
                    completion_tokens=usage["completion_tokens"],
                    streamed=streamed,
                )
            )
            if streamed:
                self.stream(request, answer, usage)
            else:
                self.whole(request, answer, usage)

        def whole(self, request: dict[str, Any], answer: str, usage: dict[str, int]) -> None:
            message = {"role": "assistant", "content": answer}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            said = {"id": "w1", "object": "chat.completion", "model": request["model"], "choices": [choice]}
            body = json.dumps({**said, "created": 1, "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def stream(self, request: dict[str, Any], answer: str, usage: dict[str, int]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            deltas: list[dict[str, Any]] = [{"role": "assistant"}, *({"content": part} for part in pieces(answer)), {}]
            head = {"id": "s1", "object": "chat.completion.chunk", "created": 1, "model": request["model"]}
            for delta in deltas:
                choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}
                self.event(json.dumps({**head, "choices": [choice]}))
            if (request.get("stream_options") or {}).get("include_usage"):
                self.event(json.dumps({**head, "choices": [], "usage": usage}))
            self.event("[DONE]")
            self.wfile.write(b"0\r\n\r\n")

        def event(self, data: str) -> None:
            line = f"data: {data}\n\n".encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def pieces(text: str) -> list[str]:
    return [text[start : start + 7] for start in range(0, len(text), 7)]


@pytest.fixture
def rule_upstream() -> Iterator[Callable[[Rule], RuleUpstream]]:
    servers: list[ThreadingHTTPServer] = []

    def start(rule: Rule) -> RuleUpstream:
        upstream = RuleUpstream(rule)
        server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(upstream))
        server.daemon_threads = True
        upstream.url = f"http://127.0.0.1:{server.server_port}/v1"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return upstream

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@dataclass
class CommandLine:
    """Runs `tachograph` as its user does: a process, a folder, an environment."""

    folder: Path
    env: dict[str, str]

    def argv(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "tachograph.harness", *map(str, arguments)]

    def __call__(self, *arguments: str | Path, timeout: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*arguments),
            cwd=self.folder,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str | Path, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(*arguments),
            cwd=self.folder,
            env={**self.env, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def tachograph(tmp_path: Path) -> CommandLine:
    """The command line in an empty folder, with no key in its environment."""
    secret = ("_KEY", "_TOKEN")
    env = {name: value for name, value in os.environ.items() if not name.endswith(secret)}
    return CommandLine(tmp_path, env)
