"""The example agent against an endpoint that answers by rule: what it asks, what it writes, how it ends."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

AGENT = Path(__file__).parents[2] / "examples" / "agent.py"
PROMPT = "The function add in calc.py is wrong. It must return the sum of a and b."
SOURCE = "LIMIT = 3\n\n\ndef add(a, b):\n    return a - b\n\n\ndef keep(a):\n    return a  # as it is\n"
CHECK = "python3 -c 'import calc; assert calc.add(2, 3) == 5, calc.add(2, 3)'"
RUN_KEY = "the-key-of-this-run"
RIGHT = "Here it is, café:\n```python\ndef add(a, b):\n    return a + b\n```\n"
WRONG = "```python\ndef add(a, b):\n    return a * b\n```\n"

Request = dict[str, Any]


def event(document: object) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"


def stream(text: str) -> bytes:
    deltas = [{"role": "assistant", "content": None}, *({"content": piece} for piece in text), {}]
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    usage = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": len(text)}}
    return b": keep-alive\n\n" + b"".join(map(event, [*chunks, usage])) + b"data: [DONE]\n\n"


@dataclass
class Upstream:
    rule: Callable[[Request], bytes]
    status: int
    requests: list[Request] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(await request.json())
        self.keys.append(request.headers["Authorization"])
        return web.Response(
            body=self.rule(self.requests[-1]), status=self.status, headers={"Content-Type": "text/event-stream"}
        )


@asynccontextmanager
async def upstream(rule: Callable[[Request], bytes], status: int = 200) -> AsyncIterator[Upstream]:
    answering = Upstream(rule, status)
    application = web.Application()
    application.router.add_post("/v1/chat/completions", answering.answer)
    async with TestServer(application) as server:
        answering.url = str(server.make_url("/v1"))
        yield answering


@dataclass(frozen=True)
class Ended:
    code: int | None
    stdout: str
    stderr: str


async def run_agent(workdir: Path, url: str, *arguments: str) -> Ended:
    environment = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": RUN_KEY, "OPENAI_MODEL": "by-rule"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, AGENT, *arguments, cwd=workdir, env=environment, stdout=pipe, stderr=pipe
    )
    stdout, stderr = await process.communicate()
    return Ended(process.returncode, stdout.decode(), stderr.decode())


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    (tmp_path / "calc.py").write_text(SOURCE)
    return tmp_path


async def test_a_right_answer_is_written_and_ends_it(workdir: Path) -> None:
    """One call, the one function replaced and nothing else, the words on the terminal, the key nowhere, exit 0."""
    async with upstream(lambda _: stream(RIGHT)) as model:
        ended = await run_agent(workdir, model.url, "--check", CHECK, PROMPT)
    assert (ended.code, ended.stderr) == (0, "")
    assert (workdir / "calc.py").read_text() == SOURCE.replace("a - b", "a + b")
    assert RIGHT in ended.stdout
    assert RUN_KEY not in ended.stdout
    (request,) = model.requests
    assert (request["model"], request["stream"]) == ("by-rule", True)
    assert PROMPT in request["messages"][0]["content"]
    assert SOURCE in request["messages"][0]["content"]
    assert model.keys == [f"Bearer {RUN_KEY}"]


async def test_a_failed_check_goes_back_to_the_model(workdir: Path) -> None:
    """The next attempt carries the last answer and the check's output, at a higher temperature."""

    def rule(request: Request) -> bytes:
        return stream(RIGHT if "AssertionError: 6" in request["messages"][-1]["content"] else WRONG)

    async with upstream(rule) as model:
        ended = await run_agent(workdir, model.url, "--check", CHECK, PROMPT)
    assert ended.code == 0
    first, second = model.requests
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]
    assert second["messages"][1]["content"] == WRONG
    assert second["temperature"] > first["temperature"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (WRONG, "AssertionError: 6"),
        ("I would add them.", "no python code block"),
        ("```python\ndef other():\n    return 1\n```", "no python code block with a function of the file"),
        ("```python\ndef add(a, b:\n```", "SyntaxError"),
    ],
    ids=["wrong", "no block", "another function", "not Python"],
)
async def test_it_gives_up_after_its_attempts(workdir: Path, text: str, complaint: str) -> None:
    """An answer that does not do costs an attempt, whatever is wrong with it; after the last one it exits with 1."""
    async with upstream(lambda _: stream(text)) as model:
        ended = await run_agent(workdir, model.url, "--check", CHECK, "--attempts", "2", PROMPT)
    assert ended.code == 1
    assert complaint in model.requests[1]["messages"][-1]["content"]
    assert len(model.requests) == 2


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b'{"error": {"message": "no such model"}}', 404, 'answered 404: {"error": {"message": "no such model"}}'),
        (stream(RIGHT).removesuffix(b"data: [DONE]\n\n"), 200, "cut its answer short"),
        (event({"error": {"message": "overloaded"}}), 200, "overloaded"),
        (b"data: {not JSON\n\n", 200, "failed: JSONDecodeError"),
    ],
    ids=["refused", "cut", "error event", "not JSON"],
)
async def test_a_failing_endpoint_is_told_plainly(workdir: Path, body: bytes, status: int, message: str) -> None:
    """No second try, no half answer written, one line that says what happened, exit 2."""
    async with upstream(lambda _: body, status) as model:
        ended = await run_agent(workdir, model.url, "--check", CHECK, PROMPT)
    assert ended.code == 2
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert len(model.requests) == 1
    assert (workdir / "calc.py").read_text() == SOURCE


@pytest.mark.parametrize(
    ("url", "arguments", "message"),
    [
        ("", [PROMPT], "OPENAI_BASE_URL"),
        ("http://127.0.0.1:1/v1", [PROMPT], "refused"),
        ("http://127.0.0.1:1/v1", ["Make it better."], "names no Python file"),
    ],
    ids=["no endpoint", "nobody listens", "no file"],
)
async def test_it_says_what_it_lacks(workdir: Path, url: str, arguments: list[str], message: str) -> None:
    """What must be there before a call can be made is named, exit 2."""
    ended = await run_agent(workdir, url, *arguments)
    assert ended.code == 2
    assert message in ended.stderr


async def test_a_check_that_cannot_start_is_told(workdir: Path) -> None:
    """A misspelt check is an error of its own and not a failed attempt."""
    async with upstream(lambda _: stream(RIGHT)) as model:
        ended = await run_agent(workdir, model.url, "--check", "no-such-command", PROMPT)
    assert ended.code == 2
    assert "no-such-command" in ended.stderr
