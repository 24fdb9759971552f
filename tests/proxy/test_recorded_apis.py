"""Exchanges of each API through the proxy: the bytes pass, the call says what they say."""

import gzip
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tachograph.traces import Call, ToolCall, Usage

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from tests.proxy.conftest import Upstream, Wire

DATA: Final = Path(__file__).parents[1] / "data"
PATHS: Final = {
    "chat_completions": "/v1/chat/completions",
    "completions": "/v1/completions",
    "count_tokens": "/v1/messages/count_tokens?beta=true",
    "embeddings": "/v1/embeddings",
    "messages": "/v1/messages?beta=true",
    "responses": "/v1/responses",
}
OPERATIONS: Final = {"completions": "text_completion", "embeddings": "embeddings"}
PROVIDERS: Final = {"messages": "anthropic", "count_tokens": "anthropic"}
STREAMED: Final = (
    "chat_completions/parallel-tools",
    "completions/text",
    "messages/parallel-tools",
    "responses/parallel-tools",
)
WHOLE: Final = (
    "chat_completions/whole-tools",
    "completions/whole",
    "count_tokens/whole",
    "embeddings/whole",
    "messages/whole-tools",
    "responses/whole-tools",
)


def sample(name: str) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a sample and what is to be read in them."""
    (body,) = (path for path in DATA.glob(f"{name}.*") if not path.name.endswith(".expected.json"))
    answer: dict[str, Any] = json.loads((DATA / f"{name}.expected.json").read_text())["answer"]
    return body.read_bytes(), answer


def check(call: Call, answer: dict[str, Any]) -> None:
    """A call says what a sample's expected reading says."""
    response = call.response
    assert response is not None
    assert (response.id, response.model) == (answer.get("response_id"), answer.get("model"))
    assert response.finish_reasons == tuple(answer.get("finish_reasons", ()))
    assert response.tool_calls == tuple(ToolCall(**tool) for tool in answer.get("tool_calls", ()))
    assert (response.service_tier, response.refused) == (answer.get("service_tier"), answer.get("refused", False))
    assert response.system_fingerprint == answer.get("system_fingerprint")
    if "tokens" in answer:
        assert call.usage == Usage(source="provider", **answer["tokens"])


@pytest.mark.parametrize("name", [*STREAMED, *WHOLE])
async def test_a_call_says_what_its_bytes_say(wire: "Wire", upstream: "Upstream", name: str) -> None:
    """Streamed and not, of each API: read back from disk, with what the request asked."""
    body, answer = sample(name)
    api, streamed = name.partition("/")[0], name in STREAMED
    upstream.answer(upstream.stream(body[:100], body[100:]) if streamed else upstream.whole(body))
    asked = {"model": "m", "stream": streamed, "stream_options": {"include_usage": True}}
    reply = await (await wire.agent()).post(asked, path=PATHS[api])
    assert (reply.status, reply.body) == (200, body)
    assert upstream.received[-1].json() == asked
    assert upstream.received[-1].target.decode() == PATHS[api]
    (call,) = wire.calls()
    check(call, answer)
    assert (call.outcome, call.error_type) == ("completed", None)
    assert (call.request.api, call.request.provider) == (api, PROVIDERS.get(api, "openai"))
    assert (call.request.model, call.request.streamed) == ("m", streamed)
    assert call.request_hash is not None
    assert (call.timing.first_content is not None) == streamed


