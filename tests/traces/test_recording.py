"""What a recording puts on disk, and when; who seals a run that several processes have open."""

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from tachograph.traces import (
    Amendment,
    BodyReader,
    Call,
    InputError,
    RunRecording,
    RunStore,
    SpanRecord,
    StoreError,
    check_run_id,
    new_run_id,
    read_calls,
    read_run,
    read_spans,
    verify,
)

Recorder = Callable[..., Call]
START = 1_700_000_000_000_000_000


def kinds(folder: Path) -> list[str]:
    return [span.attributes["tachograph.span"] for span in read_spans(folder)]


def spans_of(folder: Path, kind: str) -> list[SpanRecord]:
    return [span for span in read_spans(folder) if span.attributes["tachograph.span"] == kind]


def open_files() -> set[str]:
    return {str(path.readlink()) for path in Path("/dev/fd").iterdir() if path.is_symlink()}


def test_the_first_line_is_the_runs_announcement(run: RunRecording) -> None:
    """A run is known from the moment it is opened, in the trace and below the span that its id determines."""
    (start,) = read_spans(run.folder)
    digest = sha256(b"the-run").hexdigest()
    assert start.name == "run.start"
    assert start.attributes["tachograph.span"] == "run.start"
    assert start.attributes["tachograph.task.id"] == "a-task"
    assert start.attributes["session.id"] == start.attributes["tachograph.run.id"] == "the-run"
    assert (start.trace_id, start.parent_id) == (digest[:32], digest[32:48])
    assert start.scope_attributes == {"tachograph.journal.format": 1}
    assert start.resource["service.name"] == "tachograph"


def test_a_call_is_announced_before_and_ended_after(run: RunRecording, new_request: Any, new_call: Any) -> None:
    """From its announcement on a call is on disk; when `end_call` returns, so is its end, below the run's span."""
    request = new_request()
    opened = run.start_call(request, START, None)
    assert kinds(run.folder) == ["run.start", "call.start"]
    (call,) = read_calls(run.folder)
    assert (call.outcome, call.sequence, call.request) == ("in_flight", 1, request)
    assert (call.response, call.timing.end, call.timing.start_ns) == (None, None, START)

    ended = new_call(request, start_ns=START, run_id="the-run", sequence=opened.sequence)
    run.end_call(opened, ended)
    assert kinds(run.folder) == ["run.start", "call.start", "call"]
    announcement, span = list(read_spans(run.folder))[1:]
    assert announcement.parent_id == span.span_id
    assert span.parent_id == sha256(b"the-run").hexdigest()[32:48]
    assert (span.name, span.start_ns, span.end_ns) == ("chat a-model", START, START + 1_000_000)


def test_a_call_comes_back_as_it_was(run: RunRecording, record: Recorder) -> None:
    """Every member of a call is read as it was recorded."""
    recorded = record(run, b'{"a":1}', b'{"b":2}', error_type="rate_limit", message="too many", discarded=True)
    (call,) = read_calls(run.folder)
    assert len(call.span_id) == 16
    assert replace(call, span_id="") == recorded
    bodies = BodyReader(run.folder / "bodies")
    assert call.request.body_hash is not None
    assert call.response is not None
    assert call.response.body_hash is not None
    assert (bodies.get(call.request.body_hash), bodies.get(call.response.body_hash)) == (b'{"a":1}', b'{"b":2}')


def test_calls_are_numbered_as_they_come(run: RunRecording, new_request: Any, new_call: Any) -> None:
    """The number is the position by the time the request came, however the calls end, and also of those that do not."""
    opened = [run.start_call(new_request(), START + number, None) for number in range(5)]
    assert [call.sequence for call in opened] == [1, 2, 3, 4, 5]
    for number in (3, 0, 4):
        run.end_call(opened[number], new_call(new_request(), run_id="the-run", sequence=number + 1))
    assert [call.sequence for call in read_calls(run.folder)] == [4, 1, 5, 2, 3]
    assert [call.sequence for call in read_run(run.folder).calls] == [1, 2, 3, 4, 5]


