"""The real local model through the proxy, over each of the three APIs of agents, streamed and not."""

import asyncio
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tachograph.harness._local_model import LocalModel, find_model_file
from tachograph.proxy import Proxy, ProxySettings, UpstreamAddress
from tachograph.traces import LaunchError, Usage, read_calls

QUESTION: Final = [{"role": "user", "content": "Name three colours."}]
ASKED: Final[dict[str, dict[str, Any]]] = {
    "/v1/chat/completions": {"messages": QUESTION, "max_tokens": 8, "stream_options": {"include_usage": True}},
    "/v1/responses": {"input": QUESTION, "max_output_tokens": 8},
    "/v1/messages?beta=true": {"messages": QUESTION, "max_tokens": 8},
}


@pytest.fixture(scope="module")
def local() -> Iterator[LocalModel]:
    try:
        find_model_file()
    except LaunchError as error:
        pytest.skip(f"the local model's packages are not installed: {error}")
    with LocalModel() as model:
        yield model


def post(port: int, path: str, body: dict[str, Any]) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return content
    finally:
        connection.close()


def objects_in(body: bytes) -> list[Any]:
    """Each object of an answer, whole or streamed."""
    if body.startswith(b"{"):
        return [json.loads(body)]
    data = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(b"data: {")]
    return [json.loads(line) for line in data]


def usage_in(body: bytes) -> dict[str, int]:
    """The usage that an answer tells, wherever it stands; of each member the last one told."""
    found: dict[str, int] = {}
    for said in objects_in(body):
        for place in (said, said.get("response") or {}, said.get("message") or {}):
            found |= place.get("usage") or {}
    return found


def counted(usage: dict[str, Any]) -> dict[str, Any]:
    """Input with all that came from a cache, output, and what came from a cache, as each API tells them."""
    if "prompt_tokens" in usage:
        details, total, output = "prompt_tokens_details", usage["prompt_tokens"], usage["completion_tokens"]
        cached = (usage.get(details) or {}).get("cached_tokens")
    elif "input_tokens_details" in usage:
        total, output = usage["input_tokens"], usage["output_tokens"]
        cached = usage["input_tokens_details"].get("cached_tokens")
    else:
        cached = usage.get("cache_read_input_tokens")
        total, output = usage["input_tokens"] + (cached or 0), usage["output_tokens"]
    return {"input_tokens": total, "output_tokens": output, "cache_read_tokens": cached}


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("path", ASKED)
async def test_the_usage_on_record_is_what_the_body_says(
    local: LocalModel, tmp_path: Path, path: str, *, streamed: bool
) -> None:
    """Nothing scripted: the numbers are a real server's, each in its own API's terms, and on record in one meaning."""
    upstream = UpstreamAddress.parse(local.url)
    async with Proxy(ProxySettings(upstream=upstream, store=tmp_path / "runs", default_run="run")) as proxy:
        request = {"model": local.model, "stream": streamed, **ASKED[path]}
        body = await asyncio.to_thread(post, proxy.port, path, request)
    (call,) = read_calls(tmp_path / "runs" / "run")
    usage = counted(usage_in(body))
    assert usage["input_tokens"]
    assert usage["output_tokens"]
    assert call.usage == Usage(source="provider", **usage)
    assert (call.outcome, call.error_type) == ("completed", None)
    assert call.response is not None
    assert call.response.finish_reasons
    assert (call.response.model, call.request.streamed) == (local.model, streamed)
    assert (call.timing.first_content is not None) == streamed