@pytest.mark.parametrize("name", ["messages/text", "responses/text", "completions/text"])
async def test_hanging_up_at_the_terminal_event_completes_a_call(wire: "Wire", upstream: "Upstream", name: str) -> None:
    """Agents leave with the last event, whichever API's: such a call is on disk by then, complete, with its usage."""
    body, answer = sample(name)
    upstream.answer(upstream.stream(body, end=False), "wait for close")
    agent = await wire.agent()
    await agent.send_post({"model": "m", "stream": True}, path=PATHS[name.partition("/")[0]])
    await agent.read_until(body[-40:])
    await agent.hang_up()
    await upstream.sees_the_close()
    (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("completed", None)
    check(call, answer)


@pytest.mark.parametrize("name", ["messages/error-in-stream", "responses/error", "responses/failed"])
async def test_an_agent_that_hangs_up_at_an_error(wire: "Wire", upstream: "Upstream", name: str) -> None:
    """An error inside a stream is the end of it for every client: it is the call's error, not that the agent left."""
    body, answer = sample(name)
    upstream.answer(upstream.stream(body, end=False), "wait for close")
    agent = await wire.agent()
    await agent.send_post({"model": "m", "stream": True}, path=PATHS[name.partition("/")[0]])
    await agent.read_until(body[-40:])
    await agent.hang_up()
    await upstream.sees_the_close()
    (call,) = wire.calls()
    assert (call.outcome, call.error_type, call.message) == ("completed", answer["error_type"], answer["message"])


@pytest.mark.parametrize("name", ["messages/cut", "responses/cut-in-a-tool-call"])
async def test_a_stream_without_its_terminal_event_is_cut(wire: "Wire", upstream: "Upstream", name: str) -> None:
    """Though its chunks end cleanly; what came is recorded, the half tool call too."""
    body, answer = sample(name)
    upstream.answer(upstream.stream(body))
    await (await wire.agent()).post({"model": "m", "stream": True}, path=PATHS[name.partition("/")[0]])
    (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("upstream_cut", "stream_truncated")
    check(call, {**answer, "finish_reasons": ["error"]})


async def test_the_chain_of_a_conversation(wire: "Wire", upstream: "Upstream") -> None:
    """What a request goes on from is recorded; of the agent's own session id and the provider's conversation the former."""
    upstream.answer(upstream.whole(b"{}"))
    agent = await wire.agent()
    asked = {"model": "m", "previous_response_id": "resp_1", "conversation": {"id": "conv_1"}}
    await agent.post(asked, path="/v1/responses")
    await agent.post(asked, "session-id: s1", path="/v1/responses")
    requests = [call.request for call in wire.calls()]
    assert [request.previous_response_id for request in requests] == ["resp_1", "resp_1"]
    assert [request.session_id for request in requests] == ["conv_1", "s1"]


async def test_the_list_of_models(wire: "Wire", upstream: "Upstream") -> None:
    """It makes no model work: no usage is missing."""
    upstream.answer(upstream.whole(b'{"object":"list","data":[]}'))
    agent = await wire.agent()
    await agent.send(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await agent.reply("GET")).status == 200
    (call,) = wire.calls()
    assert (call.request.api, call.request.provider) == ("models", None)
    assert (call.usage.source, call.usage.reason) == ("absent", "an API that makes no model work")


def is_anthropics(body: Any) -> bool:
    return set(body) == {"type", "error"} and set(body["error"]) == {"type", "message"}


@pytest.mark.parametrize("status", [401, 404, 502, 503])
@pytest.mark.parametrize("path", ["/v1/messages?beta=true", "/v1/responses", "/v1/unknown"])
async def test_errors_of_the_proxy_in_the_shape_of_the_api(
    wire: "Wire", upstream: "Upstream", status: int, path: str
) -> None:
    """A client of Anthropic's gets one of Anthropic's, with JSON's content type; all others one of OpenAI's."""
    proxy = await wire.serve(default_run=None if status == 404 else "default")
    headers = ("x-api-key: tachograph-nobody",) if status == 401 else ()
    if status == 502:
        await upstream.stop()
    elif status == 503:
        (wire.store / "taken").write_text("a file where the run's folder would be")
        path = f"/r/taken{path}"
    agent = await wire.connect(proxy.port)
    reply = await agent.post({"model": "m"}, *headers, path=path)
    assert (reply.status, reply.one(b"Content-Type")) == (status, b"application/json; charset=utf-8")
    assert is_anthropics(reply.json()) == ("messages" in path)
    assert reply.json()["error"]["message"]


@pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
async def test_a_compressed_request_passes_and_is_read(
    wire: "Wire", upstream: "Upstream", coding: str, encode: Any
) -> None:
    """It goes up as it came, and what it asks is read from a copy."""
    body, answer = sample("responses/text")
    upstream.answer(upstream.stream(body))
    asked = encode(json.dumps({"model": "m", "stream": True, "input": "Grüße"}).encode())
    await (await wire.agent()).post(asked, f"Content-Encoding: {coding}", path="/v1/responses")
    assert upstream.received[-1].body == asked
    (call,) = wire.calls()
    assert (call.request.model, call.request.streamed, call.request.unread) == ("m", True, None)
    assert (call.request.bytes, call.request.body_hash) == (len(asked), hashlib.sha256(asked).hexdigest())
    check(call, answer)


def bomb() -> bytes:
    """A few kilobytes of zstd that hide 257 MiB."""
    compressor = zstd.ZstdCompressor()
    block = bytes(2**20)
    return b"".join([*(compressor.compress(block) for _ in range(257)), compressor.flush()])


@pytest.mark.parametrize(
    ("coding", "body", "reason"),
    [
        ("zstd", bomb(), "body expands beyond 268435456 bytes"),
        ("gzip", gzip.compress(b"") * 100_000, None),
        ("gzip", b"no gzip", "damaged body"),
        ("snappy", b"{}", "content coding 'snappy' is not known"),
    ],
    ids=["bomb", "many frames", "damaged", "unknown"],
)
async def test_a_request_that_cannot_be_read_passes(
    wire: "Wire", upstream: "Upstream", coding: str, body: bytes, reason: str | None
) -> None:
    """A bomb does not go off here: the upstream gets it, the record says why it was not read, the answer is read."""
    answered, answer = sample("messages/whole-text")
    upstream.answer(upstream.whole(answered))
    reply = await (await wire.agent()).post(body, f"Content-Encoding: {coding}", path="/v1/messages")
    assert (reply.status, upstream.received[-1].body) == (200, body)
    (call,) = wire.calls()
    assert call.request.model is None
    assert (call.request.unread or "").startswith(reason or "")
    assert (call.request.unread is None) == (reason is None)
    check(call, answer)
