"""OpenAI Responses: every kind of item says what it says, and nothing is asked of the agent that the provider runs itself."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tachograph.scoring._deeds import deeds_of
from tachograph.scoring.integrity._tool_calls import asked_calls
from tachograph.scoring.transcript import Message

if TYPE_CHECKING:
    from tests.scoring.transcript.conftest import Conversation

PATCH = "*** Begin Patch\n*** Update File: src/a.py\n@@\n-a\n+b\n*** End Patch\n"


def ask(conversation: "Conversation", asked: Any, *output: dict[str, Any], **changed: Any) -> None:
    request = {"model": "m", "input": asked, **changed.pop("request", {})}
    conversation.call(json.dumps(request).encode(), json.dumps({"output": output}).encode(), api="responses", **changed)


def words(text: str, role: str = "assistant") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "output_text", "text": text}]}


def said(conversation: "Conversation") -> list[list[tuple[str, str]]]:
    return [[(message.role, message.text) for message in turn.added or ()] for turn in conversation.turns()]


@pytest.mark.parametrize(
    ("item", "name", "arguments"),
    [
        ({"type": "function_call", "name": "run", "arguments": '{"a":1}'}, "run", '{"a":1}'),
        ({"type": "custom_tool_call", "name": "apply_patch", "input": PATCH}, "apply_patch", PATCH),
        ({"type": "local_shell_call", "action": {"command": ["ls"]}}, "local_shell", '{"command": ["ls"]}'),
        ({"type": "shell_call", "action": {"commands": ["ls"]}}, "shell", '{"commands": ["ls"]}'),
        ({"type": "apply_patch_call", "operation": {"path": "a"}}, "apply_patch", '{"path": "a"}'),
        ({"type": "computer_call", "action": {"type": "click"}}, "computer", '{"type": "click"}'),
    ],
)
def test_items_that_ask_for_a_tool(
    conversation: "Conversation", item: dict[str, Any], name: str, arguments: str
) -> None:
    """A tool call has its name, its id and its arguments as the model wrote them, sent back or just answered."""
    ask(conversation, "go", {**item, "id": "i", "call_id": "c"})
    ask(conversation, [{**item, "call_id": "c"}, {"type": f"{item['type']}_output", "call_id": "c", "output": "ok"}])
    first, second = conversation.turns()
    ((call,),) = (answer.tool_calls for answer in first.answers or ())
    assert (call.id, call.name, call.arguments) == ("c", name, arguments)
    assert second.added == (Message(role="tool", text="ok", tool_call_id="c"),)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "web_search_call", "action": {"query": "x"}},
        {"type": "code_interpreter_call", "code": "open('a', 'w')"},
        {"type": "tool_search_call", "execution": "server", "arguments": {"q": 1}},
        {"type": "mcp_call", "name": "write_file", "arguments": "{}"},
    ],
)
def test_what_runs_at_the_provider(conversation: "Conversation", item: dict[str, Any]) -> None:
    """It is told by its kind, and is no deed of the agent's."""
    ask(conversation, "go", item, words("done"))
    turn = conversation.turn()
    kind = item["type"].removesuffix("_call")
    assert turn.answers == (Message(role="assistant", text=f"[{kind}]\ndone"),)
    assert deeds_of(replace(turn, tools=("run",))) == []


def test_parts(conversation: "Conversation") -> None:
    """Texts, pictures, files and refusals, and what a shell printed."""
    content = [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:"},
        {"type": "input_file"},
    ]
    printed = [{"stdout": "1 failed", "stderr": "warning", "outcome": {"type": "exit", "exit_code": 1}}]
    shown = [{"type": "input_text", "text": "a"}, {"type": "input_image"}]
    asked = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": content},
        {"type": "shell_call_output", "call_id": "1", "output": printed},
        {"type": "function_call_output", "call_id": "2", "output": shown},
        {"type": "computer_call_output", "call_id": "3", "output": {"type": "computer_screenshot"}},
        {"type": "item_reference", "id": "x"},
        {"type": "compaction", "encrypted_content": "g"},
        None,
    ]
    refusal = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    ask(conversation, asked, refusal)
    assert said(conversation)[0] == [
        ("system", "be brief"),
        ("user", "see\n[image]\n[file]"),
        ("tool", "1 failed\nwarning"),
        ("tool", "a\n[image]"),
        ("tool", "[computer_screenshot]"),
        ("user", "[compaction]"),
        ("user", "[]"),
    ]
    assert conversation.turn().answers == (Message(role="assistant", refusal="No."),)


