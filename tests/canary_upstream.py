"""A model, and a WebSocket, that tell secrets in every way in which an upstream can tell anything."""

import contextlib
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from websockets.sync.server import ServerConnection, serve

from tests.canary_secrets import Planted

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class Model(BaseHTTPRequestHandler):
    """Answers in the way that a request's model names, with the secret that is planted there."""

    protocol_version = "HTTP/1.1"
    planted: Mapping[str, Planted] = {}

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        way = "echo" if self.headers["Content-Encoding"] else json.loads(asked)["model"]
        getattr(self, "say_" + way.replace(" ", "_"))()

    def say(self, text: str, status: int = 200, *headers: tuple[str, str]) -> None:
        message = {"role": "assistant", "content": text}
        body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
        self.send(body, "application/json", status, *headers)

    def send(self, body: bytes, kind: str, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        # In pieces that cut each secret.
        for start in range(0, len(body), 37):
            self.wfile.write(body[start : start + 37])

    def say_echo(self) -> None:
        self.say(" ".join(f"{name}={value}" for name, value in self.headers.items()))

    def say_refuse(self) -> None:
        self.say(f"no such key: {self.headers['Authorization']} {self.planted['refuse'].text}", 401)

    def say_header(self) -> None:
        self.say("see the head", 200, ("X-Debug", self.planted["header"].text))

    def say_upstream_header(self) -> None:
        self.say(f"{self.headers['X-Gateway']} {self.planted['rule'].text}")

    def say_zstd(self) -> None:
        said = json.dumps({"choices": [], "note": self.planted["zstd"].text}).encode()
        self.send(zstd.compress(said), "application/json", 200, ("Content-Encoding", "zstd"))

    def say_chunks(self) -> None:
        self.send(f"data: {json.dumps({'note': self.planted['chunks'].text})}\n\n".encode(), "text/event-stream", 200)

    def say_stream(self) -> None:
        mark, secret = self.planted["stream"].text.split()
        pieces = [f"{mark} ", *(secret[start : start + 5] for start in range(0, len(secret), 5)), " that is it"]
        events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
        said = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self.send(said.encode(), "text/event-stream", 200)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def upstreams(planted: Mapping[str, Planted], file: Path) -> Iterator[None]:
    """The model, a WebSocket that says everything back, and the file that names them."""

    def say_back(socket: ServerConnection) -> None:
        for message in socket:
            socket.send(message)

    handler = type("PlantedModel", (Model,), {"planted": planted})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as model, serve(say_back, "127.0.0.1", 0) as sockets:
        servers = [threading.Thread(target=server.serve_forever) for server in (model, sockets)]
        for server in servers:
            server.start()
        file.write_text(
            f'[sockets]\nurl = "http://127.0.0.1:{sockets.socket.getsockname()[1]}/v1"\npaths = ["/v1/socket*"]\n'
            f'[model]\nurl = "http://127.0.0.1:{model.server_address[1]}/v1"\nkey_env = "TACHOGRAPH_UPSTREAM_KEY"\n'
            f'headers = {{"X-Gateway" = "{planted["upstream header"].secret}"}}\n'
        )
        try:
            yield
        finally:
            model.shutdown()
            sockets.shutdown()
            for server in servers:
                server.join()
