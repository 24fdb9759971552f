"""Calls that ask again after an error or a cut are attempts of one logical call; no other ones are. One test a quirk."""

import itertools
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachograph.scoring import link_attempts, load_record, logical_calls
from tachograph.scoring.axes import latency, tokens
from tachograph.scoring.formats import atif_trajectory
from tachograph.traces import (
    BodyReader,
    Call,
    CallRequest,
    CallResponse,
    RunRecording,
    RunStore,
    Timing,
    Usage,
    canonical_request_hash,
    read_run,
)

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
SYSTEM, USER = {"role": "system", "content": "You are an agent."}, {"role": "user", "content": "fix it"}
TOLD = Usage(source="provider", input_tokens=10, output_tokens=2)
HALF = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"I will look"}}]}\n\n'
CUT = {"outcome": "upstream_cut", "error_type": "stream_truncated", "answer": HALF}
RESUME = [
    {"role": "assistant", "content": "I will look"},
    {"role": "user", "content": "The connection dropped. Resume."},
]


class Record:
    """Records calls, each a second after the one before unless told otherwise."""

    def __init__(self, recording: RunRecording) -> None:
        self._recording = recording
        self._moment = START

    def call(self, request: dict[str, Any] | bytes, **changed: Any) -> None:
        """Record a call; `lasts`: nanoseconds, `after`: of its start after that of the call before."""
        body = request if isinstance(request, bytes) else json.dumps({"model": "m", **request}).encode()
        parsed = json.loads(body) if body else {}
        self._moment += changed.pop("after", SECOND)
        answer = changed.pop("answer", b'data: {"choices":[{"index":0,"delta":{"content":"done"}}]}\n\n')
        status, hashed = changed.pop("status", 200), changed.pop("hashed", True)
        asked = CallRequest(
            method="POST", path="/v1/chat/completions", query=None, server_address="127.0.0.1", server_port=80,
            api=changed.pop("api", "chat_completions"), provider="openai", model=parsed.get("model"), streamed=True,
            session_id=None, previous_response_id=parsed.get("previous_response_id"),
            body_hash=sha256(body).hexdigest(), bytes=len(body), sent_body_hash=None, sent_bytes=None, head="",
        )  # fmt: skip
        asked = replace(asked, **changed.pop("asked", {}))
        response = None
        if answer is not None:
            response = CallResponse(
                status=status, model=None, id=None, upstream_request_id=None, finish_reasons=changed.pop("finish", ()),
                tool_calls=(), body_hash=sha256(answer).hexdigest(), bytes=len(answer), delivered_body_hash=None,
                delivered_bytes=len(answer), head="content-type: text/event-stream",
            )  # fmt: skip
        if changed.pop("keep", True):
            self._recording.bodies.put_request(body, asked.body_hash or "")
            grown = self._recording.bodies.new_response()
            grown.add(answer or b"")
            self._recording.bodies.put_response(grown)
        opened = self._recording.start_call(asked, self._moment, None)
        if changed.pop("killed", False):
            return
        error = changed.pop("error_type", str(status) if status >= 400 else None)
        call = Call(
            run_id="r", span_id="", sequence=opened.sequence, attempt=1, outcome=changed.pop("outcome", "completed"),
            error_type=error, message=None, discarded=changed.pop("discarded", False), request=asked,
            request_hash=canonical_request_hash(parsed) if hashed else None, response=response,
            usage=changed.pop("usage", Usage(source="absent") if error else TOLD),
            timing=Timing(start_ns=self._moment, end=changed.pop("lasts", SECOND // 2)), bodies_lost=None,
        )  # fmt: skip
        assert not changed
        self._recording.end_call(opened, call)

    def chat(self, *messages: dict[str, Any], **changed: Any) -> None:
        """A call of chat completions with these messages."""
        more = changed.pop("more", {})
        self.call({"messages": [SYSTEM, USER, *messages], "stream": True, **more}, **changed)

    @property
    def folder(self) -> Path:
        return self._recording.folder

    def linked(self) -> tuple[Call, ...]:
        return link_attempts(read_run(self.folder).calls, BodyReader(self.folder / "bodies"))

    def attempts(self) -> list[list[int]]:
        """Of each logical call the numbers of its attempts; checked against what each call says."""
        calls = self.linked()
        numbers = {call.span_id: number for number, call in enumerate(calls)}
        found = logical_calls(calls)
        for chain in found:
            assert [call.attempt for call in chain] == list(range(1, len(chain) + 1))
            assert [call.retry_of for call in chain] == [None, *(call.span_id for call in chain[:-1])]
        return [[numbers[call.span_id] for call in chain] for chain in found]


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    recording = RunStore(tmp_path / "runs").open_run("r")
    yield Record(recording)
    recording.close()


@pytest.mark.parametrize("status", [400, 401, 404, 408, 409, 425, 429, 500, 503, 529])
def test_the_same_request_after_an_error(record: Record, status: int) -> None:
    """Retries to the byte, as SDKs make them and claude-code after a 401; what comes after the answer is new."""
    record.chat(status=status)
    record.chat(status=status)
    record.chat()
    record.chat({"role": "assistant", "content": "done"})
    record.chat()
    assert record.attempts() == [[0, 1, 2], [3], [4]]


@pytest.mark.parametrize(
    "failed",
    [
        CUT,
        {"outcome": "upstream_cut", "error_type": "stream_truncated", "answer": None},
        {"outcome": "client_disconnected", "error_type": "client_disconnected", "answer": HALF},
        {"outcome": "upstream_unreachable", "error_type": "connection_error", "answer": None},
        {"error_type": "overloaded_error"},
    ],
    ids=["cut", "hung up before an answer", "agent waited no longer", "unreachable", "error in the stream"],
)
def test_the_same_request_after_a_cut(record: Record, failed: dict[str, Any]) -> None:
    """However it failed: the agent asks again, and gets what it asked for."""
    record.chat(**failed)
    record.chat()
    assert record.attempts() == [[0, 1]]


def test_a_killed_proxy(tmp_path: Path) -> None:
    """A call in flight when the proxy was killed has no canonical hash; its body tells that it was asked again."""
    recording = RunStore(tmp_path / "runs").open_run("r")
    record = Record(recording)
    record.chat(killed=True)
    record.chat()
    recording.close()
    assert record.attempts() == [[0, 1]]


@pytest.mark.parametrize("keep", [True, False])
def test_members_in_another_order(record: Record, keep: bool) -> None:  # noqa: FBT001
    """What codex sends holds `client_metadata` in a new order: other bytes, the same question."""
    inputs = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "fix it"}]}]
    one = {"model": "m", "input": inputs, "client_metadata": {"turn_id": "t", "thread_id": "u"}}
    other = {**one, "client_metadata": {"thread_id": "u", "turn_id": "t"}}
    assert json.dumps(one) != json.dumps(other)
    for request, failed in ((one, {"status": 500}), (other, CUT), (one, {})):
        record.call(request, api="responses", asked={"path": "/v1/responses"}, keep=keep, **failed)
    assert record.attempts() == [[0, 1, 2]]


