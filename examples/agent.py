"""A small coding agent: read the files that the prompt names, ask the model, edit, check, and try again.

    OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=... OPENAI_MODEL=... \
        python agent.py --check 'python3 -B -m unittest' 'The function add in calc.py must add.'

Plain chat completions over the standard library. It works in the current folder, prints the model's words as they come,
and exits with 0 when the check passed, 1 when no attempt passed it, 2 when it could not try.
"""

import argparse
import ast
import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

ANSWER_TOKENS = 512
SILENCE_SECONDS = 120  # the longest wait for the next piece of an answer
CHECK_SECONDS = 60
FAILURE_CHARACTERS = 600  # the end of the check's output: small models have small contexts
PYTHON_FILE = re.compile(r"\b[\w-]+(?:/[\w-]+)*\.py\b")
CODE_BLOCK = re.compile(r"```(?:python|py)?\s*\n(.*?)```", re.DOTALL)

Message = dict[str, str]


class AgentError(Exception):
    """The agent cannot go on; the message says why."""


def main() -> int:
    parser = argparse.ArgumentParser(description="A small coding agent. It reads OPENAI_BASE_URL and OPENAI_API_KEY.")
    parser.add_argument("prompt", help="what to do; it names the Python files to work on")
    parser.add_argument("--model", default=os.environ.get("OPENAI_MODEL"), help="default: OPENAI_MODEL")
    parser.add_argument("--check", help="the command that decides whether the work is done")
    parser.add_argument("--attempts", type=int, default=3, help="default: 3")
    options = parser.parse_args()
    try:
        return work(options.prompt, options.model, options.check, options.attempts)
    except (AgentError, OSError, SyntaxError) as error:
        print(f"agent: {error}", file=sys.stderr)
        return 2


def work(prompt: str, model: str | None, check: str | None, attempts: int) -> int:
    """Try until the check passes; each further attempt sees the last answer and what was wrong, a little warmer."""
    files = [Path(name) for name in dict.fromkeys(PYTHON_FILE.findall(prompt)) if Path(name).is_file()]
    if not files:
        raise AgentError("the prompt names no Python file in this folder")
    sources = "".join(f"{file}:\n```python\n{file.read_text()}```\n\n" for file in files)
    question = {"role": "user", "content": f"{prompt}\n\n{sources}Write the corrected function in a python code block."}
    conversation = [question]
    for attempt in range(attempts):
        temperature = min(1.0, 0.2 + 0.3 * attempt)
        print(f"--- attempt {attempt + 1} of {attempts}, temperature {temperature:.1f}", flush=True)
        answer = ask(model, conversation, temperature)
        failure = edit(files, answer) or run(check)
        if not failure:
            print("--- done")
            return 0
        print(f"--- not yet: {failure}", flush=True)
        complaint = f"That is not right yet:\n{failure[-FAILURE_CHARACTERS:]}\nWrite the corrected function again."
        conversation = [question, {"role": "assistant", "content": answer}, {"role": "user", "content": complaint}]
    return 1


def ask(model: str | None, conversation: list[Message], temperature: float) -> str:
    """Stream one answer to the terminal and return it."""
    endpoint = os.environ.get("OPENAI_BASE_URL", "").rstrip("/")
    if not endpoint or not model:
        raise AgentError("set OPENAI_BASE_URL to the model's endpoint, and OPENAI_MODEL or --model to its name")
    body = {"model": model, "messages": conversation, "temperature": temperature, "max_tokens": ANSWER_TOKENS}
    content = json.dumps({**body, "stream": True}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}
    request = urllib.request.Request(f"{endpoint}/chat/completions", content, headers)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({})
    )  # to the endpoint itself, whatever *_PROXY says
    answer = ""
    try:
        with opener.open(request, timeout=SILENCE_SECONDS) as lines:
            for line in lines:
                data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
                if data == b"[DONE]":
                    print(flush=True)
                    return answer
                words = words_of(json.loads(data)) if data else ""
                print(words, end="", flush=True)
                answer += words
    except urllib.error.HTTPError as error:
        raise AgentError(f"{endpoint} answered {error.code}: {error.read().decode(errors='replace')}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise AgentError(f"the call to {endpoint} failed: {error!r}") from error
    raise AgentError(f"{endpoint} cut its answer short")


def words_of(event: dict[str, object]) -> str:
    """The words in one event of a stream; there are none in the first, in the last and in one that tells the usage."""
    match event:
        case {"choices": [{"delta": {"content": str(words)}}]}:
            return words
        case {"error": error}:
            raise AgentError(f"the model reported an error: {error}")
        case _:
            return ""


def edit(files: list[Path], answer: str) -> str:
    """Put the answer's functions in the place of those of the same name. Returns what is wrong, or ''."""
    edited = False
    for block in CODE_BLOCK.findall(answer):
        try:
            functions = functions_of(block)
        except SyntaxError as error:
            return f"SyntaxError in the code block: {error}"
        for file in files:
            for name in functions.keys() & functions_of(file.read_text()).keys():
                source = file.read_text()
                file.write_text(source.replace(functions_of(source)[name], functions[name], 1))
                edited = True
    return "" if edited else "There is no python code block with a function of the file."


def functions_of(source: str) -> dict[str, str]:
    """The source of each function at the top level, without decorators."""
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {function.name: ast.get_source_segment(source, function) or "" for function in functions}


def run(check: str | None) -> str:
    """Run the check. Returns what is wrong, or '', as there is without a check."""
    if not check:
        return ""
    # No .pyc files: behind one, Python would miss an edit that keeps the size within the same second.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    output, command = subprocess.PIPE, shlex.split(check)
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=CHECK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"The check took longer than {CHECK_SECONDS} s."
    return "" if done.returncode == 0 else done.stdout.strip() or f"The check exited with {done.returncode}."


if __name__ == "__main__":
    sys.exit(main())
