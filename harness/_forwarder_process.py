"""The forwarder of `serve`: a process of its own, which the proxy never waits for and which is started again if it dies."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ..traces import InputError, TachographError
from ..traces.export import Destination, GaveUpError, Patience, follow, forwarding, open_sender
from ._private_memory import keep_memory_private

__all__ = ["DRAIN_SECONDS", "exporting"]

DRAIN_SECONDS: Final = 5.0
"""What is left of it at the end of `serve` goes with the next `serve` or `export`."""
_GRACE_SECONDS: Final = 2.0
_RESTART_PAUSE: Final = 1.0
_LOCK_PAUSE: Final = 1.0
_NICE: Final = 10
"""The calls go first."""


@contextmanager
def exporting(store: Path, destination: Destination | None) -> Iterator[None]:
    """Have the runs of a store forwarded while the block runs; None: nothing happens.

    Raises:
        InputError: the packages for it are not installed, or its certificates cannot be read.
    """
    if destination is None:
        yield
        return
    open_sender(destination).close()  # what is wrong with it is said before anything starts
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
        with suppress(ValueError, AttributeError):
            self._process.terminate()
        self._thread.join(DRAIN_SECONDS + _GRACE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
        self._thread.join()

    def _start(self) -> multiprocessing.context.SpawnProcess:
        # Spawned and not forked, as the workers are. The headers go by a pipe: no argv and no environment holds them.
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=_forward, args=self._arguments, daemon=True)
        process.start()
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


def _forward(store: Path, destination: Destination) -> None:
    keep_memory_private()
    with suppress(OSError):
        os.nice(_NICE)
    patience = Patience(after_stop=DRAIN_SECONDS)
    # Ctrl-C reaches all processes of the terminal: the proxy ends first, and then tells this one by SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _signal, _frame: patience.stop())
    _stop_with_the_parent(patience)
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


def _stop_with_the_parent(patience: Patience) -> None:
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            patience.stop()

    threading.Thread(target=wait, daemon=True).start()