def test_a_header_of_any_bytes_is_recorded(run: RunRecording, new_request: Any, new_call: Any) -> None:
    """HTTP promises no UTF-8: a byte that is none is replaced, and the call is recorded."""
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    request = new_request(head=f"X-Name: {name}", session_id=name, path="/v1/\udce9")
    run.end_call(run.start_call(request, START, None), new_call(request, run_id="the-run", sequence=1))
    (call,) = read_calls(run.folder)
    assert call.request.head == "X-Name: caf?"
    assert (call.request.session_id, call.request.path) == ("caf?", "/v1/?")


def test_an_end_of_any_length_is_recorded(run: RunRecording, record: Recorder, new_request: Any, new_call: Any) -> None:
    """An upstream's error may be megabytes long, and a model's name too: the call has ended nevertheless."""
    request = new_request(model="m" * 2**21)
    opened = run.start_call(request, START, None)
    assert opened.sequence == 1
    run.end_call(opened, new_call(request, start_ns=START, sequence=1, error_type="e", message="x" * 2**21))
    record(run)
    first, second = read_calls(run.folder)
    assert (first.outcome, first.error_type, first.request_hash) == ("completed", "e", request.body_hash)
    assert (first.message, first.request.model) == (None, None)
    assert second.outcome == "completed"
    assert run.unwritten == 0


def test_what_is_learnt_late_amends_the_call(run: RunRecording, new_request: Any, new_call: Any) -> None:
    """Bytes behind the terminal event and a failed last write change the call that is read, not the line that was written."""
    opened = run.start_call(new_request(), START, None)
    run.end_call(opened, new_call(new_request(), b"first", start_ns=START, run_id="the-run", sequence=1))
    before = (run.folder / "trace.jsonl").read_bytes()
    run.amend_call(
        opened, Amendment(at_ns=START, outcome="client_disconnected", response_bytes=9, response_body_hash="f")
    )
    run.amend_call(opened, Amendment(at_ns=START, delivered_bytes=4, message="late"))
    assert (run.folder / "trace.jsonl").read_bytes().startswith(before)
    (call,) = read_calls(run.folder)
    assert (call.outcome, call.message, call.error_type) == ("client_disconnected", "late", None)
    assert call.response is not None
    assert (call.response.bytes, call.response.body_hash, call.response.delivered_bytes) == (9, "f", 4)
    assert (call.sequence, call.response.status) == (1, 200)
    assert kinds(run.folder)[-2:] == ["call.tail", "call.tail"]


def test_agents_and_checks_are_announced(run: RunRecording) -> None:
    """What lasts long is known of before it ends; what is a moment is one line."""
    with run.span("agent", "invoke_agent a", attributes={"gen_ai.agent.name": "a"}) as span:
        assert kinds(run.folder) == ["run.start", "agent.start"]
        span.set_attribute("process.exit.code", 0)
    with pytest.raises(ZeroDivisionError), run.span("check", "check c"):
        raise ZeroDivisionError
    assert kinds(run.folder) == ["run.start", "agent.start", "agent", "check.start", "check"]
    (agent,) = spans_of(run.folder, "agent")
    assert agent.attributes["gen_ai.agent.name"] == "a"
    assert agent.attributes["process.exit.code"] == 0


def test_what_belongs_to_a_run_is_kept_with_it(run: RunRecording) -> None:
    """A check's output is found by the hash that its span names."""
    digest = run.keep(b"output")
    assert digest == sha256(b"output").hexdigest()
    assert BodyReader(run.folder / "bodies").get(digest) == b"output"
    run.sync()


