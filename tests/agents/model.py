"""A model that fixes the Python mutation task by rule, whichever agent asks: it looks at the conversation and the tools."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

FIX = (
    "python3 -c \"import pathlib; p = pathlib.Path('retry.py'); "
    "p.write_text(p.read_text().replace('while error is None', 'while error is not None'))\""
)
"""No `sed -i`: there are agents that take it for an edit of a file which they have not read."""
SUBMIT = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
"""By which mini-swe-agent ends; its prompt names it."""
EDIT = """\
retry.py
```python
<<<<<<< SEARCH
    while error is None and attempts < max_attempts:
=======
    while error is not None and attempts < max_attempts:
>>>>>>> REPLACE
```
"""
"""How aider is told what to change."""
_SHELLS = (
    "bash",
    "shell",
    "exec_command",
    "run_shell_command",
    "terminal",
    "execute_bash",
    "run_commands",
    "execute_command",
)
_ENDS = ("finish", "complete", "attempt_completion", "submit")
_COMMANDS = ("command", "cmd", "commands", "script")
_DEFAULTS: dict[str, Any] = {
    "string": "fix the loop",
    "boolean": False,
    "integer": 60,
    "number": 60,
    "array": [],
    "object": {},
}

Tool = tuple[str, dict[str, Any]]
"""Name, and JSON schema of the parameters."""
Said = tuple[str, str | None, str]
"""Text, tool and arguments."""


def say(request: Mapping[str, Any]) -> Said:
    """The next step in a conversation."""
    tools = dict(_tools(request))
    told = json.dumps(request)
    results = _results(request)
    if not tools:
        return (EDIT if "SEARCH/REPLACE" in told else "Fix the loop of retry"), None, ""
    shell = next((name for name in tools if name.lower() in _SHELLS), None)
    end = next((name for name in tools if name.lower() in _ENDS), None)
    if results == 0 and shell:
        return "I fix the loop.", shell, _arguments(tools[shell], FIX)
    if shell and "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT" in told:
        return "That is all.", shell, _arguments(tools[shell], SUBMIT)
    if results == 1 and end:
        return "That is all.", end, _arguments(tools[end], FIX)
    return "The loop now goes on while there is an error.", None, ""


def _tools(request: Mapping[str, Any]) -> Iterable[Tool]:
    """The tools offered, in the form of any of the three APIs."""
    for tool in request.get("tools") or ():
        described = tool.get("function", tool)
        if described.get("name"):
            yield described["name"], described.get("parameters") or described.get("input_schema") or {}


def _results(request: Mapping[str, Any]) -> int:
    """How many results of tools the conversation holds."""
    entries = request.get("messages") or request.get("input") or ()
    blocks = [block for entry in entries for block in _blocks(entry)]
    return sum(
        block.get("role") == "tool" or block.get("type") in ("function_call_output", "tool_result") for block in blocks
    )


def _blocks(entry: Any) -> list[dict[str, Any]]:
    content = entry.get("content") if isinstance(entry, dict) else None
    inner = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    return [entry, *inner] if isinstance(entry, dict) else []


def _arguments(schema: Mapping[str, Any], command: str) -> str:
    properties = schema.get("properties") or {}
    place = next((name for name in _COMMANDS if name in properties), None)
    arguments = {name: _some(properties.get(name, {})) for name in schema.get("required") or ()}
    if place:
        arguments[place] = ["bash", "-c", command] if place == "command" and _is_list(properties[place]) else command
        if place == "commands":
            arguments[place] = [command] if _is_list(properties[place]) else command
    return json.dumps(arguments)


def _is_list(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array" or "items" in schema


def _some(schema: Mapping[str, Any]) -> Any:
    """A value that a schema allows."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "string")
    return _DEFAULTS[kind[0] if isinstance(kind, list) else kind]
