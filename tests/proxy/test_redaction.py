"""What lies in the store holds no secret that passed through the proxy, and the agent does not notice."""

import base64
import gzip
import itertools
import json
import random
import string
import urllib.parse
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import brotli
import orjson
import pytest

from tachograph.traces import BodyReader, Redactor, read_run, verify

if TYPE_CHECKING:
    from .conftest import Upstream, Wire
else:
    Upstream = Wire = object


def random_word(length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=length))


UPSTREAM_KEY = "up/" + random_word(30, 1) + "=="
AGENT_KEY = "ag+" + random_word(30, 2)
OTHER_KEY = random_word(32, 3)
GITHUB = "ghp_" + random_word(36, 4)
SECRETS = (UPSTREAM_KEY, AGENT_KEY, OTHER_KEY, GITHUB)


def traces_of(secret: str) -> Iterator[bytes]:
    escaped = json.dumps(secret)[1:-1]
    for text in (
        secret,
        escaped,
        json.dumps(escaped)[1:-1],
        escaped.replace("/", "\\/"),
        urllib.parse.quote(secret, ""),
    ):
        yield text.encode()
    for before in ("", "a", "ab"):
        yield base64.b64encode((before + secret).encode())[4:-4]


def all_bytes(store: Path) -> bytes:
    """All that lies in the store, bodies unpacked."""
    found = [path.read_bytes() for path in store.rglob("*") if path.is_file()]
    for run in store.iterdir():
        reader = BodyReader(run / "bodies")
        found += [reader.get(digest) for digest in reader]
    return b"\n".join(found)


def assert_clean(store: Path) -> None:
    data = all_bytes(store)
    for secret in SECRETS:
        for trace in traces_of(secret):
            assert trace not in data, trace
    for run in store.iterdir():
        if not run.name.startswith("."):
            assert not verify(run).problems


def question(*texts: str, **more: Any) -> bytes:
    return orjson.dumps({"model": "m", "messages": [{"role": "user", "content": text} for text in texts], **more})


async def test_secrets_pass_and_are_not_written(wire: Wire, upstream: Upstream) -> None:
    """Keys in heads, queries, paths, bodies and answers reach whom they are for, and lie in no form in the store."""
    answer = question(f"your {GITHUB} and {UPSTREAM_KEY}", error={"message": f"bad key {AGENT_KEY}", "code": OTHER_KEY})
    upstream.answer(
        upstream.whole(answer, "401 " + "Unauthorized", "Content-Type: application/json", f"X-Echo: {AGENT_KEY}")
    )
    agent = await wire.agent(upstream_key=UPSTREAM_KEY, secrets=(OTHER_KEY,))
    body = question(f"{AGENT_KEY} {json.dumps({'k': OTHER_KEY})}", base64.b64encode(AGENT_KEY.encode()).decode())
    path = f"/v1/chat/completions?api_key={urllib.parse.quote(OTHER_KEY)}&x={GITHUB}"
    reply = await agent.post(body, f"Authorization: Bearer {AGENT_KEY}", f"X-Note: {OTHER_KEY}", path=path)
    assert reply.body == answer
    assert upstream.received[0].body == body
    assert_clean(wire.store)
    (call,) = wire.calls()
    assert call.request.body_hash == sha256(body).hexdigest()
    assert call.response is not None
    assert call.response.body_hash == sha256(answer).hexdigest()
    assert set(call.bodies_masked or ()) == {call.request.body_hash, call.response.body_hash}
    assert "[masked known-secret]" in str(call.message)
    assert "x=[masked github-token]" in str(call.request.query)


async def test_a_basic_password_is_known(wire: Wire, upstream: Upstream) -> None:
    """The password of Basic credentials is a secret wherever it stands."""
    upstream.answer(upstream.whole(question(OTHER_KEY)))
    agent = await wire.agent()
    credentials = base64.b64encode(f"user:{OTHER_KEY}".encode()).decode()
    assert (await agent.post(question(OTHER_KEY), f"Authorization: Basic {credentials}")).body == question(OTHER_KEY)
    assert_clean(wire.store)


@pytest.mark.parametrize("size", [1, 7, 40])
async def test_a_secret_in_a_stream(wire: Wire, upstream: Upstream, size: int) -> None:
    """However many events tell it, and wherever chunks are cut: the agent gets it, the record does not hold it."""
    text = f"the token is {GITHUB}, " + "and so on " * 50
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    events = [upstream.event({"choices": [{"index": 0, "delta": {"content": piece}}]}) for piece in pieces]
    stream = b"".join((*events, upstream.event("[DONE]")))
    cuts = [0, *sorted(random.Random(size).sample(range(1, len(stream)), 30)), len(stream)]
    chunks = [stream[start:end] for start, end in itertools.pairwise(cuts)]
    upstream.answer(upstream.stream(end=False), *map(upstream.chunk, chunks), b"0\r\n\r\n")
    agent = await wire.agent(usage="observe")
    assert (await agent.post(question("hello", stream=True))).body == stream
    assert_clean(wire.store)
    (call,) = wire.calls()
    assert call.response is not None
    read = BodyReader(wire.store / "default" / "bodies").get(str(call.response.body_hash))
    told = [orjson.loads(line[6:]) for line in read.split(b"\n\n") if line.startswith(b"data: {")]
    said = "".join(event["choices"][0]["delta"]["content"] for event in told)
    assert said == text.replace(GITHUB, "[masked github-token]")


