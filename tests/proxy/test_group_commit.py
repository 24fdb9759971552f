"""One flush serves all who wait, and nobody is served by a flush that began before he wrote."""

import asyncio
import threading

import pytest

from tachograph.proxy._group_commit import GroupCommit


class Disk:
    """Flushes when it is let, and keeps what each flush made safe."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.flushed: list[list[int]] = []
        self.began = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.failure: OSError | None = None

    def flush(self) -> None:
        safe = list(self.written)
        self.began.release()
        self.go_on.acquire(timeout=10)
        if self.failure is not None:
            raise self.failure
        self.flushed.append(safe)


async def begun(disk: Disk) -> None:
    assert await asyncio.to_thread(disk.began.acquire, timeout=10)


async def test_one_flush_serves_all_who_wait() -> None:
    """A hundred calls that end together cost one fdatasync."""
    disk = Disk()
    disk.go_on.release()
    commit = GroupCommit(disk.flush)

    async def write(number: int) -> None:
        disk.written.append(number)
        await commit()
        assert number in disk.flushed[-1]

    await asyncio.gather(*map(write, range(100)))
    assert len(disk.flushed) == 1


async def test_who_comes_later_waits_for_the_next() -> None:
    """A flush that runs already may be too late for what is written now: the next one is for all who came meanwhile."""
    disk = Disk()
    commit = GroupCommit(disk.flush)
    disk.written.append(0)
    first = asyncio.ensure_future(commit())
    await begun(disk)
    later = []
    for number in range(1, 50):
        disk.written.append(number)
        later.append(asyncio.ensure_future(commit()))
    await asyncio.sleep(0)
    disk.go_on.release()
    await first
    assert disk.flushed == [[0]]
    assert not any(task.done() for task in later)
    await begun(disk)
    disk.go_on.release()
    await asyncio.gather(*later)
    assert disk.flushed == [[0], list(range(50))]


async def test_each_who_writes_is_served() -> None:
    """However writers come and go, each returns only when what it wrote is flushed."""
    disk = Disk()
    for _ in range(1000):
        disk.go_on.release()
    commit = GroupCommit(disk.flush)

    async def write(number: int) -> None:
        for step in range(5):
            await asyncio.sleep((number * 7 + step * 3) % 5 / 1000)
            disk.written.append(number * 10 + step)
            await commit()
            assert number * 10 + step in disk.flushed[-1]

    await asyncio.gather(*map(write, range(20)))
    assert len(disk.flushed) <= 100


async def test_a_failure_reaches_those_who_waited_and_no_others() -> None:
    """A disk that fails is told of to each of them; the next flush is another try."""
    disk = Disk()
    commit = GroupCommit(disk.flush)
    disk.failure = OSError(5, "no")
    disk.go_on.release()
    results = await asyncio.gather(commit(), commit(), return_exceptions=True)
    assert [str(result) for result in results] == ["[Errno 5] no"] * 2
    disk.failure = None
    disk.go_on.release()
    await commit()
    assert len(disk.flushed) == 1


async def test_who_gives_up_waiting_stops_nobody_elses_flush() -> None:
    """An agent that hangs up cancels its own call, not the flush that others wait for."""
    disk = Disk()
    commit = GroupCommit(disk.flush)
    gone, stays = asyncio.ensure_future(commit()), asyncio.ensure_future(commit())
    await begun(disk)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    disk.go_on.release()
    await stays
    assert len(disk.flushed) == 1