def test_closing_seals(run: RunRecording, record: Recorder) -> None:
    """The root span comes with the run's sums, under names that no backend adds up again; the seal is the last line."""
    record(run)
    record(run)
    seal = run.close("timeout", "a-fault")
    assert seal is not None
    assert (seal.lines, seal.calls, seal.finished_calls) == (6, 2, 2)
    lines = (run.folder / "trace.jsonl").read_bytes().split(b"\n")[:-1]
    assert seal.head == sha256(lines[-2]).hexdigest()
    assert seal.bytes == sum(len(line) + 1 for line in lines[:-1])
    assert kinds(run.folder)[-2:] == ["run", "seal"]
    (root,) = spans_of(run.folder, "run")
    assert root.span_id == sha256(b"the-run").hexdigest()[32:48]
    assert root.parent_id is None
    assert (root.status_code, root.attributes["error.type"]) == (2, "a-fault")
    assert root.attributes["tachograph.run.status"] == "timeout"
    assert root.attributes["tachograph.run.input_tokens"] == 24
    assert not [name for name in root.attributes if name.startswith("gen_ai.usage")]
    found = read_run(run.folder)
    assert (found.status, found.sealed, found.live, found.end_ns) == ("timeout", True, False, root.end_ns)


def test_a_sealed_run_may_be_reopened(store: RunStore, record: Recorder) -> None:
    """The chain goes on, the run is open until it is closed again, and the new seal covers all of it."""
    run = store.open_run("again", {"tachograph.task.id": "a-task", "list": ("a", "b")})
    record(run)
    first = run.close("completed")
    start = read_run(run.folder).start_ns
    assert first is not None

    run = store.open_run("again")
    record(run)
    between = read_run(run.folder)
    assert (between.status, between.sealed, between.live, between.end_ns) == ("open", False, True, None)
    assert verify(run.folder).state == "open"
    second = run.close("aborted")
    assert second is not None
    assert (second.calls, second.finished_calls) == (2, 2)
    assert second.lines == first.lines + 4
    result = verify(run.folder)
    assert (result.state, result.survey.seal) == ("sealed", second)
    after = read_run(run.folder)
    assert (after.status, after.sealed, after.start_ns) == ("aborted", True, start)
    assert [call.sequence for call in after.calls] == [1, 2]
    assert after.attributes["tachograph.task.id"] == "a-task"
    assert after.attributes["list"] == ("a", "b")


def test_a_run_that_is_only_opened_again_keeps_its_seal(store: RunStore, record: Recorder) -> None:
    """Nothing was recorded, so nothing is sealed anew."""
    run = store.open_run("again")
    record(run)
    seal = run.close()
    before = (run.folder / "trace.jsonl").read_bytes()
    assert store.open_run("again").close("aborted") == seal
    assert (run.folder / "trace.jsonl").read_bytes() == before


def test_a_killed_runs_chain_is_gone_on_with(store: RunStore, recorder: Any, record: Recorder) -> None:
    """After SIGKILL a run may be opened again: it continues, and the call that was in flight stays interrupted."""
    process = recorder()
    assert process.tell("open killed") == "open"
    assert process.tell("call") == "call"
    assert process.tell("start") == "start"
    process.kill()
    run = store.open_run("killed")
    record(run)
    seal = run.close()
    assert seal is not None
    assert (seal.calls, seal.finished_calls) == (3, 2)
    result = verify(run.folder)
    assert (result.state, result.problems) == ("sealed", ())
    assert result.notes == ("1 call(s) interrupted: the recorder ended before they did",)
    assert [(call.sequence, call.outcome) for call in read_run(run.folder).calls] == [
        (1, "completed"),
        (2, "interrupted"),
        (3, "completed"),
    ]


def test_the_last_of_two_processes_seals(store: RunStore, recorder: Any) -> None:
    """Workers share a run: whoever closes first leaves the sealing to the other."""
    one, other = recorder(), recorder()
    for command in ("open shared", "call"):
        one.tell(command)
        other.tell(command)
    assert one.tell("close") == "none"
    assert read_run(store.folder / "shared").live
    other.tell("call")
    head = other.tell("close")
    result = verify(store.folder / "shared")
    assert result.state == "sealed"
    assert result.survey.seal is not None
    assert (result.survey.seal.head, result.survey.calls) == (head, 3)


