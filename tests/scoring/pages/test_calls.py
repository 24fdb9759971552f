"""The calls of a page: what was asked, answered and led to, and the bodies that say so."""

import gzip
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from tachograph.scoring import snapshot
from tachograph.scoring.pages import RunPage, read_page

SECOND = 1_000_000_000
SYSTEM = {"role": "system", "content": "You are an agent."}
TASK = {"role": "user", "content": "Mend it."}
EDIT = {
    "role": "assistant",
    "content": "I mend it.",
    "tool_calls": [{"id": "t1", "function": {"name": "write_file", "arguments": '{"path": "a.py"}'}}],
}
RESULT = {"role": "tool", "tool_call_id": "t1", "content": "written"}
DONE = {"role": "assistant", "content": "Done."}
Unpack = Callable[[dict[str, str]], list[str]]


def page_of(agent: Any) -> RunPage:
    return read_page(agent.close())


def said(page: RunPage, places: list[int]) -> list[tuple[str, str]]:
    return [(page.document["messages"][place]["role"], page.document["messages"][place]["text"]) for place in places]


def test_a_conversation(agent: Any) -> None:
    """Each call shows what it added to the one before and what it was answered; a message stands in the page once."""
    agent.ask([SYSTEM, TASK], EDIT)
    agent.ask([SYSTEM, TASK, EDIT, RESULT], DONE)
    page = page_of(agent)
    first, second = page.document["calls"]
    assert said(page, first["asked"]["added"]) == [("system", "You are an agent."), ("user", "Mend it.")]
    assert (second["asked"]["since"], second["asked"]["kept"], second["asked"]["dropped"]) == (0, 2, 0)
    assert said(page, second["asked"]["added"]) == [("assistant", "I mend it."), ("tool", "written")]
    assert said(page, second["answers"]) == [("assistant", "Done.")]
    assert first["answers"][0] == second["asked"]["added"][0]
    assert len(page.document["messages"]) == 5
    (call,) = page.document["messages"][first["answers"][0]]["tool_calls"]
    assert call == {"id": "t1", "name": "write_file", "arguments": '{"path": "a.py"}'}


def test_the_line_of_a_call(agent: Any) -> None:
    """Every column of the published table of calls, and where it comes from."""
    tools = [{"type": "function", "function": {"name": "write_file"}}]
    agent.ask([TASK], DONE, members={"tools": tools, "max_tokens": 100, "response_format": {"type": "text"}})
    (call,) = page_of(agent).document["calls"]
    assert (call["sequence"], call["attempt"], call["retry_of"]) == (1, 1, None)
    assert call["end_ms"] - call["start_ms"] == call["latency_ms"] == 2000
    assert len(call["request_hash"]) == 64
    assert (call["prompt"], call["completion"], call["cached"], call["reasoning"]) == (100, 20, 60, 5)
    assert call["ttft_ms"] == 999.998
    assert (call["finish"], call["outcome"], call["status"], call["error"]) == (["stop"], "completed", 200, None)
    assert (call["model_asked"], call["model_answered"]) == ("a-model", "a-model-2026")
    assert (call["endpoint"], call["path"], call["usage_source"]) == (
        "api.example.com:443",
        "/v1/chat/completions",
        "provider",
    )
    assert call["tools"] == ["write_file"]
    assert call["parameters"] == [("temperature", "0.5"), ("max_tokens", "100"), ("response_format", '{"type":"text"}')]
    assert dict(call["timing"])["First byte of the answer"] == 1000
    assert dict(call["timing"])["What the recorder added"] == 0.0015


def test_a_call_that_did_not_end(agent: Any) -> None:
    """It has no end, no answer, and says why; nothing of it is 0."""
    agent.ask([TASK], None)
    (call,) = page_of(agent).document["calls"]
    assert [call[name] for name in ("end_ms", "latency_ms", "ttft_ms", "prompt", "status", "answers")] == [None] * 6
    assert call["outcome"] == "interrupted"
    assert "interrupted" in call["unreadable"]
    assert call["asked"]["added"] == (0,)
    assert call["response_body"] == {
        "hash": None,
        "bytes": None,
        "place": None,
        "note": "there was no answer, or the call did not end",
    }


def test_another_attempt_names_the_one_before(agent: Any) -> None:
    """A failure and its retry: the same question, with nothing new in it."""
    failed = {"outcome": "completed", "error_type": "503", "message": "busy", "response": {"status": 503}}
    agent.record(json.dumps({"model": "a-model", "messages": [TASK]}).encode(), b'{"error": {}}', **failed)
    agent.record(json.dumps({"model": "a-model", "messages": [TASK]}).encode(), b'{"choices": []}')
    first, second = page_of(agent).document["calls"]
    assert (first["error"], first["error_message"]) == ("503", "busy")
    assert (second["retry_of"], second["attempt"]) == (0, 2)
    assert (second["asked"]["since"], second["asked"]["kept"], second["asked"]["added"]) == (0, 1, ())
    assert first["request_body"]["place"] == second["request_body"]["place"]


def test_what_a_call_led_to(agent: Any, tmp_path: Path) -> None:
    """From a call to the file that its answer names, and from the file back to the call."""
    workdir = tmp_path / "workdir"
    workdir.mkdir()
    snapshot(workdir, file=agent.recording.folder / "workdir.before")
    agent.ask([TASK], EDIT)
    (workdir / "a.py").write_text("mended")
    snapshot(workdir, file=agent.recording.folder / "workdir.after")
    document = page_of(agent).document
    files = document["changes"]["files"]
    links = {files[link["file"]]["path"]: link for link in document["calls"][0]["led_to"]}
    assert (links["a.py"]["confidence"], links["a.py"]["tool"]) == ("certain", "write_file")
    (file,) = (file for file in files if file["path"] == "a.py")
    assert file["led_by"] == [{"call": 0, "confidence": "certain", "tool": "write_file"}]


