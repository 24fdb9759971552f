"""What lies in a journal leaves once, from where its checkpoint stands, whatever became of the file meanwhile."""

import json
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import InputError, RunStore, StoreError
from tachograph.traces.export import (
    OTLP,
    Backoff,
    Destination,
    FurtherRequest,
    GaveUpError,
    Patience,
    Profile,
    TracesData,
    forwarding,
    read_destination,
    read_status,
)
from tachograph.traces.export._following import StoreFollower
from tachograph.traces.export._state import DestinationState
from tests.export_collector import Fault

from .conftest import PROMPT, call_ids, destination_of, send, span_ids

SECRET = "sk-" + "x" * 20


def record_run(store: Path, record: Any, name: str = "a-run", calls: int = 3) -> Path:
    run = RunStore(store).open_run(name)
    for _ in range(calls):
        record(run)
    run.close("completed")
    return store / name / "trace.jsonl"


def test_a_second_export_sends_what_is_new(collector: Any, tmp_path: Path, record: Any) -> None:
    """Nothing twice, and what a run that goes on adds."""
    came = collector()
    journal = record_run(tmp_path, record)
    first = send(tmp_path, destination_of(came), journal)
    assert first.spans == len(span_ids(tmp_path)) == len(came.collected.spans)
    assert send(tmp_path, destination_of(came), journal).spans == 0
    record_run(tmp_path, record)
    assert send(tmp_path, destination_of(came), journal).spans > 0
    assert set(came.collected.spans) == span_ids(tmp_path)
    assert came.collected.spans.total() == len(journal.read_bytes().splitlines())


def test_a_torn_last_line_waits(collector: Any, tmp_path: Path, record: Any) -> None:
    """What a writer is in the middle of is not sent, and is sent once it is whole."""
    came = collector()
    journal = record_run(tmp_path, record)
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    send(tmp_path, destination_of(came), journal)
    sent = len(came.collected.spans)
    journal.write_bytes(whole)
    send(tmp_path, destination_of(came), journal)
    assert len(came.collected.spans) == sent + 1
    assert set(came.collected.spans) == span_ids(tmp_path)


def test_a_first_line_that_is_torn_waits(collector: Any, tmp_path: Path) -> None:
    """A file whose identity is not known yet has no checkpoint."""
    came = collector()
    journal = tmp_path / "trace.jsonl"
    journal.write_bytes(b'{"resourceSpans":[')
    assert send(tmp_path / "runs", destination_of(came), journal).spans == 0
    assert not came.collected.requests


@pytest.mark.parametrize("broken", [b"{", b"null", b"[]", b'{"resourceSpans":3}'])
def test_a_line_that_is_no_json_is_passed_over(collector: Any, tmp_path: Path, record: Any, broken: bytes) -> None:
    """The lines around it arrive, and it is counted."""
    came = collector()
    journal = record_run(tmp_path, record)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], broken + b"\n", *lines[2:]]))
    send(tmp_path, destination_of(came), journal)
    assert len(came.collected.spans) == len(lines)
    (status,) = read_status(tmp_path)
    assert (status.unread_lines, status.bytes_left) == (1, 0)


def test_a_line_that_a_profile_fails_at_is_a_dead_letter(collector: Any, tmp_path: Path, record: Any) -> None:
    """A fault of one line, the profile's or its own, neither loses it nor keeps the others."""
    came = collector()
    journal = record_run(tmp_path, record)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], b'{"resourceSpans":[{"scopeSpans":3}]}\n', *lines[2:]]))

    def fails_at_calls(data: TracesData) -> TracesData:
        return data if "call.start" not in json.dumps(data) else data["no such member"]

    sent = send(tmp_path, with_profile(destination_of(came), rewrite=fails_at_calls), journal)
    assert sent.dead_lines == 4
    assert len(came.collected.spans) == len(lines) - 3
    (status,) = read_status(tmp_path)
    assert (status.dead_letters, status.bytes_left) == (4, 0)