def test_a_retry_that_has_grown(record: Record) -> None:
    """qwen-code sends the half answer back with a hint; the step after it is new, though it leaves the hint out."""
    record.chat(**CUT)
    record.chat(*RESUME)
    record.chat(
        {"role": "assistant", "content": "I will look at it"}, {"role": "tool", "tool_call_id": "1", "content": "x"}
    )
    assert record.attempts() == [[0, 1], [2]]


def test_a_retry_that_grows_twice(record: Record) -> None:
    """A resumed answer that is cut again is resumed once more."""
    record.chat(**CUT)
    record.chat(*RESUME, **CUT)
    record.chat(*RESUME, *RESUME)
    assert record.attempts() == [[0, 1, 2]]


def test_half_a_tool_call_in_the_history(record: Record) -> None:
    """The agent continue asks again to the byte, and later sends the half call back: that is the next step."""
    half = {"id": "1", "type": "function", "function": {"name": "Read", "arguments": "{}"}}
    record.chat(**CUT)
    record.chat(status=500)
    record.chat()
    record.chat(
        {"role": "assistant", "content": "I will look", "tool_calls": [half]},
        {"role": "tool", "tool_call_id": "1", "content": "Required parameter missing"},
    )
    assert record.attempts() == [[0, 1, 2], [3]]


