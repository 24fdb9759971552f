"""The official SDKs see the same through the proxy, and through the recording transport, as they see without.

Each scenario is played three times against an upstream that answers by script: directly, through the proxy, and with the
transport that records inside the program; each of them with the SDK's synchronous and its asynchronous client.
"""

import asyncio
import contextlib
import dataclasses
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anthropic
import httpx
import httpx2
import openai
import orjson
import pydantic
import pytest

from tachograph.proxy import AsyncRecordingTransport, RecordingTransport
from tachograph.traces import Call, verify

if TYPE_CHECKING:
    from tests.proxy.conftest import Message, Step, Upstream, Wire

DATA = Path(__file__).parents[1] / "data"
NOT_PASSING = {"connection", "keep-alive", "transfer-encoding"}
KEY = "sk-" + "x" * 20
CHAT: Final[dict[str, Any]] = {"model": "gpt-5.2", "messages": [{"role": "user", "content": "Grüße"}]}
RESPONSE: Final[dict[str, Any]] = {"model": "gpt-5.2-codex", "input": "Grüße"}
MESSAGE: Final[dict[str, Any]] = {
    "model": "claude-opus-5-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Grüße"}],
}
PARAMETERS = {"type": "object", "properties": {"cmd": {"type": "string"}}}


class Sum(pydantic.BaseModel):
    """What a structured answer is to hold."""

    total: int
    words: list[str]


SUM = '{"total":3,"words":["é","b"]}'


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the upstream answers to one request."""

    body: bytes
    status: str = "200 OK"
    headers: tuple[str, ...] = ("x-request-id: req_1", "openai-organization: o", "request-id: req_2")
    streamed: bool = False
    ending: "Step" = b"0\r\n\r\n"
    """Of a stream."""

    def steps(self, upstream: "Upstream", request: "Message") -> Iterable["Step"]:
        if not self.streamed:
            yield upstream.whole(self.body, self.status, "Content-Type: application/json", *self.headers)
            return
        yield upstream.stream(end=False, headers=self.headers)
        for event in self.events(request):
            yield upstream.chunk(event)
        yield self.ending

    def events(self, request: "Message") -> Iterable[bytes]:
        """The events, without the extra one with the usage of a chat whose asker did not ask for it."""
        asked = b'"include_usage":true' in request.body
        for event in self.body.replace(b"\r\n", b"\n").split(b"\n\n"):
            if event.strip() and (asked or b'"choices":[],"usage"' not in event):
                yield event + b"\n\n"


def sample(name: str) -> Reply:
    """A golden sample of an API's answers."""
    return Reply(body=(DATA / name).read_bytes(), streamed=name.endswith(".sse"))


def error(status: str, *headers: str, kind: str = "rate_limit_error") -> Reply:
    """An error that both SDKs can read."""
    said = {"message": f"No: {status}", "type": kind, "param": None, "code": "the_code"}
    return Reply(body=orjson.dumps({"type": "error", "error": said}), status=status, headers=headers)


