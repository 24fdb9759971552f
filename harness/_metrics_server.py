"""The process that serves `/metrics`: it reads the journals, and nothing that it does can disturb a call."""

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.registry import Collector

from ..traces.metrics import StoreFollower, export_lags
from ._drops import DropBoard
from ._metrics_families import families

if TYPE_CHECKING:
    from prometheus_client import Metric

__all__ = ["serve_metrics"]

_PAUSE: Final = 1.0
"""Seconds between two looks at the journals while nobody asks."""
_PATH: Final = "/metrics"


class _Journals(Collector):
    """What the journals of a store come to, read on whenever somebody asks."""

    def __init__(self, store: Path, start: Mapping[str, int], drops: DropBoard) -> None:
        self._store = store
        self._follower = StoreFollower(store, start)
        self._drops = drops
        self._lock = threading.Lock()

    def read_on(self) -> None:
        with self._lock:
            self._follower.read_on()

    def collect(self) -> "Iterable[Metric]":
        with self._lock:
            self._follower.read_on()
            lags = export_lags(self._store, self._follower.read_up_to, time.time_ns())
            return list(families(self._follower, self._drops, lags))

    def describe(self) -> "Iterable[Metric]":
        return ()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.getsockname()[:2], _QuietHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_name, self.server_port = listener.getsockname()[:2]
        self.setup_environ()


class _QuietHandler(WSGIRequestHandler):
    timeout = 30

    def log_message(self, *_: object) -> None:
        """A line for each scrape is of no use."""


def serve_metrics(listener: socket.socket, store: Path, start: Mapping[str, int], drops: DropBoard) -> None:
    """Serve until the process that started this one ends it, or is gone.

    Args:
        listener: listens already.
        store: the folder of all runs.
        start: how long its journals were when counting began.
        drops: what the recording processes tell.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    logging.basicConfig(format="tachograph metrics: %(message)s", level=logging.WARNING)
    os.nice(19)
    listener.setblocking(True)
    journals = _Journals(store, start, drops)
    registry = CollectorRegistry()
    registry.register(journals)
    ProcessCollector(namespace="tachograph_metrics", registry=registry)
    app = make_wsgi_app(registry)

    def only_metrics(environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("PATH_INFO") == _PATH:
            return app(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"tachograph serves its metrics at /metrics\n"]

    server = _Server(listener)
    server.set_app(only_metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    parent = multiprocessing.parent_process()
    while parent is None or parent.is_alive():
        journals.read_on()
        time.sleep(_PAUSE)