def test_half_an_answer_that_was_taken_for_a_whole_one(record: Record) -> None:
    """An agent that runs the tool of a cut answer goes on: what it asks next, and a hint after that, are no attempts."""
    call = {"id": "1", "type": "function", "function": {"name": "run", "arguments": '{"cmd":"ls"}'}}
    went_on: list[dict[str, Any]] = [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "a.py"},
    ]
    record.chat(**CUT)
    record.chat(*went_on)
    record.chat(*RESUME)
    assert record.attempts() == [[0], [1], [2]]


def test_a_history_that_grows_after_an_error_answer(record: Record) -> None:
    """Of an error there is no half answer: who says more after it asks something else."""
    record.chat(status=429)
    record.chat(*RESUME)
    assert record.attempts() == [[0], [1]]


@pytest.mark.parametrize(
    "rest",
    [
        RESUME[1:],
        [*RESUME, RESUME[1]],
        [RESUME[0], RESUME[1], RESUME[0]],
        [{"role": "tool", "tool_call_id": "1", "content": "x"}],
    ],
    ids=["a word alone", "two words", "an answer to that", "a result"],
)
def test_a_conversation_that_goes_on_after_a_cut(record: Record, rest: list[dict[str, Any]]) -> None:
    """What is more than half an answer and a word to go on is another question."""
    record.chat(**CUT)
    record.chat(*rest)
    assert record.attempts() == [[0], [1]]


def test_an_agent_that_was_interrupted(record: Record) -> None:
    """Who stops an answer by hand and says something else asks something else."""
    record.chat(outcome="client_disconnected", error_type="client_disconnected", answer=HALF)
    record.chat(*RESUME)
    assert record.attempts() == [[0], [1]]


def test_a_history_of_several_retries_in_another_form(record: Record) -> None:
    """An agent may write in blocks at first and as one text later: the words are the same (claude-code)."""
    blocks = [{"type": "text", "text": "fix"}, {"type": "text", "text": "it"}]
    record.call({"messages": [SYSTEM, {"role": "user", "content": blocks}]}, **CUT)
    record.chat(*RESUME)
    assert record.attempts() == [[0, 1]]


def test_another_path(record: Record) -> None:
    """The same body put to another endpoint is another call."""
    record.chat(status=404)
    record.chat(asked={"path": "/v1/other/chat/completions"})
    assert record.attempts() == [[0], [1]]


def test_an_error_status_is_enough(record: Record) -> None:
    """Records of other tools may tell no type of an error."""
    record.chat(status=500, error_type=None)
    record.chat()
    assert record.attempts() == [[0, 1]]


def test_other_options_same_question(record: Record) -> None:
    """An agent that leaves out what was refused, or asks for the whole answer after a broken stream, asks the same again."""
    record.chat(status=400, more={"temperature": 0.5})
    record.chat(**CUT)
    record.chat(more={"stream": False})
    assert record.attempts() == [[0, 1, 2]]


def test_another_model(record: Record) -> None:
    """The question put to a fallback model is a call of its own: its tokens have another price."""
    record.chat(status=529)
    record.chat(more={"model": "smaller"})
    assert record.attempts() == [[0], [1]]


def test_a_side_call_takes_the_fault(record: Record) -> None:
    """A title (of opencode) is asked again, the first step goes well in between: neither is taken for the other."""
    title = {"messages": [{"role": "system", "content": "You name things."}, USER]}
    record.call(title, status=429)
    record.chat()
    record.call(title)
    record.chat({"role": "assistant", "content": "done"})
    assert record.attempts() == [[0, 2], [1], [3]]


def test_sub_agents_at_the_same_time(record: Record) -> None:
    """Conversations with the same beginning, open at once: each failure is asked again by its own agent."""
    tasks = [{"role": "user", "content": f"part {number}"} for number in range(3)]
    record.chat(tasks[0], lasts=5 * SECOND, **CUT)
    record.chat(tasks[1], status=429, after=1000)
    record.chat(tasks[2], after=1000)
    record.chat(tasks[1], after=SECOND)
    record.chat(tasks[0], *RESUME, after=6 * SECOND)
    assert record.attempts() == [[0, 4], [1, 3], [2]]


