"""A run whose every text is an attempt at whoever shows it."""

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any, Final

from tachograph.traces import RunStore
from tests.scoring.pages.conftest import Agent

HOSTILE_CALLS: Final = 5000
SCRIPT: Final = "<script>document.title = 'owned'; fetch('http://127.0.0.1:9/')</script>"
TEXTS: Final = (
    SCRIPT,
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]><img src=x onerror=alert(2)>",
    '"><iframe src="javascript:alert(3)"></iframe>',
    "'; alert(4); //",
    "${alert(5)} {{ 7 * 7 }} {% raw %}",
    "\x1b]52;c;aGVsbG8=\x07\x1b[2J\x1b[31mred\x1b]8;;http://127.0.0.1:9/\x07link",
    "right \u202e to left \u2066 isolate \u200b zero \ufeff bom",
    "line\u2028separator\u2029paragraph\x00nul\x7f",
    "__proto__ constructor toString",
    "e\u0301" * 200,
    "\U0001f600" * 50,
)
LONG: Final = "x" * 10_000_000
"""A line of ten million characters."""


def record_hostile_run(store: Path, calls: int) -> Path:
    """Record it; gives its folder."""
    attributes = {
        "tachograph.task.id": f"task{SCRIPT}",
        "tachograph.task.prompt": "".join(TEXTS),
        "tachograph.agent.name": '"><b>agent</b>',
        "tachograph.model": "model</title>" + SCRIPT,
        "tachograph.cell.id": f"cell/{SCRIPT}",
        "tachograph.agent.argv": list(TEXTS),
    }
    agent = Agent(RunStore(store).open_run("hostile", attributes))
    texts = itertools.cycle(TEXTS)
    history: list[dict[str, Any]] = []
    for number in range(calls):
        text = next(texts)
        if number % 20 == 0:
            history = [{"role": "system", "content": text}]
        history.append({"role": "user" if number % 3 else text, "content": LONG if number == 7 else f"{number} {text}"})
        function = {"name": text, "arguments": json.dumps({"path": text, "text": text})}
        answer = {
            "role": "assistant",
            "content": text,
            "tool_calls": [{"id": text, "type": "function", "function": function}],
        }
        agent.ask(
            history[-6:],
            answer,
            members={"model": text, "tools": [{"type": "function", "function": {"name": text}}]},
            request={"model": text, "path": "/v1/chat/completions"},
            response={"model": text, "finish_reasons": (text,)},
            error_type=text if number % 11 == 0 else None,
            message=text if number % 11 == 0 else None,
            request_hash=hashlib.sha256(f"{number}".encode()).hexdigest(),
            start_ns=1_700_000_000_000_000_000 + number * 500_000_000,
        )
        history.append(answer)
    folder = agent.close()
    events = [json.dumps([number / 100, "o", f"{text}\r\n"]) for number, text in enumerate(TEXTS * 20)]
    head = json.dumps({"version": 2, "width": 100, "height": 30, "timestamp": 1_700_000_000})
    (folder / "terminal.cast").write_text("\n".join([head, *events]) + "\n")
    return folder