Ask = Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What a program asks of its SDK, and what the upstream answers, request by request; the last answer repeats."""

    ask: Ask
    sdk: Any
    replies: tuple[Reply, ...]
    outcomes: tuple[str, ...] = ("completed",)
    retries: int = 0


async def value(thing: Any) -> Any:
    """What a synchronous or an asynchronous client gives."""
    return await thing if inspect.isawaitable(thing) else thing


async def each(things: Any) -> AsyncIterator[Any]:
    if hasattr(things, "__aiter__"):
        async for thing in things:
            yield thing
    else:
        for thing in things:
            yield thing


@contextlib.asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    if hasattr(manager, "__aenter__"):
        async with manager as thing:
            yield thing
    else:
        with manager as thing:
            yield thing


async def told_all(things: Any) -> list[Any]:
    """All that a stream gives, and how it ends."""
    seen = []
    try:
        async for thing in each(things):
            seen.append(told(thing))  # noqa: PERF401  what came before an exception counts
    except Exception as error:  # noqa: BLE001  whatever it is, it must be the same
        seen.append(told(error))
    return seen


async def told_final(get: Callable[[], Any]) -> Any:
    """What a helper has put together; of a stream that broke it may be an exception."""
    try:
        return told(await value(get()))
    except Exception as error:  # noqa: BLE001  as above
        return told(error)


def told(thing: Any) -> Any:
    """A thing as values to compare, with the classes that it is made of."""
    if isinstance(thing, pydantic.BaseModel):
        said = {name: told(member) for name, member in thing}
        return type(thing).__name__, said, told(thing.model_extra), getattr(thing, "_request_id", None)
    if isinstance(thing, Exception):
        members = ("status_code", "body", "code", "param", "type", "request_id")
        response = getattr(thing, "response", None)
        return (
            type(thing).__name__,
            str(thing),
            {name: told(getattr(thing, name, None)) for name in members},
            told(response.headers) if response is not None else None,
        )
    if isinstance(thing, httpx2.Headers):
        return sorted((name, text) for name, text in thing.multi_items() if name not in NOT_PASSING)
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return type(thing).__name__, told(vars(thing))
    if isinstance(thing, Mapping):
        return {name: told(member) for name, member in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [told(member) for member in thing]
    return thing


# What programs do with the SDKs.


async def chat_whole(client: Any) -> Any:
    tool = {"type": "function", "function": {"name": "run", "parameters": PARAMETERS}}
    return told(await value(client.chat.completions.create(**CHAT, tools=[tool])))


async def chat_events(client: Any) -> Any:
    return await told_all(await value(client.chat.completions.create(**CHAT, stream=True)))


async def chat_events_with_usage(client: Any) -> Any:
    options = {"include_usage": True}
    return await told_all(await value(client.chat.completions.create(**CHAT, stream=True, stream_options=options)))


async def chat_helper(client: Any) -> Any:
    async with entered(client.chat.completions.stream(**CHAT)) as stream:
        events = await told_all(stream)
        return events, await told_final(stream.get_final_completion)


async def chat_helper_structured(client: Any) -> Any:
    async with entered(client.chat.completions.stream(**CHAT, response_format=Sum)) as stream:
        events = await told_all(stream)
        final = await value(stream.get_final_completion())
        assert final.choices[0].message.parsed == Sum(total=3, words=["é", "b"])
        return events, told(final)


async def chat_parse(client: Any) -> Any:
    final = await value(client.chat.completions.parse(**CHAT, response_format=Sum))
    assert final.choices[0].message.parsed == Sum(total=3, words=["é", "b"])
    return told(final)


async def chat_raw(client: Any) -> Any:
    raw = await value(client.chat.completions.with_raw_response.create(**CHAT))
    return raw.status_code, told(raw.headers), raw.text, raw.content, raw.request_id, told(await value(raw.parse()))


async def chat_raw_events(client: Any) -> Any:
    raw = await value(client.chat.completions.with_raw_response.create(**CHAT, stream=True))
    return raw.status_code, told(raw.headers), await told_all(await value(raw.parse()))


async def chat_lines(client: Any) -> Any:
    async with entered(client.chat.completions.with_streaming_response.create(**CHAT, stream=True)) as response:
        return told(response.headers), await told_all(response.iter_lines())


async def chat_left(client: Any) -> Any:
    stream = await value(client.chat.completions.create(**CHAT, stream=True))
    async for chunk in each(stream):
        first = told(chunk)
        break
    await value(stream.close())
    return first


async def responses_whole(client: Any) -> Any:
    return told(await value(client.responses.create(**RESPONSE)))


async def responses_events(client: Any) -> Any:
    return await told_all(await value(client.responses.create(**RESPONSE, stream=True)))


async def responses_helper(client: Any) -> Any:
    async with entered(client.responses.stream(**RESPONSE)) as stream:
        events = await told_all(stream)
        return events, await told_final(stream.get_final_response)


async def responses_parse(client: Any) -> Any:
    final = await value(client.responses.parse(**RESPONSE, text_format=Sum))
    assert final.output_parsed == Sum(total=3, words=["é", "b"])
    return told(final)


async def responses_raw(client: Any) -> Any:
    raw = await value(client.responses.with_raw_response.create(**RESPONSE))
    return raw.status_code, told(raw.headers), raw.text, told(await value(raw.parse()))


async def completions_events(client: Any) -> Any:
    return await told_all(await value(client.completions.create(model="m", prompt="Grüße", stream=True)))


async def embeddings(client: Any) -> Any:
    return told(await value(client.embeddings.create(model="m", input=["a", "b"])))


async def models(client: Any) -> Any:
    return await told_all(client.models.list())


async def upload(client: Any) -> Any:
    return told(await value(client.files.create(file=("é.jsonl", b"{}\n" * 9), purpose="batch")))


async def elsewhere(client: Any) -> Any:
    return told(await value(client.post("/rerank", cast_to=object, body={"query": "x"})))


async def messages_whole(client: Any) -> Any:
    tool = {"name": "Bash", "input_schema": PARAMETERS}
    return told(await value(client.messages.create(**MESSAGE, tools=[tool])))


async def messages_events(client: Any) -> Any:
    return await told_all(await value(client.messages.create(**MESSAGE, stream=True)))


async def messages_helper(client: Any) -> Any:
    async with entered(client.messages.stream(**MESSAGE)) as stream:
        events = await told_all(stream)
        return events, await told_final(stream.get_final_message)


async def messages_texts(client: Any) -> Any:
    async with entered(client.messages.stream(**MESSAGE)) as stream:
        return await told_all(stream.text_stream), told(stream.response.headers)


async def messages_parse(client: Any) -> Any:
    final = await value(client.messages.parse(**MESSAGE, output_format=Sum))
    assert final.parsed_output == Sum(total=3, words=["é", "b"])
    return told(final)


async def messages_raw(client: Any) -> Any:
    raw = await value(client.messages.with_raw_response.create(**MESSAGE))
    content = await value(raw.read())
    return raw.status_code, told(raw.headers), content, raw.request_id, told(await value(raw.parse()))


async def messages_lines(client: Any) -> Any:
    async with entered(client.messages.with_streaming_response.create(**MESSAGE, stream=True)) as response:
        return told(response.headers), await told_all(response.iter_lines())


async def messages_left(client: Any) -> Any:
    async with entered(client.messages.stream(**MESSAGE)) as stream:
        async for event in each(stream):
            first = told(event)
            break
    return first


async def beta_whole(client: Any) -> Any:
    return told(await value(client.beta.messages.create(**MESSAGE, betas=["a-beta"])))


async def beta_helper(client: Any) -> Any:
    async with entered(client.beta.messages.stream(**MESSAGE)) as stream:
        return await told_all(stream), await told_final(stream.get_final_message)


async def count_tokens(client: Any) -> Any:
    asked = {name: member for name, member in MESSAGE.items() if name != "max_tokens"}
    return told(await value(client.messages.count_tokens(**asked)))


def chat_answer(content: str) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    said = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return Reply(body=orjson.dumps({**said, "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}))


def chat_stream(content: str) -> Reply:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas: list[dict[str, Any]] = [{"role": "assistant"}, *({"content": piece} for piece in content), {}]
    choices = [[{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}] for delta in deltas]
    usage = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}
    events = [*({**head, "choices": choice} for choice in choices), {**head, **usage}]
    return Reply(
        body=b"".join(b"data: %b\n\n" % orjson.dumps(event) for event in events) + b"data: [DONE]\n\n", streamed=True
    )


def with_text(name: str, text: str) -> Reply:
    """A golden sample whose text is another."""
    return Reply(body=(DATA / name).read_bytes().replace(b'"text":"Hi"', b'"text":%b' % orjson.dumps(text)))


def golden() -> dict[str, Scenario]:
    """Each golden sample of an API with each way to ask for it. An SDK may choke on one: through a recorder, too."""
    asks = (
        (openai, "chat_completions", "sse", (chat_events, chat_helper)),
        (openai, "chat_completions", "json", (chat_whole,)),
        (openai, "responses", "sse", (responses_events, responses_helper)),
        (openai, "responses", "json", (responses_whole,)),
        (anthropic, "messages", "sse", (messages_events, messages_helper)),
        (anthropic, "messages", "json", (messages_whole,)),
    )
    return {
        f"{ask.__name__}-{path.stem}": Scenario(ask=ask, sdk=sdk, replies=(sample(f"{api}/{path.name}"),))
        for sdk, api, kind, ways in asks
        for path in sorted((DATA / api).glob(f"*.{kind}"))
        if not path.name.endswith(".expected.json")
        for ask in ways
    }


def scenarios() -> dict[str, Scenario]:
    """By name."""
    found: dict[str, Scenario] = {}

    def add(name: str, sdk: Any, ask: Ask, *replies: Reply, **more: Any) -> None:
        found[f"{sdk.__name__}-{name}"] = Scenario(ask=ask, sdk=sdk, replies=replies, **more)

    for ask, *replies in (
        (chat_whole, sample("chat_completions/whole-tools.json")),
        (chat_events_with_usage, chat_stream("é b")),
        (chat_helper_structured, chat_stream(SUM)),
        (chat_parse, chat_answer(SUM)),
        (chat_raw, chat_answer("é")),
        (chat_raw_events, chat_stream("é b")),
        (chat_lines, chat_stream("é b")),
        (responses_whole, sample("responses/whole-tools.json")),
        (responses_parse, with_text("responses/whole-text.json", SUM)),
        (responses_raw, sample("responses/whole-text.json")),
        (completions_events, sample("completions/text.sse")),
        (embeddings, sample("embeddings/whole.json")),
        (models, sample("models/whole.json")),
        (upload, Reply(body=b'{"id":"f","object":"file","bytes":27,"created_at":1,"filename":"a","purpose":"batch"}')),
        (elsewhere, Reply(body=b'{"results":[]}')),
    ):
        add(ask.__name__, openai, ask, *replies)
    for ask, *replies in (
        (messages_whole, sample("messages/whole-tools.json")),
        (messages_texts, sample("messages/text.sse")),
        (messages_parse, with_text("messages/whole-text.json", SUM)),
        (messages_raw, sample("messages/whole-text.json")),
        (messages_lines, sample("messages/text.sse")),
        (beta_whole, sample("messages/whole-text.json")),
        (beta_helper, sample("messages/parallel-tools.sse")),
        (count_tokens, sample("count_tokens/whole.json")),
        (models, sample("models/whole-anthropic.json")),
    ):
        add(ask.__name__, anthropic, ask, *replies)
    for sdk, whole, events, left, answer in (
        (openai, chat_whole, chat_events, chat_left, chat_stream("é b")),
        (anthropic, messages_whole, messages_events, messages_left, sample("messages/text.sse")),
    ):
        for status in ("400 Bad Request", "401 Unauthorized", "404 Not Found", "429 Slow Down", "500 Oops", "529 Full"):
            add(f"error-{status}", sdk, whole, error(status, "x-request-id: r", "retry-after: 7"))
        tried = (error("429 Slow Down", "retry-after-ms: 5"), error("500 Oops", "retry-after: 0.01"))
        add("retries", sdk, events, *tried, answer, retries=2, outcomes=("completed",) * 3)
        begun = dataclasses.replace(answer, body=answer.body[: len(answer.body) // 2].rpartition(b"\n\n")[0])
        add("cut", sdk, events, dataclasses.replace(begun, ending="close"), outcomes=("upstream_cut",))
        left_there = dataclasses.replace(begun, ending="wait for close")
        add("left", sdk, left, left_there, outcomes=("client_disconnected",))
    return found


SCENARIOS = scenarios()
GOLDEN = golden()


@dataclass(frozen=True, kw_only=True)
class Played:
    """How a scenario went by one route."""

    seen: Any
    received: list["Message"]


class Stage:
    """Plays scenarios by each route."""

    def __init__(self, wire: "Wire", upstream: "Upstream", how: str) -> None:
        self._wire = wire
        self._upstream = upstream
        self._is_async = how == "async"

    async def play(self, scenario: Scenario, base: str, transport: Any = None) -> Played:
        upstream = self._upstream
        already = len(upstream.received)

        def rule(message: "Message") -> Iterable["Step"]:
            number = len(upstream.received) - already - 1
            return scenario.replies[min(number, len(scenario.replies) - 1)].steps(upstream, message)

        upstream.rule = rule
        seen = await asyncio.to_thread(asyncio.run, self._asked(scenario, base, transport))
        return Played(seen=seen, received=upstream.received[already:])

    async def _asked(self, scenario: Scenario, base: str, transport: Any) -> Any:
        """In a thread and a loop of its own, as a program is."""
        async with self.client(scenario, base, transport) as client:
            try:
                return await scenario.ask(client)
            except (openai.APIError, anthropic.APIError) as error:
                return told(error)

    @contextlib.asynccontextmanager
    async def client(self, scenario: Scenario, base: str, transport: Any) -> AsyncIterator[Any]:
        sdk = scenario.sdk
        if sdk is anthropic:
            base = base.removesuffix("/v1")
            kind = sdk.AsyncAnthropic if self._is_async else sdk.Anthropic
        else:
            kind = sdk.AsyncOpenAI if self._is_async else sdk.OpenAI
        more = {"http_client": transport} if transport is not None else {}
        async with entered(
            kind(base_url=base, api_key=KEY, max_retries=scenario.retries, timeout=20, **more)
        ) as client:
            yield client

    async def direct(self, scenario: Scenario) -> Played:
        return await self.play(scenario, self._upstream.url)

    async def proxied(self, scenario: Scenario) -> tuple[Played, list[Call]]:
        proxy = await self._wire.serve(default_run="proxied")
        played = await self.play(scenario, proxy.url)
        await self._wire.eventually(lambda: all(call.outcome != "in_flight" for call in self._wire.calls("proxied")))
        return played, self._wire.calls("proxied")

    async def recorded(self, scenario: Scenario, library: Any = httpx2) -> tuple[Played, list[Call]]:
        transport = (AsyncRecordingTransport if self._is_async else RecordingTransport)(
            store=self._wire.store, run="here"
        )
        client = (library.AsyncClient if self._is_async else library.Client)(transport=transport)
        played = await self.play(scenario, self._upstream.url, client)
        assert verify(self._wire.store / "here").state == "sealed"
        return played, self._wire.calls("here")


@pytest.fixture(params=["sync", "async"])
def stage(request: pytest.FixtureRequest, wire: "Wire", upstream: "Upstream") -> Stage:
    return Stage(wire, upstream, request.param)


def essence(call: Call) -> Any:
    """What both records of a call must tell alike.

    Usage that the proxy alone asks for is not in the transport's record, nor is what an error says of which the SDK read the
    head only.
    """
    response = call.response
    asked = call.request.path, call.request.query, call.request.model, call.request.streamed, call.request.body_hash
    said = response and (response.status, response.id, response.model, response.finish_reasons, response.tool_calls)
    injected = call.request.streamed and call.request.api == "chat_completions"
    unread = call.request.streamed and response is not None and (response.status or 0) >= 400
    return (
        call.attempt,
        call.outcome,
        asked,
        said,
        None if unread else call.error_type,
        None if injected else call.usage,
    )


def asked_alike(one: "Message", other: "Message", *, but: tuple[bytes, ...] = ()) -> bool:
    """Whether two requests are the same, but for what names the host."""
    heads = [[line for line in message.passing if line[0].lower() not in but] for message in (one, other)]
    return one.first_line == other.first_line and heads[0] == heads[1] and (bool(but) or one.body == other.body)


async def compare(stage: Stage, scenario: Scenario) -> None:
    """Play a scenario by each route."""
    direct = await stage.direct(scenario)
    proxied, calls = await stage.proxied(scenario)
    recorded, own_calls = await stage.recorded(scenario)
    assert proxied.seen == direct.seen
    assert recorded.seen == direct.seen
    assert len(calls) == len(own_calls) == len(direct.received) == len(proxied.received) == len(recorded.received)
    multipart = b"multipart" in (direct.received[0].one(b"content-type") or b"")
    boundary = (b"content-type",) if multipart else ()
    for message, through, inside, call in zip(direct.received, proxied.received, recorded.received, calls, strict=True):
        spliced = (b"content-length", b"accept-encoding") if call.request.sent_body_hash else ()
        assert asked_alike(message, inside, but=boundary)
        assert asked_alike(message, through, but=boundary or spliced)
    helper_gave_up = [call.outcome for call in own_calls] == ["client_disconnected"] and "Error" in str(recorded.seen)
    if not multipart and not helper_gave_up:
        assert [essence(call) for call in calls] == [essence(call) for call in own_calls]
    assert all(call.request.sent_body_hash is None for call in own_calls)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_program_sees_the_same_by_each_route(stage: Stage, wire: "Wire", name: str) -> None:
    """Same objects, events, raw heads and exceptions; same requests at the upstream; and both records have each call."""
    scenario = SCENARIOS[name]
    await compare(stage, scenario)
    for run in ("proxied", "here"):
        calls = wire.calls(run)
        assert tuple(call.outcome for call in calls) == scenario.outcomes
        assert [call.attempt for call in calls] in ([None], list(range(1, len(calls) + 1)))
        assert [call.retry_of for call in calls] == [None, *(call.span_id for call in calls[:-1])]


@pytest.mark.parametrize("name", GOLDEN)
async def test_each_kind_of_answer_reads_the_same_by_each_route(stage: Stage, name: str) -> None:
    """Each golden sample, by the SDK's own events and by its helper: what it makes of it, if only an exception."""
    await compare(stage, GOLDEN[name])


async def test_openai_with_a_client_of_the_older_library(stage: Stage) -> None:
    """Programs that still bring an httpx client are recorded, too."""
    scenario = SCENARIOS["openai-chat_helper_structured"]
    direct = await stage.direct(scenario)
    recorded, calls = await stage.recorded(scenario, httpx)
    assert recorded.seen == direct.seen
    assert [call.outcome for call in calls] == ["completed"]
