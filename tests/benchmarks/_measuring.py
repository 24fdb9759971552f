"""Measuring one contestant once: start it, warm it, put a load on it, and see what it used."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks._contestants import CONTESTANTS, VARIANTS, Running
from tests.benchmarks._load import Load, Outcome
from tests.benchmarks._measures import WARM_UP, Measure, Sample
from tests.benchmarks._processes import core_time, cpu_seconds, memory, started, tree

__all__ = ["Bench", "bench"]

_ROOT: Final = Path(__file__).parents[2]
_LOOK_AT_MEMORY: Final = 0.2
"""Seconds between two looks: each stops the process for a moment."""
_SETTLING: Final = 0.1
"""Seconds in which a proxy may finish what the last answer left to do."""


@dataclass(frozen=True, slots=True)
class Bench:
    """An upstream that serves, and the cores."""

    upstream_port: int
    upstream_pid: int
    folder: Path
    proxy_core: int
    load_core: int

    def measure(self, measure: Measure, load: Load, contestant: str) -> Sample:
        """Measure a contestant that is started for this and ended after it.

        Raises:
            RuntimeError: it does not start, or has not recorded what it relayed.
        """
        with (
            tempfile.TemporaryDirectory(dir=self.folder) as folder,
            {**CONTESTANTS, **VARIANTS}[contestant](self.upstream_port, Path(folder), self.proxy_core) as running,
        ):
            warm = [self._put_on(each, running)[0] for each in WARM_UP]
            sample = self._sample(load, running, watches_memory=measure.watches_memory)
            relayed = sum(outcome.good for outcome in (*warm, sample.outcome))
            recorded = running.recorded()
            if recorded is not None and recorded < relayed:
                raise RuntimeError(f"{contestant} relayed {relayed} calls and recorded {recorded}")
            return sample

    def _sample(self, load: Load, running: Running, *, watches_memory: bool) -> Sample:
        proxies = [] if running.pid is None else tree(running.pid)
        memory_before, others_before, started_at = memory(proxies), self._used(proxies), time.monotonic()
        cores_before = core_time()
        outcome, most = self._put_on(load, running, proxies if watches_memory else [])
        time.sleep(_SETTLING)
        cores_after, seconds = core_time(), time.monotonic() - started_at
        proxy_cpu, load_cpu = (after - before for after, before in zip(self._used(proxies), others_before, strict=True))
        busy = {core: cores_after[core].busy - cores_before[core].busy for core in (self.proxy_core, self.load_core)}
        stolen = sum(cores_after[core].stolen - cores_before[core].stolen for core in busy)
        return Sample(
            load=load,
            outcome=outcome,
            seconds=seconds,
            proxy_cpu=proxy_cpu if proxies else None,
            load_cpu=load_cpu,
            memory_growth=most - memory_before if proxies and watches_memory else None,
            others_on_proxy_core=max(0.0, busy[self.proxy_core] - proxy_cpu) / seconds,
            others_on_load_core=max(0.0, busy[self.load_core] - load_cpu) / seconds,
            stolen=stolen / seconds / len(busy),
        )

    def _used(self, proxies: list[int]) -> tuple[float, float]:
        """Seconds of CPU that the proxy has used, and that all else of the benchmark has."""
        own = os.times()
        return cpu_seconds(proxies), cpu_seconds([self.upstream_pid]) + sum(own[:4])

    def _put_on(self, load: Load, running: Running, watched: list[int] | None = None) -> tuple[Outcome, int]:
        """The outcome of a load, and the most bytes of memory that the watched processes held meanwhile."""
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks._load",
            str(running.port),
            json.dumps(dataclasses.asdict(load)),
        ]
        most = 0
        with started(command, self.load_core, self.folder / "load.log", cwd=_ROOT) as process:
            while watched and process.poll() is None:
                most = max(most, memory(watched))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_AT_MEMORY)
            said, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"the load generator failed: {(self.folder / 'load.log').read_text()[-600:]}")
        return Outcome(**json.loads(said)), most


@contextlib.contextmanager
def bench(proxy_core: int, load_core: int) -> Iterator[Bench]:
    """An upstream, and a folder that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="tachograph-benchmark-") as name:
        folder = Path(name)
        command = [sys.executable, "-m", "tests.benchmarks._upstream"]
        with started(command, load_core, folder / "upstream.log", cwd=_ROOT) as upstream:
            assert upstream.stdout is not None
            yield Bench(int(upstream.stdout.readline()), upstream.pid, folder, proxy_core, load_core)