def test_tools_that_are_offered(conversation: "Conversation") -> None:
    """By name; those without one by their type."""
    tools = [{"type": "function", "name": "run"}, {"type": "custom", "name": "apply_patch"}, {"type": "web_search"}]
    ask(conversation, "go", words("ok"), request={"tools": tools})
    assert conversation.turn().tools == ("run", "apply_patch", "web_search")


@pytest.mark.parametrize("request_body", [{}, {"input": None}, {"input": 5}])
def test_a_request_without_input(conversation: "Conversation", request_body: dict[str, Any]) -> None:
    """A stored prompt alone has no messages to read, and that is said."""
    conversation.call(json.dumps(request_body).encode(), b'{"output":[]}', api="responses")
    turn = conversation.turn()
    assert (turn.added, turn.answers, turn.unreadable) == (None, (), "request: it has no input")


def test_codex_deeds(conversation: "Conversation") -> None:
    """What codex asks for is understood: a command in a folder, a patch as an argument, as a tool's input, in a shell."""
    asked: list[dict[str, Any]] = [
        {"type": "function_call", "name": "exec_command", "arguments": '{"cmd":"sed -i s/a/b/ a.py","workdir":"src"}'},
        {"type": "custom_tool_call", "name": "apply_patch", "input": PATCH},
        {"type": "function_call", "name": "apply_patch", "arguments": json.dumps({"input": PATCH})},
        {"type": "function_call", "name": "shell", "arguments": json.dumps({"command": ["apply_patch", PATCH]})},
        {
            "type": "function_call",
            "name": "shell",
            "arguments": json.dumps({"command": ["bash", "-lc", "echo > src/a.py"]}),
        },
        {"type": "function_call", "name": "shell_command", "arguments": '{"command":"rm a.py","workdir":"src"}'},
        {"type": "local_shell_call", "action": {"type": "exec", "command": ["rm", "a.py"], "working_directory": "src"}},
        {"type": "shell_call", "action": {"commands": ["touch src/a.py", "ls"]}},
        {"type": "apply_patch_call", "operation": {"type": "update_file", "path": "src/a.py", "diff": "@@\n-a\n+b"}},
    ]
    heredoc = f"apply_patch <<'EOF'\n{PATCH}EOF\n"
    asked.append({"type": "function_call", "name": "exec_command", "arguments": json.dumps({"cmd": heredoc})})
    for item in asked:
        ask(conversation, "go", item, request={"tools": [{"type": "function", "name": "x"}]})
    for turn, item in zip(conversation.turns(), asked, strict=True):
        assert [path for deed in deeds_of(turn) for path in deed.paths] == ["src/a.py"], item


def test_codex_deeds_that_only_read_or_plan(conversation: "Conversation") -> None:
    """They change no file."""
    names = {"update_plan": '{"plan":[{"step":"edit src/a.py"}]}', "exec_command": '{"cmd":"cat src/a.py"}'}
    names["view_image"] = '{"path":"a.png"}'
    for name, arguments in names.items():
        ask(conversation, "go", {"type": "function_call", "name": name, "arguments": arguments})
    assert [deeds_of(replace(turn, tools=("x",))) for turn in conversation.turns()] == [[], [], []]


def test_commands_that_integrity_looks_at(conversation: "Conversation") -> None:
    """The words of a command are found in each of the ways in which codex puts it."""
    for item in (
        {"type": "function_call", "name": "exec_command", "arguments": '{"cmd":"git log --all"}'},
        {"type": "local_shell_call", "action": {"type": "exec", "command": ["git", "log", "--all"]}},
        {"type": "function_call", "name": "shell", "arguments": '{"command":["bash","-lc","git log --all"]}'},
        {"type": "shell_call", "action": {"commands": ["git log --all"]}},
    ):
        ask(conversation, "go", item)
    asked = list(asked_calls(conversation.turns()))
    assert [call.commands for call in asked] == [(["git", "log", "--all"],)] * 4
