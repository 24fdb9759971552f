"""Whatever a collector does while calls are recorded, all arrive once it works; what comes twice has the same span id."""

import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from tachograph.traces import RunStore
from tachograph.traces.export import Patience, forwarding, read_destination, read_status
from tests.export_collector import Collector, Fault

from .conftest import PROMPT, call_ids, destination_of, following, span_ids

PROTOCOLS = ("http/protobuf", "http/json", "grpc")
RETRIED: tuple[Fault, ...] = ("503 with Retry-After", "429", "502", "slow", "cut", "reset", "wrong content type", "401")


def record_calls(store: Path, record: Any, count: int) -> None:
    """Into five runs, one after the other, each closed at its end."""
    for part in range(5):
        run = RunStore(store).open_run(f"run{part}")
        for number in range(count // 5):
            record(run, b'{"call":%d}' % number)
        run.close("completed")


def say(
    capsys: pytest.CaptureFixture[str], what: str, collector: Collector, recorded: set[str], *, dead: int = 0
) -> None:
    came = collector.collected
    again = sum(came.spans.values()) - len(came.spans)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{what}: {len(recorded)} calls recorded, {len(came.calls)} arrived, {again} spans came again, "
            f"{len(came.changed)} of them changed, {dead} dead letters sent again, {came.faults.total()} faults "
            f"in {came.requests} requests\n"
        )


def everything_arrived(store: Path, collector: Collector) -> bool:
    came = collector.collected
    return came.calls == call_ids(store) and set(came.spans) == span_ids(store) and not came.changed


def check_fault(
    start: Callable[..., Collector], store: Path, record: Any, fault: Fault, *, protocol: str, count: int
) -> Any:
    """Every request fails but each fifth, until all is recorded."""
    collector = start(protocol)
    collector.fault = lambda number: fault if number % 5 else None
    timeout = "300" if fault == "slow" else "10000"
    with following(store, destination_of(collector, protocol, OTEL_EXPORTER_OTLP_TIMEOUT=timeout)):
        record_calls(store, record, count)
        assert collector.failed.wait(60)
        collector.fault = lambda _: None
    return collector


@pytest.mark.parametrize("fault", RETRIED)
def test_what_is_retried_arrives(
    collector: Any, tmp_path: Path, record: Any, capsys: pytest.CaptureFixture[str], fault: Fault
) -> None:
    """A fault that passes costs nothing but time."""
    came = check_fault(collector, tmp_path, record, fault, protocol="http/protobuf", count=100)
    say(capsys, f"{fault}, http/protobuf", came, call_ids(tmp_path))
    assert everything_arrived(tmp_path, came)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("fault", RETRIED)
def test_what_is_retried_arrives_with_a_thousand_calls(
    collector: Any, tmp_path: Path, record: Any, capsys: pytest.CaptureFixture[str], *, fault: Fault, protocol: str
) -> None:
    """The same, by each protocol."""
    came = check_fault(collector, tmp_path, record, fault, protocol=protocol, count=1000)
    say(capsys, f"{fault}, {protocol}", came, call_ids(tmp_path))
    assert everything_arrived(tmp_path, came)