def test_of_two_that_close_at_once_one_seals(store: RunStore, recorder: Any) -> None:
    """Fifty times: the run has exactly one seal, which covers the calls of both."""
    processes = [recorder(), recorder()]
    for number in range(50):
        for process in processes:
            process.tell(f"open race{number}")
            process.tell("call")
        for process in processes:
            process.send("close")
        heads = [process.answer() for process in processes]
        folder = store.folder / f"race{number}"
        assert kinds(folder).count("seal") == 1
        assert kinds(folder)[-2:] == ["run", "seal"]
        result = verify(folder)
        assert (result.state, result.survey.finished_calls) == ("sealed", 2)
        assert result.survey.seal is not None
        # Who closes while the other one seals leaves it to that one; who comes later gets to know the seal.
        assert set(heads) - {"none"} == {result.survey.seal.head}


def test_a_run_whose_end_finds_no_room_is_not_sealed(store: RunStore, recorder: Any) -> None:
    """A full disk at the end: an error, an open run without damage, and a seal when it is closed with room."""
    process = recorder()
    for room in ("0", "200", "1500", "2500", "3000", "3500"):
        run_id = f"full{room}"
        process.tell(f"open {run_id}")
        process.tell("call")
        process.tell(f"limit {room}")
        answer = process.tell("close")
        process.tell("limit none")
        folder = store.folder / run_id
        result = verify(folder)
        assert result.problems == ()
        assert result.survey.finished_calls == 1
        if answer.startswith("error"):
            assert "lines could not be written" in answer
            assert result.state == "open"
            assert not read_run(folder).sealed
        else:
            assert result.state == "sealed"
        again = store.open_run(run_id)
        assert again.close() is not None
        assert verify(folder).state == "sealed"


