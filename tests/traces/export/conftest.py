"""Collectors that a test can make fail, and forwarders that come back at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import is_call, read_spans
from tachograph.traces.export import Backoff, Destination, Patience, follow, forwarding, read_destination
from tests.export_collector import Collector, GrpcCollector

PROMPT = Backoff(first=0.02, longest=0.1, longest_asked=0.2)


@pytest.fixture
def collector() -> Iterator[Callable[..., Collector]]:
    started: list[Collector] = []

    def start(protocol: str = "http/protobuf", **options: Any) -> Collector:
        made = GrpcCollector() if protocol == "grpc" else Collector(**options)
        started.append(made.start())
        return made

    yield start
    for one in started:
        one.stop()


def destination_of(collector: Collector, protocol: str = "http/protobuf", **environment: str) -> Destination:
    return read_destination(environment, to=collector.url, protocol=protocol)


def send(store: Path, destination: Destination, *journals: Path, seconds: float = 30) -> Any:
    """Send journals once; what the forwarder did."""
    with forwarding(store, destination, Patience(without_success=seconds), backoff=PROMPT) as forwarder:
        for journal in journals:
            forwarder.forward(journal)
        return forwarder.sent


@contextmanager
def following(store: Path, destination: Destination) -> Iterator[None]:
    """Follow a store on a thread while the block runs, and send what is left at its end."""
    patience = Patience(after_stop=60)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with forwarding(store, destination, patience, backoff=PROMPT) as forwarder:
                follow(forwarder, store, lambda seconds: patience.pause(seconds / 20))
        except BaseException as error:  # noqa: BLE001  it is raised below
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        patience.stop()
        thread.join()
    if failures:
        raise failures[0]


def call_ids(store: Path) -> set[str]:
    """Span ids of all calls on disk."""
    return {
        span.span_id for journal in store.glob("*/trace.jsonl") for span in read_spans(journal.parent) if is_call(span)
    }


def span_ids(store: Path) -> set[str]:
    return {span.span_id for journal in store.glob("*/trace.jsonl") for span in read_spans(journal.parent)}
