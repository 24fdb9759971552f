"""`tachograph serve` and `tachograph key`."""

import argparse
import asyncio
import contextlib
import functools
import multiprocessing
import multiprocessing.connection
import signal
import socket
import sys

from ..proxy import Proxy, ProxySettings, RunKeys, listen
from ..traces import InputError, Seal, TachographError, new_run_id
from ._export_options import destination_of_serve, forget_headers
from ._forwarder_process import exporting
from ._limit_options import read_limits
from ._loop import run_program, stopped
from ._masking import mask_logs
from ._open_files import allow_many_files
from ._private_memory import forget_environments_secrets, keep_memory_private
from ._upstream import chosen_upstream, settings_from

__all__ = ["key", "serve"]

_Failure = tuple[int, str]
"""Exit code and message."""


def key(options: argparse.Namespace) -> int:
    """Print a new run key, or revoke those that there are."""
    keys = RunKeys(options.store)
    if options.revoke:
        print(f"{keys.revoke_all(options.run)} keys of {options.run} revoked", file=sys.stderr)
    else:
        print(keys.issue(options.run))
    return 0


def serve(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    allow_many_files()
    keep_memory_private()
    if options.run is not None and options.require_keys:
        raise InputError(
            "--run is the run of calls that name none; with --require-keys each call names its run by its key"
        )
    with chosen_upstream(options) as (address, _):
        settings = settings_from(
            options,
            address,
            host=options.host,
            port=options.port,
            # Where every call shows the key of a run, there is none that names no run.
            default_run=None if options.require_keys else options.run or new_run_id("serve"),
            require_keys=options.require_keys,
            limits=read_limits(options.limit),
        )
        destination = destination_of_serve(options)
        forget_environments_secrets(settings.upstream_secrets())
        forget_headers()
        with exporting(options.store, destination):
            if options.workers == 1:
                return run_program(functools.partial(_serve_alone, settings))
            return _serve_with_workers(settings, options.workers)


async def _serve_alone(settings: ProxySettings) -> int:
    proxy = Proxy(settings)
    mask_logs(proxy.redactor)
    await proxy.start()
    _say_where(settings, proxy.port)
    await stopped()
    _say_seals(await proxy.stop())
    return 0


def _say_where(settings: ProxySettings, port: int) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    for upstream in settings.all_upstreams:
        asked = " ".join((*upstream.models, *upstream.paths))
        print(
            f"tachograph: recording http://{host}:{port}/v1 -> {upstream.address.base}{asked and f' for {asked}'}",
            flush=True,
        )
    if settings.require_keys:
        print(
            f"tachograph: runs in {settings.store}/; `tachograph key RUN --store {settings.store}` prints a key",
            flush=True,
        )
        print("tachograph: an agent shows it in the place of its API key; Ctrl-C ends", flush=True)
        return
    print(f"tachograph: runs in {settings.store}/, calls that name no run in {settings.default_run}", flush=True)
    print(f"tachograph: for a run of its own, an agent uses http://{host}:{port}/r/RUN/v1; Ctrl-C ends", flush=True)


def _say_seals(seals: dict[str, Seal | None]) -> None:
    for run_id, seal in seals.items():
        if seal is not None:
            print(f"tachograph: {run_id}: {seal.finished_calls} calls, sealed {seal.head[:16]}", file=sys.stderr)


class _Worker:
    """A process that serves on a socket that others serve on, too."""

    def __init__(self, settings: ProxySettings, listener: socket.socket) -> None:
        # Spawned and not forked: nothing of this process's state, and no lock held by a thread of it, goes along.
        context = multiprocessing.get_context("spawn")
        self.started, report = context.Pipe(duplex=False)
        self.process = context.Process(target=_work, args=(settings, listener, report), daemon=True)
        self.process.start()
        report.close()

    def failure(self) -> _Failure | None:
        """Wait until it serves; what it failed by, if it did."""
        with contextlib.suppress(EOFError):
            failure: _Failure | None = self.started.recv()
            return failure
        return (1, "a worker ended while it started")


def _serve_with_workers(settings: ProxySettings, count: int) -> int:
    listener = listen(settings.host, settings.port)
    port = listener.getsockname()[1]
    stopping = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True
        for worker in workers:
            worker.process.terminate()

    workers = [_Worker(settings, listener) for _ in range(count)]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    failures = [failure for worker in workers if (failure := worker.failure())]
    if failures and not stopping:
        stop(signal.SIGTERM, None)
        code, message = failures[0]
        print(f"tachograph: {message}", file=sys.stderr)
        return code
    _say_where(settings, port)
    while workers:
        ended = multiprocessing.connection.wait([worker.process.sentinel for worker in workers])
        for worker in [worker for worker in workers if worker.process.sentinel in ended]:
            workers.remove(worker)
            if not stopping:
                print(f"tachograph: worker {worker.process.pid} died; another takes its place", file=sys.stderr)
                workers.append(_Worker(settings, listener))
    return 0


def _work(settings: ProxySettings, listener: socket.socket, report: multiprocessing.connection.Connection) -> None:
    keep_memory_private()
    # Ctrl-C reaches all processes of the terminal: the parent tells this one to stop by SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run_program(functools.partial(_serve_shared, settings, listener, report))


async def _serve_shared(
    settings: ProxySettings, listener: socket.socket, report: multiprocessing.connection.Connection
) -> None:
    # Before a run is opened: whoever opens one closes it.
    terminated = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    proxy = Proxy(settings, listener)
    mask_logs(proxy.redactor)
    try:
        await proxy.start()
    except TachographError as error:
        report.send((error.exit_code, str(error)))
        return
    report.send(None)
    report.close()
    await terminated.wait()
    _say_seals(await proxy.stop())
