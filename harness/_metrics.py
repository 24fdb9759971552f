"""`serve --metrics`: where the metrics are served, and the process that does it, kept alive."""

import argparse
import importlib.util
import multiprocessing
import sys
import threading
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..proxy import listen
from ..traces import InputError, ProxyError
from ..traces.metrics import journal_sizes
from ._drops import DropBoard

if TYPE_CHECKING:
    import socket
    from multiprocessing.process import BaseProcess

__all__ = ["MetricsProcess", "metrics_address"]

_LOOPBACK: Final = "127.0.0.1"
_PAUSE: Final = 1.0
"""Seconds before a process that died is started again."""
_HIGHEST_PORT: Final = 65535


def metrics_address(text: str) -> tuple[str, int]:
    """Host and port of `[HOST:]PORT`. Raises argparse's error for what is none."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no [HOST:]PORT, such as 9464")
    return host.strip("[]") or _LOOPBACK, int(port)


class MetricsProcess:
    """Serves the metrics of a store beside the processes that record, and is started again if it dies."""

    def __init__(self, address: tuple[str, int], store: Path, drops: DropBoard, *, outside: bool) -> None:
        """Listen, and begin to count from here.

        Args:
            address: host and port.
            store: the folder of all runs.
            drops: what the recording processes tell.
            outside: others than this machine's users may read the metrics.

        Raises:
            InputError: the extra `metrics` is not installed, or the address is not loopback and `outside` is not given.
            ProxyError: the port is taken.
        """
        if importlib.util.find_spec("prometheus_client") is None:
            raise InputError("--metrics needs prometheus-client: pip install 'tachograph[metrics]'")
        try:
            self._listener: socket.socket = listen(*address)
        except ProxyError as error:
            raise ProxyError(f"--metrics: {error}") from error
        host = self._listener.getsockname()[0]
        if not outside and not ip_address(host).is_loopback:
            self._listener.close()
            raise InputError(
                f"--metrics: others than this machine's users could read them at {host}; add --metrics-outside if they are to"
            )
        self._arguments = (self._listener, store, journal_sizes(store), drops)
        self._stopping = threading.Event()
        self._process: BaseProcess | None = None
        self._keeper = threading.Thread(target=self._keep_alive, daemon=True)

    @property
    def url(self) -> str:
        """Where they are served."""
        host, port = self._listener.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"

    def start(self) -> None:
        """Begin to serve. Does not wait for it: who asks early waits."""
        self._keeper.start()

    def stop(self) -> None:
        """End it."""
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()
        if self._keeper.ident is not None:
            self._keeper.join()
        self._listener.close()

    def _keep_alive(self) -> None:
        from ._metrics_server import serve_metrics  # noqa: PLC0415  needs the extra

        context = multiprocessing.get_context("spawn")
        while not self._stopping.is_set():
            process = context.Process(target=serve_metrics, args=self._arguments, daemon=True)
            process.start()
            self._process = process
            if self._stopping.is_set():
                process.terminate()
            process.join()
            if not self._stopping.wait(_PAUSE):
                print("tachograph: the process of the metrics died; another takes its place", file=sys.stderr)
