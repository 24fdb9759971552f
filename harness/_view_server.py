"""A server of pages for this machine's user: it reads the runs of one folder, and writes nothing."""

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

import orjson

from .. import traces
from ..scoring.pages import ListedRun, read_page, render_page, render_run_list
from ..traces import InputError, RunStore, TachographError

__all__ = ["ViewServer"]

_HTML: Final = "text/html; charset=utf-8"
_JSON: Final = "application/json"
_FOLLOW: Final = "document.json"


class _Made(NamedTuple):
    """A run's page, and of what it was made."""

    stamp: str
    page: bytes
    document: bytes


class ViewServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1 only."""

    daemon_threads = True

    def __init__(self, store: Path, port: int) -> None:
        """Bind. Raises OSError: the port is taken."""
        self.store = store
        self._made: dict[str, _Made] = {}
        self._making = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        # A page of another site could have its own name lead here: no other name is served.
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}/"

    def made(self, run_id: str) -> _Made:
        """A run's page as of now, which is made once for each state of its record.

        Raises:
            InputError: there is no such run.
            StoreError: it cannot be read.
        """
        folder = self.store / traces.check_run_id(run_id)
        with self._making:
            stamp = _stamp(folder)
            known = self._made.get(run_id)
            if known is None or known.stamp != stamp:
                read = read_page(folder)
                page = render_page(read.document, read.bodies, follow=_FOLLOW)
                options = orjson.OPT_NON_STR_KEYS
                document = orjson.dumps({"document": read.document, "bodies": read.bodies}, option=options)
                # One at a time: what is looked at now is what is asked for again.
                self._made = {run_id: (known := _Made(stamp, page, document))}
            return known


def _stamp(folder: Path) -> str:
    """Another for each state of a record."""
    try:
        found = [(path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file()]
    except OSError as error:
        raise InputError(f"{folder.name}: there is no such run") from error
    told = [(name, status.st_size, status.st_mtime_ns) for name, status in found]
    return hashlib.sha256(repr((told, traces.is_live(folder))).encode()).hexdigest()[:32]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ViewServer
    timeout = 60

    def do_GET(self) -> None:
        """Answer; a run that cannot be shown is told of in a sentence."""
        if self.headers.get("Host") not in self.server.hosts:
            self._send(HTTPStatus.MISDIRECTED_REQUEST, "text/plain", b"this server is for this machine only\n")
            return
        try:
            self._route([unquote(part) for part in urlsplit(self.path).path.split("/")[1:]])
        except TachographError as error:
            self._send(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", f"{error}\n".encode())

    do_HEAD = do_GET  # noqa: N815  http.server looks for these

    def _route(self, parts: list[str]) -> None:
        match parts:
            case [""]:
                self._send(HTTPStatus.OK, _HTML, _run_list(self.server.store))
            case ["runs", run_id, ""]:
                self._send_made(self.server.made(run_id), _HTML, lambda made: made.page)
            case ["runs", run_id, name] if name == _FOLLOW:
                self._send_made(self.server.made(run_id), _JSON, lambda made: made.document)
            case _:
                raise InputError("there is nothing here")

    def _send_made(self, made: _Made, kind: str, content: Callable[[_Made], bytes]) -> None:
        tag = f'"{made.stamp}"'
        if self.headers.get("If-None-Match") == tag:
            self._send(HTTPStatus.NOT_MODIFIED, kind, b"", tag)
        else:
            self._send(HTTPStatus.OK, kind, content(made), tag)

    def _send(self, status: HTTPStatus, kind: str, body: bytes, tag: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        if tag is not None:
            self.send_header("ETag", tag)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A line for each look is of no use."""


def _run_list(store: Path) -> bytes:
    """The runs, those first that were written to last."""
    found = [(folder, (folder / "trace.jsonl").stat().st_mtime) for folder in RunStore(store).run_folders()]
    found.sort(key=lambda pair: -pair[1])
    return render_run_list(f"Runs in {store.name}", (_listed(folder, written) for folder, written in found))


def _listed(folder: Path, written: float) -> ListedRun:
    return ListedRun(
        title=folder.name,
        href=f"runs/{folder.name}/",
        written=f"{datetime.fromtimestamp(written, UTC):%Y-%m-%d %H:%M:%S} UTC",
        status="running" if traces.is_live(folder) else "",
    )
