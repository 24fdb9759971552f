"""The forwarder of `serve`: a process of its own, which the proxy never waits for and which is started again if it dies."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ..traces import InputError, TachographError
from ..traces.export import Destination, GaveUpError, Patience, check_sender, follow, forwarding
from ._export_options import quiet_grpc
from ._private_memory import keep_memory_private

__all__ = ["DRAIN_SECONDS", "exporting"]

DRAIN_SECONDS: Final = 5.0
"""What is left of it at the end of `serve` goes with the next `serve` or `export`."""
_GRACE_SECONDS: Final = 2.0
_RESTART_PAUSE: Final = 1.0
_LOCK_PAUSE: Final = 1.0


@contextmanager
def exporting(store: Path, destination: Destination | None) -> Iterator[None]:
    """Have the runs of a store forwarded while the block runs; None: nothing happens.

    Raises:
        InputError: the packages for it are not installed, or its certificates cannot be read.
    """
    if destination is None:
        yield
        return
    check_sender(destination)  # what is wrong with it is said before anything starts
    print(f"tachograph: exporting to {destination.shown} by {destination.protocol}", file=sys.stderr, flush=True)
    supervisor = _Supervisor(store, destination)
    try:
        yield
    finally:
        supervisor.stop()


class _Supervisor:
    """A thread that starts the process again when it dies."""

    def __init__(self, store: Path, destination: Destination) -> None:
        self._arguments = (store, destination)
        self._stopping = threading.Event()
        self._process = self._start()
        self._thread = threading.Thread(target=self._watch, name="forwarder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give it a bounded time to send what is left."""
        self._stopping.set()
        self._living.close()
        self._thread.join(DRAIN_SECONDS + _GRACE_SECONDS)
        self._process.kill()
        self._thread.join()

    def _start(self) -> multiprocessing.context.SpawnProcess:
        # Spawned and not forked, as the workers are. The headers go by a pipe: no argv and no environment holds them.
        context = multiprocessing.get_context("spawn")
        watched, self._living = context.Pipe(duplex=False)
        process = context.Process(target=_forward, args=(*self._arguments, watched), daemon=True)
        process.start()
        watched.close()
        return process

    def _watch(self) -> None:
        while True:
            self._process.join()
            if self._stopping.is_set():
                return
            print(f"tachograph: forwarder {self._process.pid} died; another takes its place", file=sys.stderr)
            if self._stopping.wait(_RESTART_PAUSE):
                return
            self._process = self._start()


def _forward(store: Path, destination: Destination, parent: multiprocessing.connection.Connection) -> None:
    # A signal to all processes of the terminal or the service is the parent's affair: this one ends after it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    keep_memory_private()
    quiet_grpc()
    with suppress(OSError):
        # The calls go first: it runs when a core has nothing else to do, and what it has not sent yet is on disk.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    patience = Patience(after_stop=DRAIN_SECONDS)
    threading.Thread(target=_stop_at_the_end, args=(parent, patience), daemon=True).start()
    told = False
    while True:
        try:
            with forwarding(store, destination, patience) as forwarder:
                follow(forwarder, store, patience.pause)
        except GaveUpError:
            print("tachograph: not all was exported; the next serve or export goes on", file=sys.stderr)
        except InputError as error:  # another forwarder is at work, and may end
            if not told:
                print(f"tachograph: {error}; waiting for its end", file=sys.stderr)
                told = True
            if patience.pause(_LOCK_PAUSE):
                continue
        except TachographError as error:
            print(f"tachograph: {error}", file=sys.stderr)
            if patience.pause(_LOCK_PAUSE):
                continue
        return


def _stop_at_the_end(parent: multiprocessing.connection.Connection, patience: Patience) -> None:
    """The parent closes its end, or the kernel does if it was killed."""
    with suppress(EOFError, OSError):
        parent.recv_bytes()
    patience.stop()