@pytest.mark.parametrize("value", ["true", "TRUE", " true "])
def test_a_disabled_sdk_is_refused(store: RunStore, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """With OTEL_SDK_DISABLED nothing would be recorded, and nobody would notice: nothing is begun."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", value)
    with pytest.raises(StoreError, match="OTEL_SDK_DISABLED is set"):
        store.open_run("a")
    assert not store.folder.exists()


def test_the_environment_changes_nothing(tmp_path: Path, recorder: Any) -> None:
    """Samplers and limits in the environment, meant for other programs or senseless, take nothing out of the record."""
    env = {
        "OTEL_TRACES_SAMPLER": "always_off",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "1",
        "OTEL_ATTRIBUTE_COUNT_LIMIT": "nonsense",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1",
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,more=1",
        "OTEL_SERVICE_NAME": "other",
    }
    found = []
    for store, changed in (("plain", {}), ("odd", env)):
        process = recorder(tmp_path / store, **changed)
        process.tell("open the-run")
        process.tell("call")
        process.tell("close")
        spans = list(read_spans(tmp_path / store / "the-run"))
        stamped = ("tachograph.journal", "tachograph.seal")
        found.append(
            [
                (span.name, span.resource, {k: v for k, v in span.attributes.items() if not k.startswith(stamped)})
                for span in spans
            ]
        )
    assert [name for name, _, _ in found[0]] == ["run.start", "call.start", "chat a-model", "run the-run", "seal"]
    assert found[0] == found[1]
    assert found[1][0][1]["service.name"] == "tachograph"


def test_a_run_is_its_owners_only(tmp_path: Path, record: Recorder) -> None:
    """What an agent and its model say may be secret, whatever the umask is."""
    before = os.umask(0)
    try:
        run = RunStore(tmp_path / "runs").open_run("a")
        record(run)
        run.close()
    finally:
        os.umask(before)
    modes = {
        path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in [tmp_path / "runs", *(tmp_path / "runs").rglob("*")]
    }
    assert modes == {
        "runs": 0o700,
        "runs/a": 0o700,
        "runs/a/bodies": 0o700,
        "runs/a/bodies/bodies.pack": 0o600,
        "runs/a/trace.jsonl": 0o600,
    }


@pytest.mark.parametrize(
    "blocked", ["runs", "runs/a", "runs/a/trace.jsonl", "runs/a/bodies", "runs/a/bodies/bodies.pack"]
)
def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, blocked: str) -> None:
    """One clear error, and nothing stays open: the run does not look live for as long as this process lives."""
    path = tmp_path / blocked
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        path.mkdir()
    else:
        path.write_text("a file in the way")
    before = open_files()
    with pytest.raises(StoreError, match=r"runs/a: cannot record here: (Not a directory|File exists|Is a directory)"):
        RunStore(tmp_path / "runs").open_run("a")
    assert open_files() == before


def test_closing_lets_go_of_everything(store: RunStore, record: Recorder) -> None:
    """Two hundred runs one after the other leave no file open and nothing in the cache."""
    before = open_files()
    for number in range(20):
        run = store.open_run(f"run{number}")
        record(run, b"x" * 1000)
        run.close()
    assert open_files() == before
    assert store._cache._size == 0


def test_a_newer_journal_is_not_written_to(store: RunStore, record: Recorder) -> None:
    """Two forms in one file could be read by nobody."""
    run = store.open_run("newer")
    record(run)
    run.close()
    path = run.folder / "trace.jsonl"
    path.write_bytes(path.read_bytes().replace(b'format","value":{"intValue":"1"', b'format","value":{"intValue":"2"'))
    before = open_files()
    with pytest.raises(StoreError, match=r"newer tachograph \(journal format 2\)"):
        store.open_run("newer")
    assert open_files() == before


@pytest.mark.parametrize(
    "run_id", ["", ".", "..", "../a", "a/b", ".hidden", "-flag", "a\0", "a b", "é", "a\n", "x" * 129]
)
def test_a_run_id_names_a_folder_and_nothing_else(store: RunStore, run_id: str) -> None:
    """No run id leads out of the store, and nothing is made for a bad one."""
    with pytest.raises(InputError, match="run id"):
        store.open_run(run_id)
    assert not store.folder.exists()


@pytest.mark.parametrize("run_id", ["a", "A.b_c-9", "0", "x" * 128, "a..b"])
def test_run_ids_that_are_fine(run_id: str) -> None:
    """Letters, digits, dot, underscore and hyphen, up to 128."""
    assert check_run_id(run_id) == run_id


def test_new_run_ids_are_fine_and_differ() -> None:
    """Whatever they are made from."""
    made = [new_run_id(prefix) for prefix in ("task/a b", "", "...", "é", "x" * 300, "task/a b")]
    assert len(set(map(check_run_id, made))) == len(made)
    assert made[0].startswith("task-a-b-")


def test_every_line_is_json_that_names_the_form(run: RunRecording, record: Recorder) -> None:
    """Each line stands for itself: a reader that sees only one knows the form's version and the run."""
    record(run)
    run.close()
    for line in (run.folder / "trace.jsonl").read_bytes().splitlines():
        scope_spans = orjson.loads(line)["resourceSpans"][0]["scopeSpans"][0]
        assert scope_spans["scope"]["name"] == "tachograph"
        assert {"key": "tachograph.journal.format", "value": {"intValue": "1"}} in scope_spans["scope"]["attributes"]
        assert scope_spans["schemaUrl"] == "https://opentelemetry.io/schemas/1.41.1"
        own = {item["key"]: item["value"] for item in scope_spans["spans"][0]["attributes"]}
        assert own["tachograph.run.id"] == {"stringValue": "the-run"}
