"""What is compared: no proxy at all, nginx, and tachograph, each started afresh for a measurement."""

import contextlib
import getpass
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks._processes import started

__all__ = ["CONTESTANTS", "FLOOR", "LIMIT", "SUBJECT", "VARIANTS", "Running", "find_nginx"]

FLOOR: Final = "direct"
"""No proxy: what the machine, the upstream and the load generator take themselves."""
LIMIT: Final = "nginx"
"""A proxy in C that reads nothing and keeps nothing."""

SUBJECT: Final = "tachograph"

_START_SECONDS: Final = 20.0
_ADDRESS: Final = re.compile(r"recording http://127\.0\.0\.1:(\d+)/")
_FOREIGN: Final = ("OTEL_", "OPENAI_", "TACHOGRAPH_")
"""Variables of a user's environment that would change what is measured."""
_NGINX: Final = """
user {user}; worker_processes 1; daemon off; pid {folder}/pid; error_log stderr warn; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 600s; client_body_buffer_size 512k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 600s;
      proxy_buffering off; proxy_request_buffering off;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A contestant that serves."""

    port: int
    pid: int | None
    """None if there is no process."""
    recorded: Callable[[], int | None]
    """How many whole calls are on disk now; None if it records none."""


Start = Callable[[int, Path, int], AbstractContextManager[Running]]
"""Starts a contestant, given the upstream's port, an empty folder, and the core to run on."""


def find_nginx() -> str | None:
    """The path of nginx; None if it is not installed. Distributions put it where only root looks."""
    return shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin")))


@contextlib.contextmanager
def _direct(upstream: int, _folder: Path, _core: int) -> Iterator[Running]:
    yield Running(upstream, None, lambda: None)


@contextlib.contextmanager
def _nginx(upstream: int, folder: Path, core: int) -> Iterator[Running]:
    program = find_nginx()
    assert program is not None, "asked for only where it is installed"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(user=getpass.getuser(), folder=folder, upstream=upstream, port=port))
    with started([program, "-p", str(folder), "-c", str(config)], core, folder / "log") as process:
        _wait_for(port, folder / "log")
        yield Running(port, process.pid, lambda: None)


@contextlib.contextmanager
def _tachograph(upstream: int, folder: Path, core: int, *more: str) -> Iterator[Running]:
    store = folder / "runs"
    where = ["--upstream", f"http://127.0.0.1:{upstream}/v1", "--port", "0", "--store", str(store)]
    command = [sys.executable, "-m", "tachograph.harness", "serve", *where, *more]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    with started(command, core, folder / "log", env=environment, cwd=folder) as process:
        assert process.stdout is not None
        said = _ADDRESS.search(process.stdout.readline())
        if said is None:
            raise RuntimeError(f"tachograph did not start: {_tail(folder / 'log')}")
        yield Running(int(said[1]), process.pid, lambda: _whole_calls(store))


@contextlib.contextmanager
def _exporting(upstream: int, folder: Path, core: int) -> Iterator[Running]:
    """With a collector on the other core; the forwarder has the proxy's."""
    (other, *_) = os.sched_getaffinity(0) - {core}
    command = [sys.executable, "-m", "tests.benchmarks._collector"]
    with started(command, other, folder / "collector.log", cwd=Path(__file__).parents[2]) as collector:
        assert collector.stdout is not None
        address = f"http://127.0.0.1:{int(collector.stdout.readline())}"
        with _tachograph(upstream, folder, core, "--export", address) as running:
            yield running


@contextlib.contextmanager
def _metered(upstream: int, folder: Path, core: int) -> Iterator[Running]:
    """With metrics, which nobody asks for."""
    with _tachograph(upstream, folder, core, "--metrics", "0") as running:
        yield running


def _wait_for(port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise RuntimeError(f"nothing listens on port {port}: {_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text()[-600:].strip() or "it said nothing"


def _whole_calls(store: Path) -> int:
    """A run's journal has a line for its start, and two for each call that has ended."""
    lines = sum(journal.read_bytes().count(b"\n") for journal in store.glob("*/trace.jsonl"))
    return (lines - 1) // 2


VARIANTS: Final[Mapping[str, Start]] = {"exporting": _exporting, "metered": _metered}
"""What the subject may do beside its work."""

CONTESTANTS: Final[Mapping[str, Start]] = {FLOOR: _direct, LIMIT: _nginx, SUBJECT: _tachograph}