def test_the_same_question_twice_at_a_time(record: Record) -> None:
    """Two that are open at once are two questions, and each of their failures is asked again once."""
    for _ in range(2):
        record.chat(status=429, after=1000)
    for _ in range(2):
        record.chat(after=SECOND)
    assert record.attempts() == [[0, 3], [1, 2]]
    record.chat(outcome="client_disconnected", error_type="client_disconnected", lasts=9 * SECOND)
    record.chat()
    assert record.attempts() == [[0, 3], [1, 2], [4], [5]]


def test_an_agent_whose_leaving_was_noticed_late(record: Record) -> None:
    """Its next call may begin before the recorder has seen that the one before is over."""
    record.chat(outcome="client_disconnected", error_type="client_disconnected", lasts=SECOND + 1000, answer=None)
    record.chat()
    assert record.attempts() == [[0, 1]]


def test_a_message_through_a_websocket(record: Record) -> None:
    """The question of a tunnel that broke is asked again over HTTP: as a body of its own kind, with the same words."""
    asked = {"input": "fix it", "instructions": "You are an agent."}
    tunnelled = {"method": "GET", "path": "/v1/responses", "tunnel_id": "0" * 16}
    record.call({"type": "response.create", **asked}, api="responses", asked=tunnelled, status=101, **CUT)
    record.call({**asked, "stream": True}, api="responses", asked={"path": "/v1/responses"})
    assert record.attempts() == [[0, 1]]


def test_a_conversation_that_the_provider_remembers(record: Record) -> None:
    """The same words after another answer are another question."""
    asked = {"input": "go on"}
    for previous, failed in (("resp_1", {"status": 500}), ("resp_2", {}), ("resp_1", {})):
        record.call({**asked, "previous_response_id": previous}, api="responses", **failed)
    assert record.attempts() == [[0, 2], [1]]


def test_a_mark_that_moves(record: Record) -> None:
    """A mark for the cache at the last message says nothing: after a cut it stands elsewhere, and the question is the same."""
    mark = {"cache_control": {"type": "ephemeral"}}
    text = {"type": "text", "text": "fix it"}
    half = b'data: {"type":"message_start","message":{"content":[]}}\n\n'
    record.call(
        {"messages": [{"role": "user", "content": [{**text, **mark}]}]}, api="messages", **{**CUT, "answer": half}
    )
    more = [
        {"role": "assistant", "content": "I will"},
        {"role": "user", "content": [{**text, "text": "Resume.", **mark}]},
    ]
    record.call({"messages": [{"role": "user", "content": [text]}, *more]}, api="messages")
    assert record.attempts() == [[0, 1]]


def test_an_answer_that_the_agent_never_saw(record: Record) -> None:
    """What the proxy asked again by itself is no retry of the agent's."""
    record.chat(status=400, discarded=True)
    record.chat()
    assert record.attempts() == [[1]]
    assert [call.attempt for call in record.linked()] == [1, 1]


def test_requests_without_a_body(record: Record) -> None:
    """A list of models that is asked for again is; calls of other tools that told neither path nor hash are not."""
    for status in (401, 200):
        record.call(
            b"",
            api="models",
            status=status,
            asked={"method": "GET", "path": "/v1/models", "body_hash": None},
            hashed=False,
        )
    assert record.attempts() == [[0, 1]]
    for status in (500, 200):
        record.call(b"{}", status=status, asked={"path": "", "body_hash": None}, keep=False, hashed=False)
    assert record.attempts() == [[0, 1], [2], [3]]


def test_bodies_that_were_not_kept(record: Record) -> None:
    """The canonical hash is enough; a retry that has grown cannot be told without the bodies."""
    record.chat(status=500, keep=False)
    record.chat(keep=False, **CUT)
    record.chat(*RESUME, keep=False)
    assert record.attempts() == [[0, 1], [2]]


def test_what_is_asked_again_much_later(record: Record) -> None:
    """A question that failed long ago and was given up is a new one when it comes again."""
    record.chat(status=500)
    for number in range(70):
        record.call({"messages": [{"role": "user", "content": str(number)}]}, keep=False)
    record.chat()
    assert record.attempts() == [[number] for number in range(72)]


