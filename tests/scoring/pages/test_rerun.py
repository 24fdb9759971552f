"""How to make a run again: the words of the commands. That they run as printed is tested with the command line."""

import json
import shlex
from collections.abc import Callable
from typing import Any

from tachograph.harness._local_model import MODEL_NAME
from tachograph.scoring.pages import page_document
from tachograph.scoring.pages._rerun import LOCAL_MODEL

BODY = json.dumps({"messages": []}).encode()
KNOWN = {
    "tachograph.task.id": "demo/t",
    "tachograph.model": "a-model",
    "tachograph.agent.name": "aider",
    "tachograph.agent.adapter": True,
}


def rerun(agent: Any, *endpoints: tuple[str, int]) -> dict[str, Any]:
    for address, port in endpoints:
        agent.record(BODY, b"{}", request={"server_address": address, "server_port": port})
    found: dict[str, Any] = page_document(agent.close())["rerun"]
    return found


def word_after(command: str, option: str) -> str:
    words = shlex.split(command)
    return words[words.index(option) + 1]


def test_with_the_endpoint_of_the_record(start_run: Callable[..., Any]) -> None:
    """A URL made of host and port, as far as the record tells; what is assumed is said."""
    told = rerun(start_run(**KNOWN), ("api.example.com", 443))
    assert told["exact"] == (
        "tachograph run --task demo/t --model a-model --upstream https://api.example.com/v1 --agent aider"
    )
    assert any("is assumed" in note for note in told["notes"])


def test_with_a_server_of_this_machine(start_run: Callable[..., Any]) -> None:
    """HTTP, and its port."""
    assert (
        word_after(rerun(start_run(**KNOWN), ("127.0.0.1", 8080))["exact"], "--upstream") == "http://127.0.0.1:8080/v1"
    )
    assert (
        word_after(rerun(start_run("other", **KNOWN), ("::1", 8080))["exact"], "--upstream") == "http://[::1]:8080/v1"
    )


def test_with_the_local_model(start_run: Callable[..., Any]) -> None:
    """Its port was free then and is not now: the word is `local`. The name is the harness's."""
    assert LOCAL_MODEL == MODEL_NAME
    told = rerun(start_run(**{**KNOWN, "tachograph.model": LOCAL_MODEL}), ("127.0.0.1", 39001))
    assert word_after(told["exact"], "--upstream") == "local"


def test_with_several_endpoints(start_run: Callable[..., Any]) -> None:
    """No single one is right: whoever runs it says which."""
    told = rerun(start_run(**KNOWN), ("a.example.com", 443), ("b.example.com", 443))
    assert '--upstream "$OPENAI_BASE_URL"' in told["exact"]
    assert any("a.example.com:443, b.example.com:443" in note for note in told["notes"])


def test_with_your_own(start_run: Callable[..., Any]) -> None:
    """Endpoint, model and key from the environment, and nothing else changed."""
    told = rerun(start_run(**KNOWN, **{"tachograph.sweep.id": "a sweep", "tachograph.agent.sandbox": True}))
    assert told["own"] == (
        'tachograph run --task demo/t --model "$MODEL" --upstream "$OPENAI_BASE_URL" --sweep \'a sweep\' --sandbox'
        " --agent aider"
    )


def test_words_that_a_shell_would_take_apart(start_run: Callable[..., Any]) -> None:
    """Quotes, dollars, newlines and backticks of the record arrive at the agent as they were, and run nothing."""
    argv = ("sh", "-c", "echo \"$HOME\" `id` 'x'\n$(id)", "{prompt}")
    said = {**KNOWN, "tachograph.agent.adapter": False, "tachograph.agent.argv": argv, "tachograph.task.id": "a; id"}
    told = rerun(start_run(**said))
    for command in (told["exact"], told["own"]):
        words = shlex.split(command)
        assert tuple(words[words.index("--") + 1 :]) == argv
        assert word_after(command, "--task") == "a; id"


def test_a_record_that_does_not_tell(agent: Any) -> None:
    """No command is better than a wrong one."""
    told = rerun(agent)
    assert (told["exact"], told["own"]) == (None, None)
    assert told["notes"]
