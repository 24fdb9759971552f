"""Which run it is: what is known, and what is not with its reason."""

import json
from collections.abc import Callable
from typing import Any

from tachograph.scoring.pages import page_document

GROUPS = ["run", "agent", "model", "task", "instrument"]
ASKED = [{"role": "user", "content": "Hi."}]
ANSWER = {"role": "assistant", "content": "Hello."}


def facts_of(agent: Any) -> dict[str, dict[str, Any]]:
    return {fact["label"]: fact for fact in page_document(agent.close())["identity"]}


def test_nothing_is_left_out(start_run: Callable[..., Any]) -> None:
    """A run that says nothing of itself has the same lines; each without a value says why."""
    facts = page_document(start_run("bare").close())["identity"]
    assert list(dict.fromkeys(fact["group"] for fact in facts)) == GROUPS
    assert all(fact["note"] for fact in facts if fact["value"] is None)
    known = {fact["label"] for fact in facts if fact["value"] is not None}
    assert known == {
        "Run",
        "Status",
        "Started",
        "Ended",
        "Duration",
        "Recorded by",
        "Scored by",
        "Profiles",
        "Formulas",
        "Seal",
        "Seal's head",
    }


def test_what_a_run_says(start_run: Callable[..., Any]) -> None:
    """The cell, the command as a shell takes it, what the task asks for, what it was made on."""
    agent = start_run(
        **{
            "tachograph.cell.id": "s/a/m/t#run1",
            "tachograph.agent.name": "an-agent",
            "tachograph.agent.argv": ("an-agent", "--prompt", "{prompt} it's"),
            "tachograph.task.id": "t",
            "tachograph.task.expected": ("a.py",),
            "host.name": "bench-7",
            "os.type": "linux",
        }
    )
    facts = facts_of(agent)
    assert facts["Cell"]["value"] == "s/a/m/t#run1"
    assert facts["Command"]["value"] == """an-agent --prompt '{prompt} it'"'"'s'"""
    assert facts["May change"]["value"] == "a.py"
    assert (facts["Must stay"]["value"], facts["Must stay"]["note"]) == (None, "the task does not say")
    assert (facts["Machine"]["value"], facts["Operating system"]["value"]) == ("bench-7", "linux")
    assert (facts["Python"]["value"], facts["Python"]["note"]) == (None, "the record does not tell")


def test_how_the_model_was_asked(agent: Any) -> None:
    """Each parameter with all values that requests say, and what they say of anything else left out."""
    agent.ask(ASKED, ANSWER, members={"temperature": 0.2, "seed": 7, "tool_choice": "auto", "user": "u"})
    agent.ask(ASKED, ANSWER, members={"temperature": 0.8}, request={"streamed": False})
    facts = facts_of(agent)
    assert facts["temperature"]["value"] == "0.2 \u00b7 0.8"
    assert facts["seed"]["value"] == "7"
    assert not {"tool_choice", "user", "messages", "model"} & facts.keys()
    assert facts["Streamed"]["value"] == "1 of 2 calls"
    assert (facts["Asked for"]["value"], facts["Answered as"]["value"]) == ("a-model", "a-model-2026")
    assert facts["Endpoint"]["value"] == "api.example.com:443"


def test_no_parameter_is_not_the_default(agent: Any) -> None:
    """Whoever says nothing of temperature gets the provider's own, which nobody tells."""
    agent.record(json.dumps({"messages": ASKED}).encode(), json.dumps({"choices": []}).encode())
    fact = facts_of(agent)["Sampling"]
    assert (fact["value"], fact["note"]) == (None, "no request says any: the provider's own hold")


def test_a_damaged_run_says_so(agent: Any) -> None:
    """The seal's line names what is wrong."""
    folder = agent.close()
    journal = folder / "trace.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"run.start", b"run.stark", 1))
    facts = {fact["label"]: fact for fact in page_document(folder)["identity"]}
    assert facts["Seal"]["value"] == "damaged"
    assert facts["Seal"]["note"]