def test_several_proxies(tmp_path: Path) -> None:
    """Each proxy of a run knows its own calls only: the record knows all."""
    store = RunStore(tmp_path / "runs")
    recordings = [store.open_run("r") for _ in range(2)]
    records = [Record(recording) for recording in recordings]
    records[0].chat(status=429)
    records[1].chat(status=429, after=2 * SECOND)
    records[0].chat(after=3 * SECOND)
    assert records[0].attempts() == [[0, 1, 2]]
    for recording in recordings:
        recording.close()


def test_a_failed_attempt_is_no_turn_of_its_own(record: Record) -> None:
    """The half answer is a step of the system's that says what broke; one step of the agent's remains, and all tokens count."""
    half = Usage(source="provider", input_tokens=10, output_tokens=1)
    record.chat(**CUT, usage=half)
    record.chat(*RESUME)
    judged = load_record(record.folder)
    assert [turn.repeated for turn in judged.transcript] == [True, False]
    steps = atif_trajectory(judged)["steps"]
    assert [step["source"] for step in steps] == ["system", "user", "system", "user", "agent"]
    assert steps[2]["message"] == "the call to the model brought only a part of an answer: stream_truncated"
    assert steps[4]["extra"]["tachograph"]["attempt"] == 2
    told = tokens(judged)
    assert (told.value, told.bound) == (23, "lower")
    assert told.details["retried"] == {"calls": 1, "tokens": 12}
    assert (told.details["model_calls"], told.details["logical_calls"]) == (2, 1)


def test_the_time_of_a_logical_call(record: Record) -> None:
    """It is from the first attempt's start to the last one's end, the agent's pauses included."""
    for status in (429, 500, 200):
        record.chat(status=status)
    record.chat({"role": "assistant", "content": "done"})
    details = latency(load_record(record.folder)).details
    assert (details["retries"], details["retry_ms"]) == (2, 2000)
    assert details["logical_call_ms"]["n"] == 2
    assert (details["logical_call_ms"]["min"], details["logical_call_ms"]["max"]) == (500, 2500)


faults = st.sampled_from(["ok", "429", "500", "cut", "grown"])


@settings(max_examples=40, deadline=None)
@given(plan=st.lists(st.lists(faults, max_size=3), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_chains_are_told_from_the_record_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, plan: list[list[str]], seed: int
) -> None:
    """Each step is asked until it goes well: one logical call each, whatever broke, in whichever order the calls are given."""
    recording = RunStore(tmp_path_factory.mktemp("runs")).open_run("r")
    record = Record(recording)
    expected, numbers = [], itertools.count()
    history: list[dict[str, Any]] = []
    for number, broken in enumerate(plan):
        asked = [*history, {"role": "user", "content": f"step {number}"}]
        chain = []
        for fault in broken:
            chain.append(next(numbers))
            failed: dict[str, Any] = (
                CUT if fault in ("cut", "grown") else {"status": int(fault)} if fault != "ok" else {}
            )
            record.chat(*asked, **failed)
            if fault == "ok":
                break
            asked = [*asked, *RESUME] if fault == "grown" else asked
        else:
            chain.append(next(numbers))
            record.chat(*asked)
        expected.append(chain)
        history = [
            *history,
            {"role": "user", "content": f"step {number}"},
            {"role": "assistant", "content": f"done {number}"},
        ]
    assert record.attempts() == expected
    calls = list(read_run(record.folder).calls)
    random.Random(seed).shuffle(calls)
    shuffled = link_attempts(calls, BodyReader(record.folder / "bodies"))
    assert [call.span_id for call in shuffled] == [call.span_id for call in calls]
    assert sorted(shuffled, key=lambda call: call.timing.start_ns) == list(record.linked())
    recording.close()


def test_no_failure_no_reading(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing failed, or all was asked again as it was, no body is read."""
    record.chat(status=429)
    record.chat()
    record.chat({"role": "user", "content": "more"})
    refuse: Callable[..., bytes] = pytest.fail
    monkeypatch.setattr(BodyReader, "get", refuse)
    assert record.attempts() == [[0, 1], [2]]
