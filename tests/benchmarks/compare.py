"""Compare tachograph with no proxy and with nginx, on the same work in one run: `python tests/benchmarks/compare.py`.

Each measurement starts its proxy afresh, on a core of its own, and warms it; upstream and load generator have the other core.
The rounds are interleaved (A B C A B C), so that what else goes on in the machine meets all alike. Ratios and differences
are taken round by round. CPU a call and a chunk hardly move with noise, where latency and throughput do.
"""

import argparse
import dataclasses
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks._contestants import CONTESTANTS, LIMIT, VARIANTS, find_nginx
from tests.benchmarks._measures import MEASURES, Sample
from tests.benchmarks._measuring import Bench, bench
from tests.benchmarks._processes import on_core
from tests.benchmarks._report import Samples, machine, measure_report, noise_report, target_report, variant_report


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = time.monotonic()
    about = machine({"proxy": options.proxy_core, "upstream and load": options.load_core})
    _say("\n".join(f"{what}: {said}" for what, said in about.items()))
    contestants = [name for name in CONTESTANTS if name != LIMIT or find_nginx()]
    if LIMIT not in contestants:
        _say(f"\n{LIMIT} is not installed: there are no ratios to it")
    contestants += options.also
    results: dict[str, Samples] = {}
    with on_core(options.load_core), bench(options.proxy_core, options.load_core) as place:
        for name in options.only:
            results[name] = _rounds(place, name, contestants, options)
            _say("\n" + measure_report(MEASURES[name], results[name]))
    _say("\n" + noise_report(results))
    _say(f"load average at the end: {os.getloadavg()[0]:.2f}; took {time.monotonic() - started:.0f} s")
    _say("\n" + (variant_report(results, options.also) if options.also else target_report(results)))
    if options.json:
        options.json.write_text(json.dumps({"about": about, "results": _as_json(results)}, indent=1))
    return int(any(sample.outcome.failed for sample in _every(results)))


def _options() -> argparse.Namespace:
    cores = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, metavar="N", help="default: 3, with --quick 1")
    parser.add_argument("--quick", action="store_true", help="under a minute, and less certain")
    parser.add_argument(
        "--only", nargs="+", choices=MEASURES, default=list(MEASURES), metavar="NAME", help=f"of: {', '.join(MEASURES)}"
    )
    parser.add_argument(
        "--also", nargs="+", choices=VARIANTS, default=[], metavar="NAME", help=f"what it costs: {', '.join(VARIANTS)}"
    )
    parser.add_argument("--proxy-core", type=int, default=cores[0], metavar="N")
    parser.add_argument("--load-core", type=int, default=cores[-1], metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement of every round there")
    options = parser.parse_args()
    if options.proxy_core == options.load_core:
        parser.error("the proxy needs a core that upstream and load generator do not use")
    return options


def _rounds(place: Bench, name: str, contestants: list[str], options: argparse.Namespace) -> Samples:
    measure = MEASURES[name]
    load = measure.quick_load if options.quick else measure.load
    samples: dict[str, list[Sample]] = {contestant: [] for contestant in contestants}
    for _ in range(options.rounds or (1 if options.quick else 3)):
        for contestant in contestants:
            samples[contestant].append(place.measure(measure, load, contestant))
    return samples


def _every(results: dict[str, Samples]) -> list[Sample]:
    return [sample for samples in results.values() for each in samples.values() for sample in each]


def _as_json(results: dict[str, Samples]) -> Any:
    return {
        name: {contestant: [_measured(name, sample) for sample in each] for contestant, each in samples.items()}
        for name, samples in results.items()
    }


def _measured(name: str, sample: Sample) -> dict[str, Any]:
    columns = {column: read(sample) for column, read in MEASURES[name].columns.items()}
    return {"columns": columns, **dataclasses.asdict(sample)}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
