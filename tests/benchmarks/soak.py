"""Long work under `serve --workers`, with streams open and workers killed: `python tests/benchmarks/soak.py`.

Agents ask and ask, as many streams as are wanted stay open, and in the first half a worker is killed now and then. In the
second half nothing is killed, so that what grows can be seen. Afterwards the record is held against what agents and model saw:
each call whose end was seen must be there, each request that reached the model, and each hash must be right.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from tachograph.traces import BodyReader, read_calls, verify
from tests.benchmarks._processes import tree
from tests.benchmarks._soak_traffic import Account, Model, keep_asking
from tests.benchmarks._work import Work

QUICK_AGENTS: Final = 32
RUN: Final = "soak"
FLAT: Final = 0.25
"""KiB that a process may grow by with each call, and count as flat: a hundredth of what a call brings."""
LEAST_CALLS: Final = 10_000
"""After fewer, a process still grows into its size."""
LEAST_LOOKS: Final = 5
"""A line through fewer says nothing."""
SAID_EVERY: Final = 5.0
"""Seconds."""
PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Memory:
    """What each process of the proxy holds, over the calls that had ended."""

    seen: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """Finished calls and bytes resident, by process."""

    def look(self, pids: Sequence[int], finished: int) -> None:
        """Note what they hold now."""
        for pid in pids:
            with contextlib.suppress(OSError):
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                self.seen.setdefault(pid, []).append((finished, pages * PAGE))

    def growth(self, since: int) -> Mapping[int, tuple[int, int, float]]:
        """For each process that lived on: bytes at the first look after `since` calls, at the last, and KiB for each call."""
        grown = {}
        for pid, looks in self.seen.items():
            later = [look for look in looks if look[0] >= since]
            if len(later) > LEAST_LOOKS:
                slope = statistics.linear_regression(*zip(*later, strict=True)).slope
                grown[pid] = (later[0][1], later[-1][1], slope / 1024)
        return grown


@dataclass(frozen=True, slots=True)
class Findings:
    """What the record says of what happened."""

    recorded: int
    lost: int
    """Calls whose end an agent saw, and that are not there as completed."""
    unaccounted: int
    """Requests that the model saw, and that are not there."""
    wrong_hashes: int
    bodies: int
    state: str


def main() -> int:
    """Soak, print the figures; 0 if nothing was lost and nothing grew."""
    options = _options()
    started = time.monotonic()
    account, memory = Account(), Memory()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_soak(options, Path(folder), account, memory))
        _say(f"{time.monotonic() - started:.0f} s of work; now reading the record")
        findings = _held_against_record(Path(folder) / RUN, account)
    growth = memory.growth(options.calls // 2) if options.calls >= LEAST_CALLS else {}
    _say(
        f"calls asked {len(account.asked):,}, seen by the model {len(account.seen):,}, ended {len(account.finished):,}, "
        f"most streams open {account.most_open}, workers killed {account.killed}\n"
        f"recorded {findings.recorded:,}, finished calls lost {findings.lost}, requests unaccounted {findings.unaccounted}, "
        f"wrong answers {len(account.wrong)}, wrong hashes {findings.wrong_hashes}, bodies read back {findings.bodies:,}; "
        f"{findings.state}"
    )
    for pid, (before, after, slope) in growth.items():
        flat = "flat" if slope <= FLAT else f"grows: more than {FLAT} KiB a call"
        _say(f"process {pid}: {before / 2**20:.1f} MiB, {after / 2**20:.1f} MiB later, {slope:+.3f} KiB a call: {flat}")
    _say(f"took {time.monotonic() - started:.0f} s")
    is_whole = not (findings.lost or findings.unaccounted or findings.wrong_hashes or account.wrong)
    return 0 if is_whole and all(slope <= FLAT for _, _, slope in growth.values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=20_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--streams", type=int, default=500, metavar="N", help="open at a time (default: %(default)s)")
    parser.add_argument(
        "--chunks",
        type=int,
        default=100,
        metavar="N",
        help="of a stream, a tenth of a second each (default: %(default)s)",
    )
    parser.add_argument("--kills", type=int, default=5, metavar="N", help="workers to kill (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="default: %(default)s")
    return parser.parse_args()


async def _soak(options: argparse.Namespace, store: Path, account: Account, memory: Memory) -> None:
    async with Model(account).serving() as upstream:
        where = ["--upstream", f"http://127.0.0.1:{upstream}/v1", "--port", "0", "--store", str(store), "--run", RUN]
        command = [sys.executable, "-m", "tachograph.harness", "serve", *where, "--workers", str(options.workers)]
        proxy = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=store)
        try:
            assert proxy.stdout is not None
            port = int((await proxy.stdout.readline()).split(b"127.0.0.1:")[1].split(b"/")[0])
            await _work_on(options, port, proxy.pid, account, memory)
        finally:
            proxy.send_signal(signal.SIGINT)
            await proxy.wait()


async def _work_on(options: argparse.Namespace, port: int, pid: int, account: Account, memory: Memory) -> None:
    short, stream = Work(), Work(chunks=options.chunks, pace_ms=100)

    def more() -> bool:
        return len(account.finished) < int(options.calls)

    async with asyncio.TaskGroup() as watch:
        watching = watch.create_task(_watch(options, pid, account, memory))
        async with asyncio.TaskGroup() as agents:
            for work, count in ((stream, options.streams), (short, QUICK_AGENTS)):
                for _ in range(count):
                    agents.create_task(keep_asking(account, work, port, more))
        watching.cancel()
    # A worker that is told to stop before it has begun closes no run, and the last one that does seals it.
    while sum(map(_records, _workers_of(pid))) < options.workers:  # noqa: ASYNC110  no event tells of it
        await asyncio.sleep(0.05)


async def _watch(options: argparse.Namespace, pid: int, account: Account, memory: Memory) -> None:
    """Look at memory, kill a worker when its time has come, and say how far it is."""
    said = 0.0
    while True:
        finished = len(account.finished)
        workers = _workers_of(pid)
        memory.look([pid, *workers], finished)
        if account.killed < options.kills and finished >= _time_of_kill(options, account.killed + 1) and workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(workers[account.killed % len(workers)], signal.SIGKILL)
            account.killed += 1
        if time.monotonic() - said > SAID_EVERY:
            said = time.monotonic()
            _say(f"{finished:,} calls, {account.open_streams} streams open, {account.killed} workers killed")
        await asyncio.sleep(0.2)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _time_of_kill(options: argparse.Namespace, number: int) -> int:
    """After how many calls: all of them in the first half."""
    return int(options.calls) // 2 * number // (int(options.kills) + 1)


def _workers_of(pid: int) -> list[int]:
    return [child for child in tree(pid) if child != pid and _is_worker(child)]


def _records(pid: int) -> bool:
    """Whether a process has the run's journal open."""
    with contextlib.suppress(OSError):
        return any(entry.readlink().name == "trace.jsonl" for entry in Path(f"/proc/{pid}/fd").iterdir())
    return False


def _is_worker(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _held_against_record(run: Path, account: Account) -> Findings:
    recorded = {}
    wrong = 0
    for call in read_calls(run):
        asked = account.asked.get(call.request.body_hash or "")
        response = call.response
        if asked is None:
            wrong += 1
            continue
        recorded[asked] = call.outcome
        if call.outcome == "completed":
            wrong += response is None or response.body_hash != asked.answer_hash
    bodies = BodyReader(run / "bodies")
    for digest in bodies:
        bodies.get(digest)  # raises if its bytes have another hash
    return Findings(
        recorded=len(recorded),
        lost=sum(recorded.get(asked) != "completed" for asked in account.finished),
        unaccounted=len(account.seen - recorded.keys()),
        wrong_hashes=wrong,
        bodies=len(bodies),
        state=verify(run).state,
    )


if __name__ == "__main__":
    sys.exit(main())
