"""Who may call, and what the record says of calls that were refused."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tachograph.proxy import Limits, RunKeys
from tachograph.proxy import _refused_calls as refused_module
from tachograph.traces import Call, read_calls, read_run, verify

if TYPE_CHECKING:
    from tests.proxy.conftest import Agent, Message, Upstream, Wire

PATH = "/v1/chat/completions"
SECRET = "what-a-stranger-asks-0123456789"
CARRIERS = {
    "authorization": ("AUTHORIZATION: Bearer {}", ""),
    "plain authorization": ("authorization: {}", ""),
    "x-api-key": ("X-Api-Key: {}", ""),
    "api-key": ("API-KEY: {}", ""),
    "x-goog-api-key": ("x-goog-api-key: {}", ""),
    "query": ("X: y", "?Key={}"),
    "encoded query": ("X: y", "?a=1&api%5Fkey={}"),
}


def refused(wire: "Wire") -> list[tuple[str, Call]]:
    """The calls that no run took, each with the run that they are recorded in."""
    return [(folder.name, call) for folder in sorted(wire.store.glob("refused-*")) for call in read_calls(folder)]


def everything(store: Path) -> bytes:
    return b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file())


async def ask(agent: "Agent", key: str, carrier: str = "x-api-key", path: str = PATH) -> "Message":
    header, query = CARRIERS[carrier]
    return await agent.post({"model": "m", "messages": SECRET}, header.format(key), path=path + query.format(key))


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("why", ["unknown", "revoked", "nearly right"])
async def test_a_refused_call_is_recorded(wire: "Wire", upstream: "Upstream", carrier: str, why: str) -> None:
    """401 in the API's shape; the record has the call, by whom it was refused and why, and nothing of key and body."""
    proxy = await wire.serve()
    endpoint = proxy.open_run("mine")
    if why == "revoked":
        proxy.close_run("mine")
    key = {"unknown": "tachograph-" + "x" * 32, "revoked": endpoint.key, "nearly right": endpoint.key[:-1] + "."}[why]
    reply = await ask(await wire.connect(proxy.port), key, carrier, path=f"/r/mine{PATH}")
    assert (reply.status, reply.json()["error"]["code"]) == (401, "invalid_api_key")
    ((run_id, call),) = refused(wire)
    assert call.response is not None
    assert (call.response.status, call.error_type, call.outcome) == (401, "invalid_api_key", "completed")
    assert (call.request.method, call.request.path) == ("POST", f"/r/mine{PATH}")
    assert (call.request.query, call.request.head, call.request.body_hash) == (None, None, None)
    assert (call.usage.source, call.usage.input_tokens) == ("absent", None)
    assert not upstream.received
    assert wire.calls("mine") == []
    await proxy.stop()
    assert verify(wire.store / run_id).state == "sealed"
    assert read_run(wire.store / run_id).attributes["tachograph.run.refused"] is True
    assert verify(wire.store / "mine").state == "sealed"
    for secret in (key, key[11:], SECRET):
        assert secret.encode() not in everything(wire.store)


async def test_a_refusal_is_in_the_shape_of_the_api(wire: "Wire") -> None:
    """Anthropic's clients read `error.type`; the others OpenAI's `error.code`."""
    agent = await wire.agent()
    reply = await ask(agent, "tachograph-x", path="/v1/messages")
    assert reply.json()["type"] == "error"
    assert reply.json()["error"]["type"] == "authentication_error"
    assert (await ask(agent, "tachograph-x", path="/v1/responses")).json()["error"]["code"] == "invalid_api_key"
    assert [call.request.api for _, call in refused(wire)] == ["messages", "responses"]


