"""The document as a whole: a pure function of the folder, small enough, and there for whatever a run is like."""

import json
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring import all_axes as axes
from tachograph.scoring import cab_breakdown, load_profile, load_record, score
from tachograph.scoring.pages import page_document, read_page, render_page
from tachograph.traces import InputError

MEMBERS = {
    "tachograph.page", "title", "scorecard", "published", "seal", "live", "origin_ms", "wall_ms", "identity", "time",
    "tokens", "spans", "calls", "messages", "terminal", "changes", "check", "rerun", "embed", "siblings", "reasons",
}  # fmt: skip
NULLABLE = ("published", "terminal", "changes", "check", "siblings")
MEBIBYTE = 2**20


def converse(agent: Any, calls: int, characters: int) -> None:
    """A conversation that grows by so many characters with each call: code, and tool calls in streams."""
    source = random.Random(7)
    words = ["".join(source.choices("abcdefghijklmnopqrstuvwxyz_", k=source.randint(2, 9))) for _ in range(2000)]

    def text(length: int) -> str:
        return " ".join(source.choices(words, k=length // 6))

    history: list[dict[str, Any]] = [{"role": "system", "content": text(8000)}]
    for number in range(calls):
        history.append(
            {"role": "tool" if number else "user", "tool_call_id": f"t{number}", "content": text(characters)}
        )
        arguments = text(characters // 4)
        function = {"name": "run", "arguments": arguments}
        answer = {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"index": 0, "id": f"t{number + 1}", "function": function}],
        }
        events = [
            {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": word}}]}}]}
            for word in arguments.split()
        ]
        events[0]["choices"][0]["delta"] = answer | {
            "tool_calls": [{"index": 0, "id": f"t{number + 1}", "function": {"name": "run", "arguments": ""}}]
        }
        stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
        agent.record(json.dumps({"model": "a-model", "messages": history}).encode(), stream)
        history.append(answer)


def test_the_same_folder_gives_the_same_bytes(agent: Any, tmp_path: Path) -> None:
    """Also from another place: nothing of the machine that makes the page is in it."""
    converse(agent, 5, 500)
    folder = agent.close()
    first = read_page(folder)
    other = folder.rename(tmp_path / folder.name)
    second = read_page(other)
    page = render_page(first.document, first.bodies)
    assert page == render_page(second.document, second.bodies)
    assert str(tmp_path).encode() not in page


def test_a_run_of_a_hundred_calls(agent: Any, unpack: Callable[[dict[str, str]], list[str]]) -> None:
    """Its conversation grows to 200 KB a request: 10 MB in all, and a page of less than 2 MB that holds every byte."""
    converse(agent, 100, 1600)
    page = read_page(agent.close())
    size = len(render_page(page.document, page.bodies))
    sent = [call["request_body"]["bytes"] for call in page.document["calls"]]
    sys.stdout.write(
        f"{sum(sent) / MEBIBYTE:.1f} MiB of requests, the last of {sent[-1]:,} bytes: a page of {size:,} bytes\n"
    )
    assert sent[-1] > 200_000
    assert size < 2_000_000
    bodies = unpack(page.bodies)
    assert [len(bodies[call["request_body"]["place"]]) for call in page.document["calls"]] == sent
    assert all(len(call["asked"]["added"]) == 2 for call in page.document["calls"])


@pytest.mark.slow
def test_a_run_of_five_thousand_calls(agent: Any) -> None:
    """Time and memory are printed; memory grows with what is new, and not with what is sent again."""
    converse(agent, 5000, 40)
    folder = agent.close()
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    page = read_page(folder)
    seconds = time.perf_counter() - begin
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    sent = sum(call["request_body"]["bytes"] for call in page.document["calls"])
    size = len(render_page(page.document, page.bodies))
    sys.stdout.write(
        f"{sent / MEBIBYTE:,.0f} MiB of requests: {seconds:.1f} s, {grown / 1024:,.0f} MiB more memory, {size:,} bytes\n"
    )
    assert len(page.document["calls"]) == 5000
    assert grown * 1024 < sent / 2


def is_whole(document: dict[str, Any]) -> bool:
    missing = [name for name in NULLABLE if document[name] is None and name not in document["reasons"]]
    return document.keys() == MEMBERS and not missing


def test_a_run_of_which_nothing_is_known(start_run: Callable[..., Any]) -> None:
    """No call, no check, no terminal, no snapshots: a page with a reason for each."""
    document = page_document(start_run("bare").close())
    assert is_whole(document)
    assert document["title"] == "bare"
    assert (document["calls"], document["messages"], document["changes"], document["check"]) == ([], [], None, None)
    assert {"calls", "changes", "check", "terminal", "tokens", "time", "rerun"} <= document["reasons"].keys()


def test_a_run_that_goes_on(agent: Any) -> None:
    """Up to now: it is live, has no end, and what was recorded is there."""
    agent.ask([{"role": "user", "content": "Hi."}], {"role": "assistant", "content": "Hello."})
    agent.ask([{"role": "user", "content": "And?"}], None)
    document = page_document(agent.recording.folder)
    assert is_whole(document)
    assert (document["live"], document["seal"]["state"]) == (True, "open")
    assert [call["outcome"] for call in document["calls"]] == ["completed", "in_flight"]
    assert document["wall_ms"] > 0


def test_a_run_whose_recorder_was_killed(agent: Any) -> None:
    """A torn last line, calls that never ended, half a body: what is whole is shown, the rest says what it lacks."""
    agent.ask([{"role": "user", "content": "Hi."}], {"role": "assistant", "content": "Hello."})
    agent.ask([{"role": "user", "content": "And?"}], None)
    folder = agent.recording.folder
    journal, pack = (folder / "trace.jsonl").read_bytes(), (folder / "bodies" / "bodies.pack").read_bytes()
    agent.close()
    (folder / "trace.jsonl").write_bytes(journal + journal[:50])
    (folder / "bodies" / "bodies.pack").write_bytes(pack[:-10])
    document = page_document(folder)
    assert is_whole(document)
    first, second = document["calls"]
    assert (first["outcome"], second["outcome"]) == ("completed", "interrupted")
    assert first["asked"] is not None
    assert second["asked"] is None
    assert second["request_body"]["note"]


def test_a_run_without_its_bodies(agent: Any) -> None:
    """Whoever passes a run on may leave its bodies out: each call says that they are not there."""
    agent.ask([{"role": "user", "content": "Hi."}], {"role": "assistant", "content": "Hello."})
    folder = agent.close()
    (folder / "bodies" / "bodies.pack").unlink()
    document = page_document(folder)
    (call,) = document["calls"]
    assert (call["asked"], call["answers"], call["prompt"]) == (None, None, 100)
    assert call["request_body"]["note"] == call["response_body"]["note"] == "its body is not in the run's folder"


def test_the_published_keys_beside_it(agent: Any) -> None:
    """Only where they are asked for: they put a number where nothing is known."""
    folder = agent.close()
    assert page_document(folder)["published"] is None
    names = ["tachograph-2026-11", "cab-2026-05"]
    document = page_document(folder, names)
    record = load_record(folder)
    scorecard = score(record, axes(()), [load_profile(name) for name in names])
    assert document["published"] == cab_breakdown(record, scorecard)
    assert [made["profile"] for made in document["scorecard"]["composites"]] == names


def test_what_is_no_run(tmp_path: Path) -> None:
    """A clear message, and no empty page."""
    with pytest.raises(InputError):
        page_document(tmp_path)
    with pytest.raises(InputError):
        page_document(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["</script><script>alert(1)", "<!--", "\u2028", "\ud800"])
def test_hostile_text_stays_text(start_run: Callable[..., Any], text: str) -> None:
    """Whatever a run says of itself, the page's one script ends where it ends."""
    agent = start_run(**{"tachograph.task.prompt": text.encode("utf-8", "replace").decode()})
    body = json.dumps({"messages": [{"role": "user", "content": text}]}).encode()
    agent.record(body, json.dumps({"choices": [{"message": {"content": text}}]}).encode())
    page = read_page(agent.close())
    html = render_page(page.document, page.bodies).decode()
    assert html.count("</script>") == render_page(page_document(start_run("plain").close())).decode().count("</script>")
    assert text not in html.replace("<!DOCTYPE", "")
