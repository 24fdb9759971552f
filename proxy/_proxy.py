"""The proxy as an object: start it, point agents at it, stop it."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self

from ..traces import ProxyError, Redactor, RunRecording, RunStore, Seal, StoreError
from ._agent_server import AgentServer, listen
from ._handler import Handler
from ._runs import OpenRuns, Tally
from ._settings import ProxySettings
from ._upstreams import Upstreams

__all__ = ["AgentEndpoint", "Proxy", "listen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEndpoint:
    """Where and with what key an agent reaches its model through the proxy."""

    run_id: str
    url: str
    """Ends in `/v1`; names the run by its path."""
    key: str = field(repr=False)
    """The run key."""
    recording: RunRecording
    """The run, for spans of other kinds."""
    tally: Tally
    """What the run has come to so far; changes while it goes on."""


class Proxy:
    """A recording proxy inside a running event loop. `async with Proxy(settings) as proxy:` starts and stops it."""

    def __init__(self, settings: ProxySettings, listener: socket.socket | None = None) -> None:
        """Take the settings; `listener`: a socket that listens already, shared with other processes."""
        self._settings = settings
        self._listener = listener
        self._upstreams = Upstreams(settings.all_upstreams)
        self.redactor = Redactor((*settings.upstream_secrets(), *settings.secrets), settings.redact_rules)
        """What masks the secrets in all that is written."""
        self._runs = OpenRuns(RunStore(settings.store, self.redactor), settings)
        self._handler = Handler(settings, self._runs, self._upstreams)
        self._server = AgentServer(self._handler, self._handler, settings.limits)
        self._keys: dict[str, str] = {}

    async def start(self) -> None:
        """Look up the upstream, make the store, open the default run and listen.

        Raises:
            ProxyError: the upstream's host is not known, the port is taken, or others than this machine's users could connect
                and no run keys are required.
            StoreError: the store cannot be written.
        """
        await self._upstreams.start()
        try:
            self.redactor.prepare()
            if self._listener is None:
                self._listener = listen(self._settings.host, self._settings.port)
            if not self._settings.require_keys:
                _refuse_others(self._listener)
            _make_store(self._settings)
            if self._settings.default_run is not None:
                self._runs.open(self._settings.default_run)
        except Exception:  # whatever keeps it from starting, nothing of it stays open
            await self._upstreams.stop()
            if self._listener is not None:
                self._listener.close()
            raise
        await self._server.start(self._listener)

    async def stop(self) -> dict[str, Seal | None]:
        """Stop listening, give calls in flight some seconds to end, close all runs.

        Returns:
            The seal of each run that was open; None for one that another process has open.

        Raises:
            StoreError: not all could be written; all runs are closed nevertheless.
        """
        await self._server.stop(self._settings.shutdown_grace)
        await self._upstreams.stop()
        self._handler.refused_calls.close()
        seals: dict[str, Seal | None] = {}
        failures = []
        for run_id in self._runs:
            try:
                seals[run_id] = self.close_run(run_id)
            except StoreError as error:
                failures.append(str(error))
        if failures:
            raise StoreError("\n".join(failures))
        return seals

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._listener is not None, "start() comes first"
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def unwritten(self) -> int:
        """Journal lines that wait in memory for a disk that cannot take them."""
        return self._runs.unwritten

    @property
    def url(self) -> str:
        """The endpoint of the default run; ends in `/v1`."""
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"http://{host}:{self.port}/v1"

    def open_run(self, run_id: str, attributes: Mapping[str, Any] | None = None) -> AgentEndpoint:
        """Open a run and give it a key of its own.

        Raises:
            InputError: the run id cannot name a folder.
            StoreError: the run cannot be written.
        """
        run = self._runs.open(run_id, attributes)
        key = self._keys[run_id] = self._runs.keys.issue(run_id)
        url = f"{self.url.removesuffix('/v1')}/r/{run_id}/v1"
        return AgentEndpoint(run_id=run_id, url=url, key=key, recording=run.recording, tally=run.tally)

    def close_run(self, run_id: str, status: str = "completed", error_type: str | None = None) -> Seal | None:
        """Close a run, revoke its key, and seal it; None if it was not open, or another process has it open.

        Raises:
            StoreError: not all of it could be written.
        """
        key = self._keys.pop(run_id, None)
        if key is not None:
            self._runs.keys.revoke(key)
        return self._runs.close(run_id, status, error_type)


def _refuse_others(listener: socket.socket) -> None:
    host = listener.getsockname()[0]
    if not ip_address(host).is_loopback:
        raise ProxyError(
            f"others than this machine's users can connect to {host}: add --require-keys (require_keys=True in a program), and "
            "give each agent a run key (`tachograph key RUN` prints one)"
        )


def _make_store(settings: ProxySettings) -> None:
    try:
        settings.store.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{settings.store}: cannot be made: {error.strerror}; choose another --store") from error
    if not os.access(settings.store, os.W_OK | os.X_OK):
        raise StoreError(f"{settings.store}: cannot be written; choose another --store")
