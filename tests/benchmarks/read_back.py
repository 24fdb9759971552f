"""How fast a million spans are read back, and three questions to them answered: by plain reading in Python, and by SQL.

python tests/benchmarks/read_back.py [--runs N] [--spans N] [--json]

The store is made in a temporary folder (3.3 GB with a million spans, as much again for the Collector's file) and removed.
Each step runs in a process of its own, which tells its peak memory. On a machine that others use, mind the ratios.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import tachograph.traces
from tachograph.traces import Run
from tachograph.traces.sql import query
from tests.benchmarks._many_runs import make_store

_QUESTIONS = {
    "tokens per model": "SELECT model, sum(input_tokens + output_tokens) FROM calls GROUP BY model ORDER BY model",
    "p95 TTFT per agent": """
        SELECT agent, round(quantile_disc(seconds_to_first_content, 0.95), 6) FROM calls GROUP BY agent ORDER BY agent
        """,
    "pass rate per task": "SELECT task, round(avg(passed::INTEGER), 6) FROM runs GROUP BY task ORDER BY task",
}


def main() -> int:
    """Make, read, ask, report; exits with 1 if the two ways of answering differ."""
    options = _options()
    if options.step:
        print(json.dumps(_step(options.step, Path(options.place))))  # noqa: T201
        return 0
    with tempfile.TemporaryDirectory(prefix="tachograph-reading-", dir=options.place) as place:
        store = Path(place) / "runs"
        begin = time.perf_counter()
        size = make_store(store, options.runs, options.spans)
        seconds = time.perf_counter() - begin
        print(f"{options.runs * options.spans:,} spans, {size / 2**20:,.0f} MiB, made in {seconds:.0f} s", flush=True)  # noqa: T201
        found = {name: _in_a_process(name, store) for name in _STEPS}
        kept = sum(path.stat().st_size for path in (store / ".sql").glob("spans-*"))
    print(f"{'':34}{'seconds':>9}{'of CPU':>9}{'spans/s':>11}{'peak MiB':>10}")  # noqa: T201
    for name, one in found.items():
        speed = options.runs * options.spans / one["seconds"]
        print(f"{name:34}{one['seconds']:9.2f}{one['cpu']:9.2f}{speed:11,.0f}{one['mib']:10,.0f}")  # noqa: T201
    print(f"kept for SQL: {kept / 2**20:,.0f} MiB, {kept / size:.0%} of the journals")  # noqa: T201
    answers = [[found[f"{way}: {name}"]["answer"] for name in _QUESTIONS] for way in ("plain", "SQL")]
    print("the answers are the same" if answers[0] == answers[1] else f"the answers differ: {answers}")  # noqa: T201
    return 0 if answers[0] == answers[1] else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A million spans, read back.")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--spans", type=int, default=100, help="of each run (default: 100)")
    parser.add_argument("--place", help="folder for the store (default: that of temporary files)")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_a_process(step: str, store: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--step", step, "--place", str(store)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    print(f"  {step}: {found['seconds']:.1f} s", file=sys.stderr, flush=True)  # noqa: T201
    return found


def _step(name: str, store: Path) -> dict[str, Any]:
    begin = time.perf_counter()
    answer = _STEPS[name](store)
    seconds, used = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF)
    return {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "mib": used.ru_maxrss / 1024, "answer": answer}


def _runs(store: Path) -> Iterator[Run]:
    yield from tachograph.traces.open(store)


def _read_folders(store: Path) -> Any:
    """What `score` reads of each run's journal, one process."""
    return sum(len(run.calls) for run in _runs(store))


def _collect(store: Path) -> Any:
    """The same lines as one file of a Collector's, runs mixed: the first line of each, the second of each, …, by hundreds."""
    file = store.parent / "collected.json"
    folders = sorted(path for path in store.iterdir() if path.name.startswith("run-"))
    with file.open("wb") as out:
        for begin in range(0, len(folders), 100):
            journals = [
                (folder / "trace.jsonl").read_bytes().splitlines(keepends=True)
                for folder in folders[begin : begin + 100]
            ]
            for lines in zip(*journals, strict=True):
                out.writelines(lines)
    return file.stat().st_size


def _read_collected(store: Path) -> Any:
    file = store.parent / "collected.json"
    calls = sum(len(run.calls) for run in tachograph.traces.open(file))
    file.unlink()
    return calls


def _tokens_per_model(store: Path) -> Any:
    found: dict[str | None, int] = defaultdict(int)
    for run in _runs(store):
        for call in run.calls:
            found[call.request.model] += (call.usage.input_tokens or 0) + (call.usage.output_tokens or 0)
    return sorted(map(list, found.items()))


def _ttft_per_agent(store: Path) -> Any:
    found: dict[Any, list[int]] = defaultdict(list)
    for run in _runs(store):
        agent = run.attributes.get("tachograph.agent.name")
        for call in run.calls:
            if call.timing.first_content is not None and call.timing.upstream_sent is not None:
                found[agent].append(call.timing.first_content - call.timing.upstream_sent)
    return [[agent, round(_percentile(waits) / 1e9, 6)] for agent, waits in sorted(found.items())]


def _percentile(waits: list[int]) -> int:
    return sorted(waits)[-(-len(waits) * 95 // 100) - 1]


def _pass_rate_per_task(store: Path) -> Any:
    found: dict[Any, list[bool]] = defaultdict(list)
    for run in _runs(store):
        passed = [span.attributes["tachograph.check.passed"] for span in run.spans if span.name == "check a-task"]
        found[run.attributes.get("tachograph.task.id")] += passed
    return [[task, round(sum(passed) / len(passed), 6)] for task, passed in sorted(found.items())]


def _ask(sql: str) -> Callable[[Path], Any]:
    def ask(store: Path) -> Any:
        with query(store, sql) as rows:
            return [list(row) for row in rows]

    return ask


_STEPS: dict[str, Callable[[Path], Any]] = {
    "score's reading, run folders": _read_folders,
    "(writing a collector's file)": _collect,
    "score's reading, collector's file": _read_collected,
    "plain: tokens per model": _tokens_per_model,
    "plain: p95 TTFT per agent": _ttft_per_agent,
    "plain: pass rate per task": _pass_rate_per_task,
    "SQL: first question, reads all": _ask("SELECT count(*) FROM calls"),
    **{f"SQL: {name}": _ask(sql) for name, sql in _QUESTIONS.items()},
}


if __name__ == "__main__":
    sys.exit(main())