def check_refusal(start: Callable[..., Collector], store: Path, record: Any, *, protocol: str, count: int) -> Any:
    """While calls are recorded all is refused; what is dead by then arrives when it is sent again."""
    collector = start(protocol)
    collector.fault = lambda _: "400"
    with following(store, destination_of(collector, protocol)):
        record_calls(store, record, count)
        deadline = time.monotonic() + 60
        while not any(status.dead_letters for status in read_status(store)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        collector.fault = lambda _: None
    recorded = span_ids(store)
    with forwarding(store, destination_of(collector, protocol), Patience(), backoff=PROMPT) as forwarder:
        dead = forwarder.state.dead_letters.count()
        assert len(collector.collected.spans) + dead == len(recorded)
        assert dead
        forwarder.forward_dead_letters()
        assert forwarder.sent.spans == dead
        assert forwarder.state.dead_letters.count() == 0
    return collector, dead


def test_what_is_refused_is_dead_and_can_be_sent_again(
    collector: Any, tmp_path: Path, record: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refusal for good is not repeated: arrived and dead are all, and all arrive when the dead letters are sent again."""
    came, dead = check_refusal(collector, tmp_path, record, protocol="http/protobuf", count=100)
    say(capsys, "400, http/protobuf", came, call_ids(tmp_path), dead=dead)
    assert everything_arrived(tmp_path, came)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_refused_with_a_thousand_calls(
    collector: Any, tmp_path: Path, record: Any, capsys: pytest.CaptureFixture[str], *, protocol: str
) -> None:
    """The same, by each protocol."""
    came, dead = check_refusal(collector, tmp_path, record, protocol=protocol, count=1000)
    say(capsys, f"400, {protocol}", came, call_ids(tmp_path), dead=dead)
    assert everything_arrived(tmp_path, came)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_line_that_is_refused_takes_no_other_with_it(
    collector: Any, tmp_path: Path, record: Any, protocol: str
) -> None:
    """A batch with something odd in it is halved until only that is refused."""
    came = collector(protocol)
    record_calls(tmp_path, record, 50)
    came.odd = {min(call_ids(tmp_path)), max(call_ids(tmp_path))}
    with forwarding(tmp_path, destination_of(came, protocol), Patience(), backoff=PROMPT) as forwarder:
        for journal in sorted(tmp_path.glob("*/trace.jsonl")):
            forwarder.forward(journal)
        assert forwarder.sent.dead_lines == 2
        assert span_ids(tmp_path) - set(came.collected.spans) == came.odd
        came.odd = set()
        forwarder.forward_dead_letters()
    assert everything_arrived(tmp_path, came)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_too_large_is_split(collector: Any, tmp_path: Path, record: Any, protocol: str) -> None:
    """A collector that takes less at once gets less at once, and all of it."""
    came = collector(protocol)
    came.most_bytes = 20_000
    record_calls(tmp_path, record, 50)
    with following(tmp_path, destination_of(came, protocol)):
        pass
    assert came.collected.faults["413"]
    assert everything_arrived(tmp_path, came)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_partial_success_is_recorded_and_not_repeated(
    collector: Any, tmp_path: Path, record: Any, protocol: str
) -> None:
    """Rejected spans are counted, and the batch is not sent again."""
    came = collector(protocol)
    came.fault = lambda _: "partial_success"
    record_calls(tmp_path, record, 10)
    with forwarding(tmp_path, destination_of(came, protocol), Patience(), backoff=PROMPT) as forwarder:
        for journal in sorted(tmp_path.glob("*/trace.jsonl")):
            checkpoint = forwarder.forward(journal)
            assert checkpoint is not None
            assert (checkpoint.rejected_spans, checkpoint.rejected_message) == (1, "one is odd")
        assert forwarder.sent.rejected_spans == 5
    assert came.collected.requests == 5
    assert everything_arrived(tmp_path, came)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_that_is_down(collector: Any, tmp_path: Path, record: Any, protocol: str) -> None:
    """Nothing listens while calls are recorded: they arrive once something does."""
    came = collector(protocol)
    came.stop()
    with following(tmp_path, destination_of(came, protocol)):
        record_calls(tmp_path, record, 100)
        came.start()
    assert everything_arrived(tmp_path, came)


def test_a_certificate_that_is_not_trusted(collector: Any, tmp_path: Path, record: Any) -> None:
    """Nothing is said to a collector whose certificate is not trusted; once it is, all arrives."""
    trusted, unknown = trustme.CA(), trustme.CA()
    trusted.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    store = tmp_path / "runs"

    def identity(authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        return context

    came = collector(tls=identity(unknown))
    destination = read_destination({"OTEL_EXPORTER_OTLP_CERTIFICATE": str(tmp_path / "ca.pem")}, to=came.url)
    with following(store, destination):
        record_calls(store, record, 100)
        assert not came.collected.requests
        came.stop()
        came.tls = identity(trusted)
        came.start()
    assert everything_arrived(store, came)