@pytest.mark.parametrize(
    ("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli.compress)]
)
async def test_a_compressed_body_is_looked_into(wire: Wire, upstream: Upstream, coding: str, encode: Any) -> None:
    """With a secret in it, it is kept decoded and masked, and says so; with none, as it was on the wire."""
    agent = await wire.agent()
    for number, text in enumerate((f"a {GITHUB} b", "nothing to hide")):
        body, answer = encode(question(text)), encode(question(text + "!"))
        upstream.answer(upstream.whole(answer, "200 OK", f"Content-Encoding: {coding}"))
        assert (await agent.post(body, f"Content-Encoding: {coding}")).body == answer
        call = wire.calls()[number]
        assert call.response is not None
        reader = BodyReader(wire.store / "default" / "bodies")
        for digest, true in ((call.request.body_hash, body), (call.response.body_hash, answer)):
            assert digest == sha256(true).hexdigest()
            about = reader.masked(digest)
            assert (about is not None and about.decoded) == (GITHUB in text)
            kept = reader.get(digest)
            assert b"[masked github-token]" in kept if GITHUB in text else kept == true
    assert_clean(wire.store)


async def test_what_cannot_be_looked_into_is_not_kept(wire: Wire, upstream: Upstream) -> None:
    """A body in a coding that is not known, or damaged, may hold anything: its hash is kept, and why no more is."""
    answer = b"\x00" + GITHUB.encode()
    agent = await wire.agent()
    for number, coding in enumerate(("secret-coding", "gzip")):
        upstream.answer(upstream.whole(answer, "200 OK", f"Content-Encoding: {coding}"))
        assert (await agent.post(question("hello"))).body == answer
        call = wire.calls()[number]
        assert call.response is not None
        assert call.response.body_hash == sha256(answer).hexdigest()
        assert "could not be searched for secrets" in str(call.bodies_lost)
    assert_clean(wire.store)


@pytest.mark.parametrize("policy", ["hash", "none"])
async def test_no_bodies_if_so_wanted(wire: Wire, upstream: Upstream, policy: str) -> None:
    """With `--bodies hash` there are hashes and lengths, with `none` not even hashes; calls are counted as ever."""
    events = (upstream.event({"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}),)
    upstream.answer(upstream.stream(*events, upstream.event("[DONE]")))
    agent = await wire.agent(bodies=policy)
    body = question("hello", stream=True)
    assert (await agent.post(body)).status == 200
    (call,) = wire.calls()
    assert call.outcome == "completed"
    assert call.bodies_lost == f"--bodies {policy}"
    assert call.response is not None
    hashes = (call.request.body_hash, call.request.sent_body_hash, call.response.body_hash, call.request_hash)
    assert all(hashes) if policy == "hash" else not any(hashes)
    assert (call.request.bytes, call.attempt) == (len(body), 1)
    assert len(BodyReader(wire.store / "default" / "bodies")) == 0
    assert verify(wire.store / "default").problems == ()
    if policy == "none":
        assert sha256(body).hexdigest().encode() not in all_bytes(wire.store)


async def test_a_fault_of_the_masking_loses_no_call(
    wire: Wire, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent does not notice, the call is recorded, and what could not be searched is not written."""
    proxy = await wire.serve(upstream_key=UPSTREAM_KEY)
    agent = await wire.connect(proxy.port)
    upstream.answer(upstream.whole(question(UPSTREAM_KEY)))

    def fail(*_: object) -> None:
        raise MemoryError("no room for a scratch space")

    monkeypatch.setattr(Redactor, "find", fail)
    reply = await agent.post(question(GITHUB), f"X-Note: {OTHER_KEY}", path=f"/v1/chat/completions?x={GITHUB}")
    assert reply.body == question(UPSTREAM_KEY)
    monkeypatch.undo()
    assert_clean(wire.store)
    (call,) = wire.calls()
    assert call.outcome == "completed"
    assert call.request.body_hash == sha256(question(GITHUB)).hexdigest()
    assert call.response is not None
    assert call.response.status == 200


async def test_the_seal_binds_what_is_kept(wire: Wire, upstream: Upstream) -> None:
    """Who alters a masked body, and its hash in the pack with it, is found out: the journal says what must be kept."""
    upstream.answer(upstream.whole(b"{}"))
    proxy = await wire.serve()
    agent = await wire.connect(proxy.port)
    await agent.post(question(f"a {GITHUB}"))
    proxy.close_run("default")
    folder = wire.store / "default"
    assert verify(folder).state == "sealed"
    (call,) = read_run(folder).calls
    ((true, kept),) = (call.bodies_masked or {}).items()
    pack = folder / "bodies" / "bodies.pack"
    pack.write_bytes(pack.read_bytes().replace(kept.encode(), b"0" * 64))
    problems = " ".join(verify(folder).problems)
    assert f"body {true}: what is kept of it is not what the journal says" in problems