async def test_strangers_do_not_fill_the_disk(
    wire: "Wire", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """So many refused calls are recorded, at a few KB each; of the rest there is the number, and a word in the log."""
    monkeypatch.setattr(refused_module, "_MOST", 20)
    proxy = await wire.serve()
    agent = await wire.connect(proxy.port)
    long = f"/r/{'x' * 100}/v1/{'y' * 100_000}/chat/completions"
    for _ in range(50):
        assert (await ask(agent, "tachograph-" + "z" * 100_000, path=long)).status == 401
    recorded = refused(wire)
    assert len(recorded) == 20
    assert len(everything(wire.store)) < 20 * 8_000
    await proxy.stop()
    (run_id,) = {run_id for run_id, _ in recorded}
    (span,) = (span for span in read_run(wire.store / run_id).spans if "refused" in span.name)
    assert span.attributes["tachograph.refused.unrecorded_calls"] == 30
    assert verify(wire.store / run_id).state == "sealed"
    assert sum("refused" in record.message for record in caplog.records) == 1


async def test_refused_calls_go_to_no_run_that_is_sealed_or_can_be_named(wire: "Wire", upstream: "Upstream") -> None:
    """Each proxy has a run of its own for them, which takes no other calls."""
    for count in (1, 2):
        proxy = await wire.serve()
        agent = await wire.connect(proxy.port)
        assert (await ask(agent, "tachograph-x")).status == 401
        runs = {run_id for run_id, _ in refused(wire)}
        assert len(runs) == count
        for run_id in runs:
            assert (await agent.post({"model": "m"}, path=f"/r/{run_id}{PATH}")).status == 401
            assert (await agent.post({"model": "m"}, f"x-tachograph-run: {run_id}")).status == 401
        await proxy.stop()
        assert {verify(wire.store / run_id).state for run_id in runs} == {"sealed"}
    assert not upstream.received


async def test_a_fault_of_the_recorder_breaks_no_refusal(wire: "Wire", caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be recorded is refused all the same, and said in the log."""
    proxy = await wire.serve()
    away = wire.store.rename(wire.store.with_name("away"))
    wire.store.write_text("where the store was")
    assert (await ask(await wire.connect(proxy.port), "tachograph-x")).status == 401
    wire.store.unlink()
    away.rename(wire.store)
    assert any("could not be recorded" in record.message for record in caplog.records)


@pytest.mark.parametrize("shown", ["none", "own", "other", "both"])
async def test_a_path_is_no_key(wire: "Wire", upstream: "Upstream", shown: str) -> None:
    """Once a run has a key, only who shows it may call for the run, whatever path or header names it."""
    proxy = await wire.serve()
    a, b = proxy.open_run("a").key, proxy.open_run("b").key
    headers = {
        "none": [],
        "own": ["Authorization: Bearer sk-of-the-agent-123456"],
        "other": [f"Authorization: Bearer {a}"],
        "both": [f"Authorization: Bearer {b}", f"x-api-key: {a}"],
    }[shown]
    agent = await wire.connect(proxy.port)
    assert (await agent.post({"model": "m"}, *headers, path=f"/r/b{PATH}")).status == 401
    if shown in ("none", "own"):
        assert (await agent.post({"model": "m"}, *headers, "x-tachograph-run: b")).status == 401
    assert not upstream.received
    assert wire.calls("b") == []
    assert (await ask(agent, b, path=f"/r/b{PATH}")).status == 200
    assert len(wire.calls("b")) == 1


async def test_a_run_that_is_over_stays_over(wire: "Wire", upstream: "Upstream") -> None:
    """Neither its path nor its key opens it again, in this proxy or in a later one on the same store; its seal stands."""
    proxy = await wire.serve()
    key = proxy.open_run("over").key
    agent = await wire.connect(proxy.port)
    assert (await ask(agent, key, path=f"/r/over{PATH}")).status == 200
    seal = proxy.close_run("over")
    assert seal is not None
    later = await wire.serve()
    for port in (proxy.port, later.port):
        for headers in ([], [f"x-api-key: {key}"], ["x-tachograph-run: over"]):
            agent = await wire.connect(port)
            assert (await agent.post({"model": "m"}, *headers, path=f"/r/over{PATH}")).status == 401
    assert len(upstream.received) == 1
    found = verify(wire.store / "over")
    assert found.state == "sealed"
    assert found.survey.seal == seal


async def test_without_keys_a_path_is_enough(wire: "Wire", upstream: "Upstream") -> None:
    """A user of `serve` points an agent at a path, with the agent's own key, and needs nothing else."""
    agent = await wire.agent()
    reply = await agent.post({"model": "m"}, "Authorization: Bearer sk-own-0123456789", path=f"/r/free{PATH}")
    assert reply.status == 200
    assert upstream.received[0].one(b"Authorization") == b"Bearer sk-own-0123456789"


async def test_where_keys_are_required_each_call_shows_one(wire: "Wire", upstream: "Upstream") -> None:
    """Also for runs that were never given one, and for calls that name none."""
    proxy = await wire.serve(require_keys=True, default_run=None)
    agent = await wire.connect(proxy.port)
    for path in (PATH, f"/r/new{PATH}"):
        reply = await agent.post({"model": "m"}, "Authorization: Bearer sk-own-0123456789", path=path)
        assert (reply.status, reply.json()["error"]["code"]) == (401, "invalid_api_key")
        assert "tachograph key" in reply.json()["error"]["message"]
    assert len(refused(wire)) == 2
    assert not (wire.store / "new").exists()
    assert not upstream.received
    key = RunKeys(wire.store).issue("new")
    assert (await ask(agent, key)).status == 200
    assert (await ask(agent, key, path=f"/r/new{PATH}")).status == 200
    assert len(wire.calls("new")) == 2


async def test_only_so_many_runs_are_open(wire: "Wire", upstream: "Upstream") -> None:
    """Who makes up run after run is told of the limit; those that are open go on."""
    proxy = await wire.serve(limits=Limits(runs=3))
    agent = await wire.connect(proxy.port)
    statuses = [(await agent.post({"model": "m"}, path=f"/r/run-{n % 4}{PATH}")).status for n in range(8)]
    assert statuses == [200, 200, 503, 503] * 2
    reply = await agent.post({"model": "m"}, path=f"/r/run-9{PATH}")
    assert (reply.status, reply.json()["error"]["code"]) == (503, "too_many_runs")
    assert "--limit runs=" in reply.json()["error"]["message"]
    assert len(upstream.received) == 4
    assert [call.error_type for _, call in refused(wire)] == ["too_many_runs"] * 5
    assert "run-2" not in wire.runs()


async def test_what_no_upstream_is_for_is_recorded_in_its_run(wire: "Wire", upstream: "Upstream") -> None:
    """The call is the run's own: it has its head, its secrets masked, and what it was answered."""
    del upstream
    proxy = await wire.serve(upstream=None, default_run="mine")
    key = "sk-" + "own-0123456789" * 2
    reply = await (await wire.connect(proxy.port)).post(
        {"model": "m"}, f"x-api-key: {key}", "X-Note: n", path=f"{PATH}?key={key}"
    )
    assert (reply.status, reply.json()["error"]["code"]) == (404, "no_upstream")
    (call,) = wire.calls("mine")
    assert (call.error_type, call.request.query) == ("no_upstream", "key=[masked]")
    assert "X-Note: n" in str(call.request.head)
    assert key.encode() not in everything(wire.store)
    assert json.dumps({"model": "m"}).encode() not in everything(wire.store)


def test_keys_are_revoked_for_all_processes_at_once(tmp_path: Path) -> None:
    """Also for one that has used the key before; other runs keep theirs, and the run stays closed to who shows none."""
    keeper, worker = RunKeys(tmp_path), RunKeys(tmp_path)
    keys = [keeper.issue("a"), keeper.issue("a")]
    other = keeper.issue("b")
    assert [worker.run_of(key) for key in (*keys, other)] == ["a", "a", "b"]
    assert keeper.revoke_all("a") == 2
    assert keeper.revoke_all("a") == keeper.revoke_all("nobody") == 0
    assert [worker.run_of(key) for key in (*keys, other)] == [None, None, "b"]
    assert worker.are_required("a")
    assert not worker.are_required("nobody")
    assert worker.run_of(worker.issue("a")) == "a"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", "PROPFIND"])
async def test_no_route_reads_or_writes_a_record(wire: "Wire", upstream: "Upstream", method: str) -> None:
    """The proxy has no other business than calls: not even who holds the run's key gets at its folder."""
    proxy = await wire.serve()
    endpoint = proxy.open_run("mine")
    before = everything(wire.store)
    for path in (
        *("/", "/r", "/r/mine", "/r/mine/", "/r/mine/trace.jsonl", "/r/mine/bodies/bodies.pack", "/runs", "/runs/mine"),
        *(
            "/.keys",
            "/r/.keys",
            "/r/mine/v1%2f..%2ftrace.jsonl",
            "/r/mine/../mine/trace.jsonl",
            "/r/mine/v1/../trace.jsonl",
        ),
        *("/metrics", "/health", "/keys", "/r/mine/key", "/mine/trace.jsonl", "/r/mine/key-required"),
    ):
        agent = await wire.connect(proxy.port)
        await agent.send(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {endpoint.key}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
        )
        assert (await agent.reply(method)).status == 404, path
    assert not upstream.received
    assert everything(wire.store) == before
