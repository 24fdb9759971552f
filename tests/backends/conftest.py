"""Real receivers of spans as processes of this machine, each from an environment of its own, which never reach outside."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / ".backends"
PATIENCE = 240
"""Seconds until a receiver is ready: Phoenix makes its database first, on a machine that may be busy."""


@dataclass
class Backend:
    """One that runs."""

    url: str
    log: Path

    def ask(self, path: str, body: Any = None) -> Any:
        """The JSON that it answers; a body makes it a POST."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def wait_until(self, told: Callable[[], Any]) -> Any:
        """What `told` gives once it is true."""
        until = time.monotonic() + PATIENCE
        while not (found := told()):
            assert time.monotonic() < until, self.log.read_text()[-3000:]
            time.sleep(0.2)
        return found


Starter = Callable[..., Backend]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def installed(name: str) -> Path:
    """The environment of a backend; the test is skipped if it is not there, or not asked for."""
    if name not in os.environ.get("TACHOGRAPH_BACKENDS", "receivers chdb").split():
        pytest.skip(f'{name} is not asked for: make test-backends BACKENDS="{name}"')
    if not (FOLDER / name / ".installed").exists():
        pytest.skip(f'{name} is not installed: make test-backends BACKENDS="{name}"')
    return FOLDER / name


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(argv: list[str | Path], port: int, ready: str | None = None, **env: str) -> Backend:
        """Start a process; it is ready when it listens, or when this path of it is answered."""
        place = tmp_path_factory.mktemp("backend")
        log = place / "log"
        own = {"PATH": os.environ["PATH"], "HOME": str(place), "DO_NOT_TRACK": "true", **env}
        with log.open("wb") as file:
            process = subprocess.Popen(argv, cwd=place, env=own, stdout=file, stderr=file, start_new_session=True)
        started.append(process)
        backend = Backend(url=f"http://127.0.0.1:{port}", log=log)

        def is_ready() -> bool:
            assert process.poll() is None, log.read_text()[-3000:]
            try:
                if ready is None:
                    socket.create_connection(("127.0.0.1", port), 5).close()
                else:
                    urllib.request.urlopen(backend.url + ready, timeout=5).close()
            except (urllib.error.URLError, OSError):
                return False
            return True

        backend.wait_until(is_ready)
        return backend

    yield begin
    for process in started:
        # The group that it leads: some start workers of their own.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
