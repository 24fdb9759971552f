"""A run with all that an export must carry over: `record(STORE)` writes it; as a program, record_exported_run.py STORE.

An agent with a streamed chat completion that asks for a tool, an Anthropic message with cached input, a response of OpenAI's
with reasoning, a call that was in flight when its proxy was killed; a check; scores, one of which has no value.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tachograph.traces import (
    Amendment,
    Call,
    CallRequest,
    CallResponse,
    RunRecording,
    RunStore,
    Score,
    Timing,
    Usage,
    append_scores,
)

RUN: Final = "exported-run"
START: Final = time.time_ns()
SECOND: Final = 1_000_000_000
TOOL: Final = {"name": "bash", "description": "runs a command", "parameters": {"type": "object", "properties": {}}}
CHAT: Final[dict[str, Any]] = {
    "model": "gpt-4o",
    "stream": True,
    "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "list the files"}],
    "tools": [{"type": "function", "function": TOOL}],
}
MESSAGES: Final[dict[str, Any]] = {
    "model": "claude-opus-4",
    "system": "you are an agent",
    "messages": [
        {"role": "user", "content": "list the files"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "bash", "input": {"cmd": "ls"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a.txt"}]},
    ],
    "tools": [{"name": "bash", "input_schema": {"type": "object"}}],
}
RESPONSES: Final[dict[str, Any]] = {"model": "gpt-5", "instructions": "think", "input": "and now?"}
CHAT_ANSWER: Final = "".join(
    f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n"
    for delta in (
        {"role": "assistant", "content": "I will "},
        {"content": "look."},
        {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "bash", "arguments": '{"cmd": "ls"}'}}]},
    )
)
MESSAGES_ANSWER: Final = json.dumps({"content": [{"type": "text", "text": "There is one file."}]})
RESPONSES_ANSWER: Final = json.dumps(
    {
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "I wonder"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]},
        ]
    }
)


def record(store: Path, run_id: str = RUN, *, keep: bool = True, killed: bool = False) -> Path:
    """Record the run; its folder. `keep=False`: no bodies are kept; `killed`: its journal is what a killed proxy leaves."""
    run = RunStore(store).open_run(
        run_id,
        {"tachograph.task.id": "list-files", "tachograph.model": "gpt-4o", "tachograph.agent.name": "a-coder"},
    )
    journal = run.folder / "trace.jsonl"
    agent_attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a-coder"}
    with run.span("agent", "invoke_agent a-coder", start_ns=START, attributes=agent_attributes) as agent:
        run.calls_below = agent.get_span_context()
        _calls(run, keep=keep)
        _begin(run, CHAT, "chat_completions", "openai", 9, keep=keep)
        length = journal.stat().st_size
        agent.set_attribute("process.exit.code", 0)
        agent.end(end_time=START + 10 * SECOND)
    with run.span("check", "check list-files", attributes={"openinference.span.kind": "EVALUATOR"}) as check:
        check.set_attribute("process.exit.code", 0)
    run.close()
    if killed:
        os.truncate(journal, length)
        return run.folder
    scores = (
        Score(axis="pass_rate", value=1.0, label="pass", attributes={"formula": "pass_rate/exit", "version": 1}),
        Score(axis="tokens", value=370.0, label="measured", attributes={"formula": "tokens/told", "version": 1}),
        Score(axis="cost", value=None, label="missing", explanation="the model has no known price"),
    )
    append_scores(run.folder, run_id, START + 20 * SECOND, scores)
    return run.folder


def _calls(run: RunRecording, *, keep: bool) -> None:
    opened, _ = _call(
        run, CHAT, CHAT_ANSWER, "chat_completions", "openai", 1,
        keep=keep, finish="tool_calls", usage={"input_tokens": 100, "output_tokens": 20},
    )  # fmt: skip
    run.amend_call(opened, Amendment(at_ns=START + 3 * SECOND, outcome="client_disconnected"))
    _call(
        run, MESSAGES, MESSAGES_ANSWER, "messages", "anthropic", 4,
        keep=keep, finish="end_turn",
        usage={"input_tokens": 150, "output_tokens": 10, "cache_read_tokens": 60, "cache_creation_tokens": 30},
    )  # fmt: skip
    _call(
        run, RESPONSES, RESPONSES_ANSWER, "responses", "openai", 6,
        keep=keep, finish="completed", usage={"input_tokens": 50, "output_tokens": 40, "reasoning_tokens": 25},
    )  # fmt: skip


def _begin(
    run: RunRecording, request: Mapping[str, Any], api: str, provider: str, second: int, *, keep: bool
) -> tuple[Any, CallRequest]:
    body = json.dumps(request).encode()
    digest = sha256(body).hexdigest()
    if keep:
        run.bodies.put_request(body, digest)
    asked = CallRequest(
        method="POST",
        path="/v1/any",
        query=None,
        server_address="127.0.0.1",
        server_port=8000,
        api=api,
        provider=provider,
        model=request["model"],
        streamed=bool(request.get("stream")),
        session_id=None,
        body_hash=digest,
        bytes=len(body),
        sent_body_hash=None,
        sent_bytes=None,
        head="Content-Type: application/json",
    )
    return run.start_call(asked, START + second * SECOND, None if keep else "--bodies hash"), asked


def _call(  # noqa: PLR0917  a row of a table
    run: RunRecording,
    request: Mapping[str, Any],
    answer: str,
    api: str,
    provider: str,
    second: int,
    *,
    keep: bool,
    finish: str,
    usage: Mapping[str, Any],
) -> tuple[Any, Call]:
    opened, asked = _begin(run, request, api, provider, second, keep=keep)
    body = run.bodies.new_response()
    body.add(answer.encode())
    if keep:
        run.bodies.put_response(body)
    call = Call(
        run_id=run.run_id,
        span_id="",
        sequence=opened.sequence,
        attempt=1,
        outcome="completed",
        error_type=None,
        message=None,
        discarded=False,
        request=asked,
        request_hash=asked.body_hash,
        response=CallResponse(
            status=200,
            model=f"{asked.model}-2026",
            id=f"answer-{second}",
            upstream_request_id=None,
            finish_reasons=(finish,),
            tool_calls=(),
            body_hash=sha256(answer.encode()).hexdigest(),
            bytes=len(answer),
            delivered_body_hash=None,
            delivered_bytes=len(answer),
            head="content-type: text/event-stream",
        ),
        usage=Usage(source="provider", **usage),
        timing=Timing(
            start_ns=START + second * SECOND,
            upstream_sent=SECOND // 100,
            first_byte_in=SECOND // 4,
            first_content=SECOND // 2,
            end=SECOND,
        ),
        bodies_lost=None if keep else "--bodies hash",
    )
    run.end_call(opened, call)
    return opened, call


if __name__ == "__main__":
    record(Path(sys.argv[1]))