@pytest.mark.parametrize("fault", ["401", "wrong content type"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_wrong_address_or_key_ends_it_at_once(
    collector: Any, tmp_path: Path, record: Any, *, fault: Fault, protocol: str
) -> None:
    """Nothing is wrong with what was recorded: no dead letter, no repetition, and the next attempt sends all."""
    came = collector(protocol)
    came.fault = lambda _: fault
    journal = record_run(tmp_path, record)
    with pytest.raises(GaveUpError, match="is the address right"):
        send(tmp_path, destination_of(came, protocol), journal)
    assert came.collected.requests == 1
    (status,) = read_status(tmp_path)
    assert (status.dead_letters, status.spans) == (0, 0)
    came.fault = lambda _: None
    assert send(tmp_path, destination_of(came, protocol), journal).spans == len(span_ids(tmp_path))


def test_no_pause_is_longer_than_patience(collector: Any, tmp_path: Path, record: Any) -> None:
    """A collector that asks for an hour is not waited for when there are seconds."""
    came = collector()
    came.fault = lambda _: "503 with Retry-After"
    journal = record_run(tmp_path, record)
    with (
        pytest.raises(GaveUpError, match="503"),
        forwarding(tmp_path, destination_of(came), Patience(without_success=0.2), backoff=Backoff(first=3600)) as one,
    ):
        one.forward(journal)
    assert came.collected.requests == 1


def test_a_journal_that_was_replaced_begins_anew(collector: Any, tmp_path: Path, record: Any) -> None:
    """A run that was deleted and recorded again under the same name is another one."""
    came = collector()
    journal = record_run(tmp_path, record)
    send(tmp_path, destination_of(came), journal)
    before = set(came.collected.spans)
    content = journal.read_bytes()
    journal.unlink()
    journal.write_bytes(content.replace(b"chat", b"CHAT"))
    journal.write_bytes(record_run(tmp_path / "other", record, calls=9).read_bytes())
    send(tmp_path, destination_of(came), journal)
    assert set(came.collected.spans) == before | span_ids(tmp_path)


def test_a_deleted_run_is_no_fault(collector: Any, tmp_path: Path, record: Any) -> None:
    """It is not there to be sent any more."""
    came = collector()
    journal = record_run(tmp_path, record)
    journal.unlink()
    assert send(tmp_path, destination_of(came), journal).spans == 0


def test_a_second_forwarder_is_refused(collector: Any, tmp_path: Path) -> None:
    """Two for one destination would send everything twice; two destinations do not know one another."""
    came, other = collector(), collector()
    with DestinationState(tmp_path, destination_of(came)):
        with pytest.raises(InputError, match="another forwarder"), DestinationState(tmp_path, destination_of(came)):
            pass
        with DestinationState(tmp_path, destination_of(other)):
            pass
    with DestinationState(tmp_path, destination_of(came)):
        pass


def test_the_state_is_its_owners_and_holds_no_header(collector: Any, tmp_path: Path, record: Any) -> None:
    """Neither the key that is sent nor its echo in a refusal is written, and no run is made of the state's folder."""
    came = collector()
    came.fault = lambda _: "400"
    journal = record_run(tmp_path, record)
    destination = read_destination({}, to=f"{came.url}?key={SECRET}", headers=[("authorization", f"Bearer {SECRET}")])
    send(tmp_path, destination, journal)
    assert came.collected.headers[0]["authorization"] == f"Bearer {SECRET}"
    kept = [path for path in (tmp_path / ".exports").rglob("*") if path.is_file()]
    assert len(kept) >= 4
    for path in (tmp_path / ".exports", *(tmp_path / ".exports").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert not [path for path in kept if SECRET.encode() in path.read_bytes()]
    assert [folder.name for folder in RunStore(tmp_path).run_folders()] == ["a-run"]


def test_a_checkpoint_that_cannot_be_read_is_said(collector: Any, tmp_path: Path, record: Any) -> None:
    """Beginning anew without a word would send everything again."""
    came = collector()
    journal = record_run(tmp_path, record)
    send(tmp_path, destination_of(came), journal)
    (checkpoint,) = (tmp_path / ".exports").glob("*/checkpoints/*.json")
    checkpoint.write_bytes(b"{")
    with pytest.raises(StoreError, match=r"checkpoints.*cannot be read"):
        send(tmp_path, destination_of(came), journal)


def test_patience_ends(collector: Any, tmp_path: Path, record: Any) -> None:
    """A collector that stays down is given up after the time that was given, and the next export goes on."""
    came = collector()
    journal = record_run(tmp_path, record)
    came.stop()
    with pytest.raises(GaveUpError):
        send(tmp_path, destination_of(came), journal, seconds=0.2)
    (status,) = read_status(tmp_path)
    assert status.failing
    assert status.runs_left == 1
    came.start()
    send(tmp_path, destination_of(came), journal)
    (status,) = read_status(tmp_path)
    assert (status.failing, status.runs_left, status.bytes_left, status.running) == (None, 0, 0, False)
    assert came.collected.calls == call_ids(tmp_path)


def with_profile(destination: Destination, **members: Any) -> Destination:
    return replace(destination, profile=Profile(name="test", **members))


def test_a_profile_rewrites_what_is_sent_and_not_the_journal(collector: Any, tmp_path: Path, record: Any) -> None:
    """Lines are enriched from the run's folder, rewritten, or left out."""
    came = collector()
    journal = record_run(tmp_path, record)
    before = journal.read_bytes()
    seen: list[Path] = []

    def enrich(data: TracesData, folder: Path) -> TracesData:
        seen.append(folder)
        return {**data, "enriched": True}

    def only_calls(data: TracesData) -> TracesData | None:
        assert data["enriched"]
        return data if b'"chat' in json.dumps(data).encode() and "call.start" not in json.dumps(data) else None

    send(tmp_path, with_profile(destination_of(came), enrich=enrich, rewrite=only_calls), journal)
    assert set(came.collected.spans) == call_ids(tmp_path)
    assert set(seen) == {journal.parent}
    assert journal.read_bytes() == before


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_further_requests_go_before_the_checkpoint_moves(
    collector: Any, tmp_path: Path, record: Any, protocol: str
) -> None:
    """A profile's request is tried again like a batch; while it fails, the batch counts as not sent."""
    came, scores = collector(protocol), collector("http/json")
    journal = record_run(tmp_path, record)
    scores.fault = lambda number: "503 with Retry-After" if number < 3 else None
    asked: list[int] = []

    def further(lines: Sequence[TracesData]) -> Sequence[FurtherRequest]:
        asked.append(len(lines))
        assert not list((tmp_path / ".exports").glob("*/checkpoints/*.json"))
        return [FurtherRequest(path="/scores", body=b'{"resourceSpans":[]}')]

    destination = with_profile(destination_of(came, protocol), further=further)
    send(tmp_path, replace(destination, base=scores.url), journal)
    assert asked == [len(journal.read_bytes().splitlines())]
    assert scores.collected.requests == 3
    assert came.collected.calls == call_ids(tmp_path)


def test_a_further_request_that_is_refused_is_a_dead_letter(collector: Any, tmp_path: Path, record: Any) -> None:
    """It is kept with its body, and sent again with the others."""
    came, scores = collector(), collector("http/json")
    journal = record_run(tmp_path, record)
    scores.fault = lambda number: "400" if number == 1 else None
    body = b'{"resourceSpans":[]}'
    destination = with_profile(destination_of(came), further=lambda _: [FurtherRequest(path="/scores", body=body)])
    destination = replace(destination, base=scores.url)
    send(tmp_path, destination, journal)
    (status,) = read_status(tmp_path)
    assert (status.dead_letters, status.bytes_left) == (1, 0)
    silent = replace(destination, profile=Profile(name="test"))
    with forwarding(tmp_path, silent, Patience(), backoff=PROMPT) as forwarder:
        forwarder.forward_dead_letters()
    assert scores.collected.requests == 2
    assert read_status(tmp_path)[0].dead_letters == 0


def test_dead_letters_that_are_refused_again_stay(collector: Any, tmp_path: Path, record: Any) -> None:
    """Nothing is dropped, however often it is refused; and none is there twice."""
    came = collector()
    came.fault = lambda _: "400"
    journal = record_run(tmp_path, record)
    send(tmp_path, destination_of(came), journal)
    for _ in range(2):
        with forwarding(tmp_path, destination_of(came), Patience(), backoff=PROMPT) as forwarder:
            forwarder.forward_dead_letters()
            assert forwarder.state.dead_letters.count() == len(span_ids(tmp_path))
    came.fault = lambda _: None
    with forwarding(tmp_path, destination_of(came), Patience(), backoff=PROMPT) as forwarder:
        forwarder.forward_dead_letters()
    assert came.collected.calls == call_ids(tmp_path)


def test_what_did_not_grow_is_not_looked_into(collector: Any, tmp_path: Path, record: Any) -> None:
    """A follower gives a journal when it is new or grew, and a new follower passes over what a checkpoint covers."""
    came = collector()
    journals = [record_run(tmp_path, record, f"run{number}", 1) for number in range(3)]
    send(tmp_path, destination_of(came), journals[0])
    with DestinationState(tmp_path, destination_of(came)) as state:
        follower = StoreFollower(tmp_path, state.read)
        assert list(follower.grown()) == journals[1:]
        assert list(follower.grown()) == []
        record_run(tmp_path, record, "run0", 1)
        new = record_run(tmp_path, record, "run9", 1)
        assert list(follower.grown()) == [journals[0], new]
        follower.not_sent(new)
        assert list(follower.grown()) == [new]


def test_the_profile_that_rewrites_nothing() -> None:
    """The very object that was recorded."""
    data: TracesData = {"resourceSpans": []}
    assert OTLP.rewrite(OTLP.enrich(data, Path())) is data
    assert OTLP.further([data]) == ()
