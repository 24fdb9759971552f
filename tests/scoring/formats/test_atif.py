"""A run as an ATIF trajectory, by the models of the package `atif`: what was said, once, and nothing that was not told."""

import random
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from atif import Trajectory
from hypothesis import given, settings
from hypothesis import strategies as st

from tachograph.scoring import AgentFacts, AxisValue, RunRecord, load_record, score
from tachograph.scoring.formats import ScoredRun, atif_trajectory
from tachograph.traces import Run, RunStore, Usage

if TYPE_CHECKING:
    from tests.scoring.formats.conftest import Agent

SYSTEM = {"role": "system", "content": "You are an agent."}
ABSENT = Usage(source="absent", reason="the upstream told none")


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str | None = None, *calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **({"tool_calls": list(calls)} if calls else {}), **more}


def tool_call(call_id: str, arguments: str = '{"run": "ls"}') -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "shell", "arguments": arguments}}


def result(call_id: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def checked(record: RunRecord, scored: ScoredRun | None = None) -> Any:
    """The trajectory, if it is one: JSON, by the models, and by what Harbor asks beyond them."""
    made = atif_trajectory(record, scored)
    assert orjson.loads(orjson.dumps(made)) == made
    assert Trajectory.model_validate(made).to_json_dict() == made
    assert made["schema_version"] == "ATIF-v1.8"
    assert len(made["steps"]) >= 1
    for step in made["steps"]:
        asked = {made["tool_call_id"] for made in step.get("tool_calls", ())}
        answered = [found.get("source_call_id") for found in step.get("observation", {}).get("results", ())]
        assert {found for found in answered if found is not None} <= asked
    return made


def said(made: Any) -> list[tuple[str, str]]:
    return [(step["source"], step["message"]) for step in made["steps"]]


def test_a_conversation_with_a_tool(agent: "Agent") -> None:
    """A step for each message that is new and one for each call; a result stands with the call that it answers."""
    agent.ask(SYSTEM, user("fix it"), answer=assistant("Let me see.", tool_call("c1"), reasoning_content="hm"))
    agent.ask(result("c1", "a.py"), answer=assistant("Done."))
    record = agent.recorded()
    made = checked(replace(record, agent=AgentFacts(name="aider", version="0.86.1")))
    assert said(made) == [
        ("system", "You are an agent."),
        ("user", "fix it"),
        ("agent", "Let me see."),
        ("agent", "Done."),
    ]
    first, second = made["steps"][2:]
    assert [step["step_id"] for step in made["steps"]] == [1, 2, 3, 4]
    assert first["tool_calls"] == [{"tool_call_id": "c1", "function_name": "shell", "arguments": {"run": "ls"}}]
    (observed,) = first["observation"]["results"]
    assert (observed["source_call_id"], observed["content"]) == ("c1", "a.py")
    assert observed["extra"]["tachograph"]["call"] == second["extra"]["tachograph"]["call"]
    assert "observation" not in second
    assert first["reasoning_content"] == "hm"
    assert first["llm_call_count"] == second["llm_call_count"] == 1
    assert first["model_name"] == "a-model-2026"
    assert made["steps"][1]["timestamp"] == "2023-11-14T22:13:30.123456Z"
    assert first["timestamp"] == "2023-11-14T22:13:32.123456Z"
    assert first["metrics"] == {"prompt_tokens": 100, "completion_tokens": 20, "cached_tokens": 60}
    own = first["extra"]["tachograph"]
    assert own["call"] == record.run.calls[0].span_id
    assert own["time_to_first_token_ns"] == 999_998_000
    assert (own["duration_ns"], own["overhead_ns"], own["reasoning_tokens"]) == (2_000_000_000, 1_500, 5)
    assert own["request_body_sha256"] == record.run.calls[0].request.body_hash
    assert made["agent"] == {"name": "aider", "version": "0.86.1", "model_name": "a-model"}
    assert made["final_metrics"] == {
        "total_prompt_tokens": 200,
        "total_completion_tokens": 40,
        "total_cached_tokens": 120,
        "total_steps": 4,
    }
    assert "notes" not in made


def test_what_one_call_does_not_tell_has_no_total(agent: "Agent") -> None:
    """A sum of which a part is missing is left out; it is neither 0 nor the sum of the rest."""
    agent.ask(user("one"), answer=assistant("1"))
    agent.ask(user("two"), answer=assistant("2"), usage=Usage(source="provider", input_tokens=10, output_tokens=2))
    made = checked(agent.recorded())
    assert made["final_metrics"] == {"total_prompt_tokens": 110, "total_completion_tokens": 22, "total_steps": 4}
    assert "cached_tokens" not in made["steps"][3]["metrics"]
    agent.ask(user("three"), answer=assistant("3"), usage=ABSENT)
    made = checked(agent.recorded())
    assert made["final_metrics"] == {"total_steps": 6}
    assert "metrics" not in made["steps"][5]
    assert made["steps"][5]["extra"]["tachograph"]["usage_missing"] == "the upstream told none"


@pytest.mark.parametrize(
    "usage",
    [
        Usage(source="estimated", input_tokens=100, output_tokens=20),
        Usage(source="provider", input_tokens=10, output_tokens=2, cache_read_tokens=60),
        Usage(source="provider", input_tokens=0, output_tokens=0),
    ],
)
def test_numbers_that_cannot_be_relied_on(agent: "Agent", usage: Usage) -> None:
    """An estimate and a contradiction are no metrics, and the step says why there are none."""
    agent.ask(user("one"), answer=assistant("1"), usage=usage)
    made = checked(agent.recorded())
    assert "metrics" not in made["steps"][1]
    assert made["final_metrics"] == {"total_steps": 2}
    assert made["steps"][1]["extra"]["tachograph"]["usage_missing"]


def test_a_call_without_an_answer(agent: "Agent") -> None:
    """A refused call is an event of the system: no words of the agent's, no tokens, and no harm to the totals."""
    broken = {"status": 429, "error_type": "429", "message": "slow down", "usage": ABSENT}
    agent.ask(user("fix it"), answer=None, **broken)
    agent.ask(answer=assistant("Done."), attempt=2)
    made = checked(agent.recorded())
    assert said(made) == [
        ("user", "fix it"),
        ("system", "the call to the model brought no answer: HTTP 429: slow down"),
        ("agent", "Done."),
    ]
    assert made["steps"][1]["extra"]["tachograph"]["status"] == 429
    assert made["final_metrics"]["total_prompt_tokens"] == 100
    agent.ask(answer=None, response=None, outcome="interrupted", usage=ABSENT)
    made = checked(agent.recorded())
    assert said(made)[-1] == ("system", "the call to the model brought no answer: interrupted")
    assert made["final_metrics"] == {"total_steps": 4}


def test_calls_that_are_not_the_agents_to_a_model(agent: "Agent") -> None:
    """A list of models that was asked for, and an answer that the agent never saw, are no steps."""
    agent.record(b"", b'{"data": []}', request={"method": "GET", "path": "/v1/models", "api": None}, usage=ABSENT)
    agent.ask(user("fix it"), answer=None, status=400, discarded=True, usage=ABSENT)
    agent.ask(answer=assistant("Done."))
    made = checked(agent.recorded())
    assert said(made) == [("user", "fix it"), ("agent", "Done.")]
    assert made["final_metrics"]["total_completion_tokens"] == 20
    assert "notes" not in made


def test_calls_through_a_websocket_are_the_agents(agent: "Agent") -> None:
    """Their method is that of the exchange which became the WebSocket, a GET: they ask a model all the same."""
    agent.ask(user("fix it"), answer=assistant("Done."), request={"method": "GET", "tunnel_id": "0" * 16})
    assert said(checked(agent.recorded())) == [("user", "fix it"), ("agent", "Done.")]


def test_tool_calls_that_are_not_as_they_should_be(agent: "Agent") -> None:
    """What is no JSON object is kept as text; a call without an id gets one; a result that nobody asked for is told of."""
    calls = [tool_call("c1", '{"run": "l'), tool_call("", "[1]"), tool_call("c3", "")]
    agent.ask(user("fix it"), answer=assistant(None, *calls))
    agent.ask(result("other", "lost"), result("c1", "no JSON"), answer=assistant("Done."))
    made = checked(agent.recorded())
    step, lost = made["steps"][1:3]
    assert [asked["arguments"] for asked in step["tool_calls"]] == [{}, {}, {}]
    assert [asked.get("extra") for asked in step["tool_calls"]] == [
        {"tachograph": {"arguments": '{"run": "l'}},
        {"tachograph": {"arguments": "[1]"}},
        None,
    ]
    assert step["tool_calls"][1]["tool_call_id"] == f"{step['extra']['tachograph']['call']}-1"
    assert [found["content"] for found in step["observation"]["results"]] == ["no JSON"]
    assert lost["source"] == "system"
    assert lost["observation"]["results"][0]["content"] == "lost"
    assert lost["observation"]["results"][0]["extra"]["tachograph"]["tool_call_id"] == "other"


def test_words_that_no_call_has_answered(agent: "Agent") -> None:
    """What an agent brings as its own words from elsewhere is marked as copied, and has no usage."""
    agent.ask(
        user("earlier"), assistant("before", tool_call("c0")), result("c0", "x"), user("now"), answer=assistant("ok")
    )
    made = checked(agent.recorded())
    assert said(made) == [("user", "earlier"), ("agent", "before"), ("user", "now"), ("agent", "ok")]
    copied = made["steps"][1]
    assert copied["is_copied_context"] is True
    assert not {"metrics", "llm_call_count"} & copied.keys()
    assert copied["observation"]["results"][0]["content"] == "x"
    assert made["final_metrics"]["total_prompt_tokens"] == 100


def test_an_id_that_is_used_again(agent: "Agent") -> None:
    """Some servers number tool calls from 0 in each answer: a result belongs to the latest."""
    agent.ask(user("go"), answer=assistant(None, tool_call("call_0")))
    agent.ask(result("call_0", "first"), answer=assistant(None, tool_call("call_0", '{"run": "pwd"}')))
    agent.ask(result("call_0", "second"), answer=assistant("Done."))
    made = checked(agent.recorded())
    observed = [step["observation"]["results"] for step in made["steps"] if "observation" in step]
    assert [[found["content"] for found in results] for results in observed] == [["first"], ["second"]]


def test_a_refusal_on_the_wire(agent: "Agent") -> None:
    """Its words are the step's, and that they are a refusal is told."""
    agent.ask(user("do harm"), answer=assistant(None, refusal="I will not."))
    step = checked(agent.recorded())["steps"][1]
    assert step["message"] == step["extra"]["tachograph"]["refusal"] == "I will not."


def test_bodies_that_cannot_be_read(agent: "Agent") -> None:
    """The call is a step all the same, with its usage, and the notes say that its words are missing."""
    agent.record(b"no JSON", b"nor this")
    made = checked(agent.recorded())
    assert said(made) == [("agent", "")]
    assert made["steps"][0]["metrics"]["prompt_tokens"] == 100
    assert made["notes"].startswith("1 calls could not be read whole")
    assert made["steps"][0]["extra"]["tachograph"]["unreadable"]


def test_a_run_without_a_call() -> None:
    """A trajectory has a step at least, and no totals of nothing."""
    run = Run(
        run_id="r",
        status="completed",
        live=False,
        sealed=True,
        start_ns=0,
        end_ns=None,
        attributes={},
        calls=(),
        spans=(),
    )
    made = checked(RunRecord(run=run))
    assert said(made) == [("system", "no call to a model was recorded")]
    assert made["final_metrics"] == {"total_steps": 1}
    assert made["agent"] == {"name": "unknown", "version": "unknown"}
    assert made["extra"]["tachograph"]["run"] == {
        "id": "r",
        "status": "completed",
        "sealed": True,
        "start": "1970-01-01T00:00:00.000000Z",
    }


def test_scores_and_cost(
    agent: "Agent",
    scored_run: Callable[..., ScoredRun],
    value_of: Callable[..., AxisValue],
    missing_value: Callable[[str, str], AxisValue],
) -> None:
    """Scores go along with their reasons, None as null; the cost is the total only if it is known wholly."""
    agent.ask(user("one"), answer=assistant("1"))
    cost = value_of("cost", 0.5, unit="USD")
    scored = scored_run(axes=(cost, missing_value("integrity", "no workdir")))
    made = checked(agent.recorded(), scored)
    assert made["final_metrics"]["total_cost_usd"] == 0.5
    own = made["extra"]["tachograph"]
    assert own["outcome"] == {"party": "solved", "reason": "passed", "message": "the check passed"}
    assert own["scores"]["integrity"]["value"] is None
    assert own["scores"]["integrity"]["reason"] == "no workdir"
    assert own["scores"]["cost"]["status"] == "measured"
    half = replace(cost, status="partial", bound="lower", reason="one model has no price")
    assert "total_cost_usd" not in checked(agent.recorded(), scored_run(axes=(half,)))["final_metrics"]


def test_the_published_cell(cell: Callable[..., Path]) -> None:
    """A run from disk, of which no call was recorded, scored with no axis at all."""
    record = load_record(cell())
    made = checked(record, score(record, {}, []))
    assert made["agent"]["name"] == "aider"
    assert "total_prompt_tokens" not in made["final_metrics"]


texts = st.sampled_from(["", "go on", "ok", "\x00\x1b[31m é", "\ud83d"])
usages = st.sampled_from([ABSENT, Usage(source="provider", input_tokens=7, output_tokens=1)])


@settings(max_examples=25)
@given(
    turns=st.lists(
        st.tuples(texts, texts, st.integers(0, 2), usages, st.sampled_from([200, 500])), min_size=1, max_size=6
    ),
    seed=st.integers(0, 9),
)
def test_any_conversation(start_agent: "type[Agent]", turns: list[Any], seed: int) -> None:
    """Always valid; each message is told once; the order of the turns says nothing; twice gives the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        recording = RunStore(Path(folder)).open_run("a-run")
        agent, asked = start_agent(recording), 0
        results: list[dict[str, Any]] = []
        for number, (question, answer, tools, usage, status) in enumerate(turns):
            calls = [tool_call(f"{number}-{at}") for at in range(tools)]
            told = assistant(answer, *calls) if status == 200 else None
            agent.ask(*results, user(question), answer=told, usage=usage, status=status)
            results = [result(call["id"], "done") for call in calls] if told else []
            asked += len(results)
        record = agent.recorded()
        recording.close()
    made = checked(record)
    assert len(made["steps"]) == 2 * len(turns)
    observed = sum(len(step.get("observation", {"results": ()})["results"]) for step in made["steps"])
    assert observed == asked - len(results)
    shuffled = list(record.transcript)
    random.Random(seed).shuffle(shuffled)
    assert orjson.dumps(atif_trajectory(replace(record, transcript=tuple(shuffled)))) == orjson.dumps(made)