def test_the_bodies_of_all_calls(agent: Any, unpack: Unpack) -> None:
    """To the byte as they were kept, requests and responses; a request leans on the one that it goes on from."""
    agent.ask([SYSTEM, TASK], EDIT)
    agent.ask([SYSTEM, TASK, EDIT, {**RESULT, "content": "\u00fc\U0001f600" * 50}], DONE)
    page = page_of(agent)
    bodies = unpack(page.bodies)
    for call, history in zip(page.document["calls"], (2, 4), strict=True):
        request = bodies[call["request_body"]["place"]]
        assert sha256(request.encode()).hexdigest() == call["request_body"]["hash"]
        assert len(json.loads(request)["messages"]) == history
        response = bodies[call["response_body"]["place"]]
        assert sha256(response.encode()).hexdigest() == call["response_body"]["hash"]
        assert len(response) == call["response_body"]["bytes"]


def test_a_compressed_body_is_shown_as_it_was_before(agent: Any, unpack: Unpack) -> None:
    """By its Content-Encoding, and by its hash it is still the one that passed."""
    told = json.dumps({"choices": [{"index": 0, "message": DONE}]}).encode()
    answer = gzip.compress(told)
    agent.record(json.dumps({"messages": [TASK]}).encode(), answer, response={"head": "Content-Encoding: gzip"})
    page = page_of(agent)
    (call,) = page.document["calls"]
    assert unpack(page.bodies)[call["response_body"]["place"]] == told.decode()
    assert call["response_body"]["hash"] == sha256(answer).hexdigest()


def test_what_is_no_text_says_so(agent: Any, unpack: Unpack) -> None:
    """Bytes that are no UTF-8 read as a replacement, with a note; the call is there with the reason."""
    agent.record(b"\xff\xfe not JSON", b"")
    page = page_of(agent)
    (call,) = page.document["calls"]
    assert unpack(page.bodies) == ["\ufffd\ufffd not JSON"]
    assert "UTF-8" in call["request_body"]["note"]
    assert call["asked"] is None
    assert "no JSON" in call["unreadable"]
    assert call["response_body"]["note"] == "it is empty"


def test_a_mask_is_told(agent: Any, unpack: Unpack) -> None:
    """No secret is on the page, and where one stood is said."""
    secret = "sk-" + "proj-" + "Ab1" * 16
    agent.ask([{"role": "user", "content": f"the key is {secret}"}], DONE)
    page = page_of(agent)
    (call,) = page.document["calls"]
    assert secret not in json.dumps(page.document) + "".join(unpack(page.bodies))
    assert call["request_body"]["note"].startswith("masked in it: ")


def test_bodies_that_were_not_kept(agent: Any) -> None:
    """With `--bodies hash` the lines of calls are all there, and say why there is no more."""
    agent.ask([TASK], DONE, keep=False)
    page = page_of(agent)
    (call,) = page.document["calls"]
    assert (call["prompt"], call["asked"], call["answers"], call["tools"]) == (100, None, None, None)
    assert "only hashes of bodies are kept" in call["unreadable"]
    assert call["request_body"]["place"] is None
    assert "only hashes of bodies are kept" in call["request_body"]["note"]
    assert page.document["messages"] == []


def test_a_message_of_ten_megabytes(agent: Any) -> None:
    """It is cut, and says by how much: a page must open."""
    agent.ask([{"role": "user", "content": "x" * 10_000_000}], DONE)
    page = page_of(agent)
    message = page.document["messages"][0]
    assert len(message["text"]) + message["cut"] == 10_000_000
    assert "not on the page" in page.document["calls"][0]["request_body"]["note"]


def test_calls_in_which_nothing_is_said(agent: Any) -> None:
    """Embeddings have bodies, and no messages; an API that is not known has bodies, and a reason."""
    agent.record(b'{"input": "text", "dimensions": 8}', b"{}", request={"api": "embeddings", "path": "/v1/embeddings"})
    agent.record(b'{"a": 1}', b"{}", request={"api": None, "path": "/v1/other"})
    page = page_of(agent)
    embedding, other = page.document["calls"]
    assert (embedding["answers"], embedding["unreadable"]) == ((), None)
    assert embedding["parameters"] == [("dimensions", "8")]
    assert embedding["request_body"]["place"] == 0
    assert other["asked"] is None
    assert "/v1/other is not read" in other["unreadable"]
    assert other["request_body"]["place"] == 1


def test_an_answer_that_the_provider_remembers(agent: Any) -> None:
    """A request that only names the answer that it goes on from shows the conversation as the model saw it."""
    api = {"api": "responses", "path": "/v1/responses"}
    told = {
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}]
    }
    agent.record(
        json.dumps({"input": "Hi."}).encode(), json.dumps(told).encode(), request=api, response={"id": "resp_1"}
    )
    agent.record(
        json.dumps({"input": "And now?", "previous_response_id": "resp_1"}).encode(),
        json.dumps(told).encode(),
        request={**api, "previous_response_id": "resp_1"},
    )
    page = page_of(agent)
    second = page.document["calls"][1]["asked"]
    assert (second["since"], second["kept"]) == (0, 1)
    assert said(page, second["added"]) == [("assistant", "Hello."), ("user", "And now?")]
