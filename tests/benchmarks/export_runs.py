"""How fast runs are exported: spans a second of one core by each protocol, and how long `export` takes for a long run.

PYTHONPATH=. python tests/benchmarks/export_runs.py [--calls N]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tachograph.traces.export import PROTOCOLS, Patience, forwarding, read_destination
from tests.export_collector import Collected, Collector, GrpcCollector

RECORD = """
import httpx2, json, sys
from tachograph.proxy import RecordingTransport
usage = {"prompt_tokens": 2000, "completion_tokens": 100}
message = {"role": "assistant", "content": "hello " * 50}
answer = {"id": "1", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
inner = httpx2.MockTransport(lambda _: httpx2.Response(200, json=answer))
with RecordingTransport(store=sys.argv[1], run="long", transport=inner) as transport:
    client = httpx2.Client(transport=transport)
    for number in range(int(sys.argv[2])):
        question = {"model": "m", "seed": number, "messages": [{"role": "user", "content": "hello there"}]}
        client.post("http://m/v1/chat/completions", json=question)
"""


class Counting(Collected):
    """Counts requests and looks into nothing: what is measured is the forwarder."""

    def take(self, request: object) -> None:
        """Leave it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    calls = parser.parse_args().calls
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "runs"
        subprocess.run([sys.executable, "-c", RECORD, str(store), str(calls)], check=True)
        journal = store / "long" / "trace.jsonl"
        sys.stdout.write(f"{calls} calls, a journal of {journal.stat().st_size / 2**20:.1f} MiB\n")
        for protocol in PROTOCOLS:
            collector = GrpcCollector() if protocol == "grpc" else Collector()
            collector.collected = Counting()
            collector.start()
            for compression in ("gzip", "none"):
                variables = {"OTEL_EXPORTER_OTLP_COMPRESSION": compression}
                other_store = Path(folder) / f"{protocol.replace('/', '-')}-{compression}"
                destination = read_destination(variables, to=collector.url, protocol=protocol)
                begin, cpu = time.perf_counter(), cpu_of_this_thread()
                with forwarding(other_store, destination, Patience(without_success=60)) as forwarder:
                    forwarder.forward(journal)
                    seconds, cpu = time.perf_counter() - begin, cpu_of_this_thread() - cpu
                    sys.stdout.write(
                        f"{protocol} {compression}: {forwarder.sent.spans} spans in {seconds:.1f} s, "
                        f"{forwarder.sent.spans / cpu:,.0f} spans a second of one core's time\n"
                    )
            collector.stop()
        collector = Collector()
        collector.collected = Counting()
        collector.start()
        begin = time.perf_counter()
        command = ["export", "long", "--to", collector.url, "--store", str(store)]
        subprocess.run([sys.executable, "-m", "tachograph.harness", *command], check=True)
        sys.stdout.write(f"tachograph export of {calls} calls: {time.perf_counter() - begin:.1f} s\n")
        collector.stop()


def cpu_of_this_thread() -> float:
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
