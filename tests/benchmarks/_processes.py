"""Processes on one core each: started there, ended by their ids, and what they used. Linux only."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["CoreTime", "core_time", "cpu_seconds", "memory", "on_core", "started", "tree"]

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_GRACE: Final = 5.0
"""Seconds that killed processes have to be gone."""


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started in this block runs on this core, as the block itself does."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def started(command: Sequence[str], core: int, log: Path, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """A process on a core, with its standard output as a pipe and its errors in a file; killed when the block ends.

    It has a session of its own, so that Ctrl-C reaches the benchmark alone, which then ends it.
    """
    with on_core(core), log.open("a") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True, **options
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            _kill(tree(process.pid))
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _kill(pids: Sequence[int]) -> None:
    """End processes at once: what a proxy under test has to finish is thrown away with its folder."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _GRACE
    while any(_state(pid) not in (None, "Z") for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)


def tree(pid: int) -> list[int]:
    """A process that is not yet reaped, and all that came of it."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], ())
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """Seconds of CPU that processes have used; one that is gone counts as none."""
    return sum(int(fields[11]) + int(fields[12]) for pid in pids if (fields := _stat(pid))) / _TICKS


def memory(pids: Sequence[int]) -> int:
    """Bytes of memory that processes hold, each page shared out among those that share it (PSS)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            rollup = (_PROC / str(pid) / "smaps_rollup").read_text()
            total += sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    return total


def _state(pid: int) -> str | None:
    fields = _stat(pid)
    return fields[0] if fields else None


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name, which may hold anything; None if there is no such process."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class CoreTime:
    """What a core has done since the machine started, in seconds."""

    busy: float
    stolen: float
    """Taken by other virtual machines."""


def core_time() -> Mapping[int, CoreTime]:
    """The cores' times by number."""
    times = {}
    for line in (_PROC / "stat").read_text().splitlines():
        name, *values = line.split()
        if name.startswith("cpu") and name != "cpu":
            user, nice, system, _idle, _wait, interrupts, soft, stolen = (int(value) / _TICKS for value in values[:8])
            times[int(name.removeprefix("cpu"))] = CoreTime(user + nice + system + interrupts + soft, stolen)
    return times
