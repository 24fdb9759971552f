"""Records of agents that change real files, and call tools."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring import RunRecord, TaskFacts, WorkdirDiff, diff, snapshot
from tachograph.scoring.integrity import INTEGRITY_RULES, Observed
from tachograph.scoring.transcript import Message, ToolInvocation, Turn
from tachograph.traces import Call, CallRequest, Run, Timing, Usage

Files = Mapping[str, str | None]


def run_of(*calls: Call) -> Run:
    return Run(
        run_id="r", status="completed", live=False, sealed=True, start_ns=1, end_ns=2, attributes={}, calls=calls, spans=()
    )  # fmt: skip


def turn(
    number: int, text: str = "", *tools: tuple[str, dict[str, Any]], results: Mapping[str, str] | None = None
) -> Turn:
    """The answer of one call; the id of a tool call is the number of the turn, a dot, and its own."""
    request = CallRequest(
        method="POST", path="/v1/chat/completions", query=None, server_address=None, server_port=None,
        api="chat_completions", provider=None, model=None, streamed=False, session_id=None, body_hash=None, bytes=None,
        sent_body_hash=None, sent_bytes=None, head=None,
    )  # fmt: skip
    call = Call(
        run_id="r", span_id=f"{number:016x}", sequence=number, attempt=1, outcome="completed", error_type=None,
        message=None, discarded=False, request=request, request_hash=None, response=None, usage=Usage(source="absent"),
        timing=Timing(start_ns=number * 10**9, end=10**8), bodies_lost=None,
    )  # fmt: skip
    calls = tuple(
        ToolInvocation(id=f"{number}.{place}", name=name, arguments=json.dumps(arguments))
        for place, (name, arguments) in enumerate(tools)
    )
    added = tuple(Message(role="tool", text=said, tool_call_id=id_) for id_, said in (results or {}).items())
    answer = Message(role="assistant", text=text, tool_calls=calls)
    return Turn(call=call, added=added, answers=(answer,), tools=("bash", "edit") if tools else ())


def shell(number: int, command: str) -> Turn:
    return turn(number, "", ("bash", {"command": command}))


def record(
    changes: WorkdirDiff | None = None, *turns: Turn, task: TaskFacts | None = None, **members: Any
) -> RunRecord:
    run = run_of(*(one.call for one in turns))
    return RunRecord(run=run, task=task or TaskFacts(), changes=changes, transcript=turns, **members)


def found(of: RunRecord) -> set[str]:
    """Names of the rules that find something."""
    run = Observed(of)
    return {finding.rule for rule in INTEGRITY_RULES for finding in rule.findings(run)}


class Lab:
    """A workdir, and agents at work in it."""

    turn = staticmethod(turn)
    shell = staticmethod(shell)
    record = staticmethod(record)
    found = staticmethod(found)

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, files: Files) -> None:
        for name, text in files.items():
            path = self.root / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def changed(self, before: Files, after: Files) -> WorkdirDiff:
        """What becomes of the files; None removes one."""
        self.write(before)
        first = snapshot(self.root)
        self.write(after)
        return diff(first, snapshot(self.root))

    def rules_of(self, before: Files, after: Files, **facts: Any) -> set[str]:
        """Names of the rules that find something in a change of files."""
        return found(record(self.changed(before, after), task=TaskFacts(**facts)))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "workdir").mkdir()
    return Lab(tmp_path / "workdir")
