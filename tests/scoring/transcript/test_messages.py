"""Anthropic Messages: every kind of block says what it says; what the provider runs itself is not asked of the agent."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tachograph.scoring._deeds import deeds_of
from tachograph.scoring.transcript import Message

if TYPE_CHECKING:
    from tests.scoring.transcript.conftest import Conversation


def ask(conversation: "Conversation", messages: list[Any], *content: dict[str, Any], **more: Any) -> None:
    answer = {"type": "message", "role": "assistant", "content": content}
    request = {"model": "m", "messages": messages, **more}
    conversation.call(json.dumps(request).encode(), json.dumps(answer).encode(), api="messages")


def use(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": "t1", "name": name, "input": arguments}


def test_blocks(conversation: "Conversation") -> None:
    """Results of tools are messages of their own, in their place between the words; a thought that is hidden says nothing."""
    parts = [{"type": "text", "text": "x"}, {"type": "image", "source": {}}]
    content = [
        {"type": "text", "text": "before"},
        {"type": "tool_result", "tool_use_id": "1", "content": "ok"},
        {"type": "tool_result", "tool_use_id": "2", "content": parts, "is_error": True},
        {"type": "tool_result", "tool_use_id": "3"},
        {"type": "text", "text": "see"},
        {"type": "document", "source": {}},
        5,
    ]
    thoughts = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "E"}]
    ask(
        conversation,
        [{"role": "user", "content": content}],
        *thoughts,
        {"type": "text", "text": "done"},
        system="be brief",
    )
    turn = conversation.turn()
    assert turn.added == (
        Message(role="system", text="be brief"),
        Message(role="user", text="before"),
        Message(role="tool", text="ok", tool_call_id="1"),
        Message(role="tool", text="x\n[image]", tool_call_id="2"),
        Message(role="tool", tool_call_id="3"),
        Message(role="user", text="see\n[document]"),
    )
    assert turn.answers == (Message(role="assistant", text="done", reasoning="hm"),)


def test_a_mark_that_moves_makes_nothing_new(conversation: "Conversation") -> None:
    """claude-code marks the last message for the cache, with each call another one."""
    mark = {"cache_control": {"type": "ephemeral"}}
    first = {"role": "user", "content": [{"type": "text", "text": "fix it", **mark}]}
    ask(conversation, [first], use("Bash", command="ls"))
    unmarked = {"role": "user", "content": "fix it"}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "a.py", **mark}
    ask(
        conversation,
        [
            unmarked,
            {"role": "assistant", "content": [use("Bash", command="ls")]},
            {"role": "user", "content": [result]},
        ],
    )
    assert conversation.turns()[1].added == (Message(role="tool", text="a.py", tool_call_id="t1"),)


def test_what_runs_at_the_provider(conversation: "Conversation") -> None:
    """It is told by its name, and is no deed of the agent's."""
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    ask(conversation, [{"role": "user", "content": "go"}], search, found, {"type": "text", "text": "done"})
    turn = conversation.turn()
    assert turn.answers == (Message(role="assistant", text="[web_search]\ndone"),)
    assert deeds_of(replace(turn, tools=("Bash",))) == []


@pytest.mark.parametrize(
    ("name", "arguments", "paths"),
    [
        ("Bash", {"command": "sed -i s/a/b/ a.py", "description": "Edit b.py"}, ["a.py"]),
        ("Edit", {"file_path": "/w/a.py", "old_string": "x.py", "new_string": "y.py"}, ["/w/a.py"]),
        ("Write", {"file_path": "/w/a.py", "content": "path/to/b"}, ["/w/a.py"]),
        ("MultiEdit", {"file_path": "/w/a.py", "edits": [{"old_string": "a", "new_string": "b"}]}, ["/w/a.py"]),
        ("NotebookEdit", {"notebook_path": "/w/a.ipynb", "new_source": "x"}, ["/w/a.ipynb"]),
        ("str_replace_based_edit_tool", {"command": "create", "path": "a.py", "file_text": "x"}, ["a.py"]),
        ("Read", {"file_path": "/w/a.py"}, []),
        ("Grep", {"pattern": "x", "path": "/w"}, []),
        ("TodoWrite", {"todos": [{"content": "edit a.py"}]}, []),
        ("WebFetch", {"url": "http://example.com/a.py"}, []),
    ],
)
def test_claude_code_deeds(
    conversation: "Conversation", name: str, arguments: dict[str, Any], paths: list[str]
) -> None:
    """What claude-code asks for is understood: which files are written, and which only read."""
    ask(conversation, [{"role": "user", "content": "go"}], use(name, **arguments), tools=[{"name": name}])
    turn = conversation.turn()
    assert turn.tools == (name,)
    assert [path for deed in deeds_of(turn) for path in deed.paths] == paths


def test_an_error_is_no_answer(conversation: "Conversation") -> None:
    """A stream that broke before its first block, an error instead of a message, a request without messages."""
    conversation.call(b'{"messages":[]}', b'data: {"type":"error","error":{}}\n\n', api="messages")
    conversation.call(b"{}", b'{"type":"error"}', api="messages")
    first, second = conversation.turns()
    assert (first.added, first.answers) == ((), ())
    assert (second.added, second.answers, second.unreadable) == (None, (), "request: it has no messages")


@pytest.mark.parametrize("api", ["count_tokens", "embeddings", "models"])
def test_calls_in_which_nobody_speaks(conversation: "Conversation", api: str) -> None:
    """They are turns without words, and not unreadable ones."""
    conversation.call(b'{"messages":[{"role":"user","content":"x"}]}', b'{"input_tokens":5}', api=api)
    turn = conversation.turn()
    assert (turn.added, turn.answers, turn.tools, turn.unreadable) == ((), (), (), None)
