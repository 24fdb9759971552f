"""Every call belongs to one run, and no key is where it should not be."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tachograph.proxy import RunKeys
from tachograph.proxy._runs import split_target
from tachograph.traces import BodyReader, InputError, verify

if TYPE_CHECKING:
    from tests.proxy.conftest import Agent, Message, Step, Upstream, Wire

UPSTREAM_KEY = "sk-of-the-upstream-0123456789"
AGENTS_KEY = "sk-of-the-agent-9876543210"
PATH = "/v1/chat/completions"


def files_with(store: Path, secret: str) -> list[Path]:
    """The files of a store that hold a secret, compressed bodies looked into."""
    found = [path for path in store.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    for folder in store.glob("*/bodies"):
        bodies = BodyReader(folder)
        found += [folder for digest in bodies if secret.encode() in bodies.get(digest)]
    return found


@pytest.mark.parametrize(
    ("path", "run", "header", "expected"),
    [
        ("/r/by-path", None, "by-header", "by-path"),
        ("/r/by-path", None, None, "by-path"),
        ("/r/by-key", "by-key", "by-header", "by-key"),
        ("", "by-key", "by-header", "by-key"),
        ("", "by-key", None, "by-key"),
        ("", None, "by-header", "by-header"),
        ("", None, None, "default"),
    ],
)
@pytest.mark.parametrize("name", ["Authorization: Bearer ", "authorization: bearer ", "X-Api-Key: ", "api-key: "])
async def test_key_beats_path_beats_header_beats_default(
    wire: "Wire", upstream: "Upstream", *, path: str, run: str | None, header: str | None, expected: str, name: str
) -> None:
    """A run's mark in the path works in every agent, a key cannot be made up; the upstream sees no mark of a run."""
    proxy = await wire.serve()
    headers = [f"{name}{proxy.open_run(run).key}"] if run else []
    headers += [f"x-tachograph-run: {header}"] if header else []
    agent = await wire.connect(proxy.port)
    assert (await agent.post({"model": "m"}, *headers, path=path + PATH)).status == 200
    assert upstream.received[-1].target == PATH.encode()
    assert {key.lower() for key, _ in upstream.received[-1].headers} == {b"host", b"content-length"}
    (call,) = wire.calls(expected)
    assert (call.run_id, call.request.path) == (expected, PATH)
    assert [name for name in wire.runs() - {".keys"} if wire.calls(name)] == [expected]


async def test_a_wrong_run_key_is_refused(wire: "Wire", upstream: "Upstream") -> None:
    """A key that is not known, or whose run has ended, is no key: its calls go to no other run, and not up."""
    proxy = await wire.serve()
    ended = proxy.open_run("ended").key
    proxy.close_run("ended")
    agent = await wire.connect(proxy.port)
    for key in ("tachograph-of-nobody", ended, "tachograph-"):
        for header in (f"Authorization: Bearer {key}", f"x-api-key: {key}"):
            reply = await agent.post({"model": "m"}, header, "x-tachograph-run: other")
            assert (reply.status, reply.json()["error"]["code"]) == (401, "invalid_api_key")
    assert not upstream.received
    assert not (wire.store / "other").exists()


@pytest.mark.parametrize(
    "run_id",
    [
        "..",
        ".",
        "",
        ".hidden",
        "-x",
        "a%2Fb",
        "a%2f..%2fb",
        "%2e%2e",
        "a b".replace(" ", "%20"),
        "x" * 129,
        "a\\b",
        "a:b",
    ],
)
async def test_a_bad_run_id_is_refused(wire: "Wire", upstream: "Upstream", run_id: str) -> None:
    """What cannot name a folder below the store names no run, in the path and in the header alike."""
    proxy = await wire.serve()
    agent = await wire.connect(proxy.port)
    by_path = await agent.post({"model": "m"}, path=f"/r/{run_id}{PATH}")
    by_header = await agent.post({"model": "m"}, f"x-tachograph-run: {run_id}")
    for reply in (by_path, by_header):
        assert (reply.status, reply.json()["error"]["code"]) == (400, "invalid_run")
    assert not upstream.received
    assert {name for name in wire.runs() if not name.startswith("refused-")} == {"default"}


@pytest.mark.parametrize("run_id", ["../x", "../../etc/x", "/etc/x", "a/b", "a/../../b", "caf\u00e9", "a\tb"])
async def test_a_run_id_that_leaves_the_store_is_refused(wire: "Wire", upstream: "Upstream", run_id: str) -> None:
    """Nothing is written outside the store, or inside it."""
    proxy = await wire.serve()
    agent = await wire.connect(proxy.port)
    reply = await agent.post({"model": "m"}, f"x-tachograph-run: {run_id}")
    assert (reply.status, reply.json()["error"]["code"]) == (400, "invalid_run")
    by_path = await (await wire.connect(proxy.port)).post({"model": "m"}, path=f"/r/{run_id}{PATH}")
    assert by_path.status in (400, 404)
    with pytest.raises(InputError):
        proxy.open_run(run_id)
    assert not upstream.received
    assert {name for name in wire.runs() if not name.startswith("refused-")} == {"default"}
    assert list(wire.store.parent.iterdir()) == [wire.store]


@pytest.mark.parametrize("path", ["/", "/v2/models", "/chat/completions", "/r/x", "/r/x/v2/models", "/v1x"])
async def test_other_paths_are_not_forwarded(wire: "Wire", upstream: "Upstream", path: str) -> None:
    """The proxy serves `/v1` and no more; it says so in a form that clients can show."""
    agent = await wire.agent()
    reply = await agent.post({"model": "m"}, path=path)
    assert reply.status == 404
    assert reply.json()["error"]["code"] == "not_found"
    assert not upstream.received


async def test_without_a_default_run_a_call_must_name_one(wire: "Wire", upstream: "Upstream") -> None:
    """A call is never put into a run that happens to be open."""
    proxy = await wire.serve(default_run=None)
    proxy.open_run("other")
    agent = await wire.connect(proxy.port)
    reply = await agent.post({"model": "m"}, f"Authorization: Bearer {AGENTS_KEY}")
    assert (reply.status, reply.json()["error"]["code"]) == (404, "no_run")
    assert not upstream.received


async def test_two_hundred_runs_at_once(wire: "Wire", upstream: "Upstream") -> None:
    """Their calls interleave, all in flight together; each run has its own calls, its own chain, its own seal."""
    runs, rounds = 200, 3
    arrived, go_on = asyncio.Semaphore(0), asyncio.Event()

    def rule(request: "Message") -> "list[Step]":
        arrived.release()
        said = {"id": request.json()["messages"], "choices": [{"index": 0, "finish_reason": "stop", "delta": {}}]}
        return [
            upstream.stream(upstream.event(said), end=False),
            go_on,
            upstream.chunk(b"data: [DONE]\n\n"),
            b"0\r\n\r\n",
        ]

    upstream.rule = rule
    proxy = await wire.serve()
    endpoints = {f"run-{number}": proxy.open_run(f"run-{number}") for number in range(runs)}

    async def ask(agent: "Agent", run_id: str, round_: int) -> None:
        asked = {
            "model": "m",
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": f"{run_id} {round_}",
        }
        key = f"Authorization: Bearer {endpoints[run_id].key}"
        reply = await agent.post(asked, key, path=f"/r/{run_id}{PATH}" if round_ % 2 else PATH)
        assert f'"{run_id} {round_}"'.encode() in reply.body

    agents = [(run_id, round_, await wire.connect(proxy.port)) for round_ in range(rounds) for run_id in endpoints]
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for run_id, round_, agent in agents:
            tasks.create_task(ask(agent, run_id, round_))
        for _ in agents:
            await arrived.acquire()
        go_on.set()
    for run_id, endpoint in endpoints.items():
        recorded = wire.calls(run_id)
        assert sorted(str(call.response and call.response.id) for call in recorded) == [
            f"{run_id} {round_}" for round_ in range(rounds)
        ]
        assert [call.sequence for call in recorded] == [1, 2, 3]
        assert {call.outcome for call in recorded} == {"completed"}
        assert endpoint.tally.calls == rounds
        seal = proxy.close_run(run_id)
        assert seal is not None
        assert (seal.calls, seal.finished_calls) == (rounds, rounds)
        assert verify(wire.store / run_id).state == "sealed"


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ([], [(b"Authorization", f"Bearer {UPSTREAM_KEY}")]),
        ([f"authorization: Bearer {AGENTS_KEY}"], [(b"authorization", f"Bearer {UPSTREAM_KEY}")]),
        ([f"X-API-KEY: {AGENTS_KEY}"], [(b"X-API-KEY", UPSTREAM_KEY)]),
        ([f"Api-Key: {AGENTS_KEY}"], [(b"Api-Key", UPSTREAM_KEY)]),
        (
            [f"Authorization: Bearer {AGENTS_KEY}", f"x-api-key: {AGENTS_KEY}"],
            [(b"Authorization", f"Bearer {UPSTREAM_KEY}"), (b"x-api-key", UPSTREAM_KEY)],
        ),
        (
            [f"Authorization: Bearer {AGENTS_KEY}", f"authorization: Bearer {AGENTS_KEY}"],
            [(b"Authorization", f"Bearer {UPSTREAM_KEY}"), (b"authorization", f"Bearer {UPSTREAM_KEY}")],
        ),
    ],
)
async def test_the_upstreams_key_is_set_on_the_way_up(
    wire: "Wire", upstream: "Upstream", sent: list[str], got: list[tuple[bytes, str]]
) -> None:
    """In the place where the agent puts its own, which does not go up; in no file, no settings shown."""
    proxy = await wire.serve(upstream_key=UPSTREAM_KEY)
    assert UPSTREAM_KEY not in repr(proxy._settings)
    agent = await wire.connect(proxy.port)
    await agent.post({"model": "m"}, *sent)
    keys = [(name, value) for name, value in upstream.received[-1].passing if b"key" in name.lower() or b"uth" in name]
    assert [(name.lower(), value) for name, value in keys] == [(name.lower(), value.encode()) for name, value in got]
    assert AGENTS_KEY.encode() not in upstream.received[-1].raw_head


@pytest.mark.parametrize("upstream_key", [UPSTREAM_KEY, None])
async def test_no_key_is_in_any_file(wire: "Wire", upstream: "Upstream", upstream_key: str | None) -> None:
    """Neither the upstream's key, nor the agent's own, nor a run key: in no journal, no body, no key file."""
    upstream.answer(upstream.whole(b"{}", "200 OK", f"Set-Cookie: session={AGENTS_KEY}", "X: y"))
    proxy = await wire.serve(upstream_key=upstream_key)
    endpoint = proxy.open_run("keyed")
    secrets = [f"Authorization: Bearer {AGENTS_KEY}", f"x-api-key: {AGENTS_KEY}", f"api-key: {AGENTS_KEY}"]
    secrets += [f"x-goog-api-key: {AGENTS_KEY}", f"Cookie: session={AGENTS_KEY}", f"Proxy-Authorization: {AGENTS_KEY}"]
    agent = await wire.connect(proxy.port)
    assert (
        await agent.post({"model": "m"}, *secrets, path=f"{PATH}?key={AGENTS_KEY}&a=1&api%5Fkey={AGENTS_KEY}")
    ).status == 200
    await agent.post({"model": "m"}, f"Authorization: Bearer {endpoint.key}")
    (call,) = wire.calls()
    assert len(wire.calls("keyed")) == 1
    assert call.request.head is not None
    for name in ("Authorization", "x-api-key", "Cookie"):
        assert f"{name}: [masked]" in call.request.head.splitlines()
    assert call.request.query == "key=[masked]&a=1&api%5Fkey=[masked]"
    assert call.response is not None
    assert "Set-Cookie: [masked]" in str(call.response.head).splitlines()
    for garbage in (b"SSH-2.0-x\r\n\r\n", b""):
        upstream.answer(garbage, "close")
        other = await wire.connect(proxy.port)
        reply = await other.post({"model": "m"}, *secrets, path=f"{PATH}?key={AGENTS_KEY}")
        assert AGENTS_KEY.encode() not in reply.body
    await proxy.stop()
    for secret in (UPSTREAM_KEY, AGENTS_KEY, endpoint.key):
        assert not files_with(wire.store, secret)


async def test_the_agents_own_key_passes_when_none_is_configured(wire: "Wire", upstream: "Upstream") -> None:
    """A user with a key in the agent's own configuration need not move it."""
    agent = await wire.agent()
    await agent.post({"model": "m"}, f"authorization: Bearer {AGENTS_KEY}", f"X-Api-Key: {AGENTS_KEY}")
    passing = upstream.received[-1].passing
    assert (b"authorization", f"Bearer {AGENTS_KEY}".encode()) in passing
    assert (b"X-Api-Key", AGENTS_KEY.encode()) in passing


@pytest.mark.parametrize("upstream_key", [UPSTREAM_KEY, None])
@pytest.mark.parametrize("path", [PATH, f"/r/run{PATH}", f"/r/run{PATH}?api_key="])
async def test_a_run_key_never_reaches_the_upstream(
    wire: "Wire", upstream: "Upstream", upstream_key: str | None, path: str
) -> None:
    """In whichever header it stands, beside whatever other key, and though the path names the run."""
    proxy = await wire.serve(upstream_key=upstream_key)
    key = proxy.open_run("run").key
    for headers in (
        [f"Authorization: Bearer {key}"],
        [f"authorization: bearer  {key}"],
        [f"Authorization: {key}"],
        [f"X-API-Key: {key}"],
        [f"Authorization: Bearer {AGENTS_KEY}", f"x-api-key: {key}"],
        [f"x-api-key: {AGENTS_KEY}", f"Authorization: Bearer {key}"],
        [f"Authorization: Bearer {AGENTS_KEY}", f"Authorization: Bearer {key}"],
    ):
        agent = await wire.connect(proxy.port)
        where = path + key if path.endswith("=") else path
        assert (await agent.post({"model": "m"}, *headers, path=where)).status == 200
        assert key.encode() not in upstream.received[-1].raw_head
        assert b"tachograph" not in upstream.received[-1].raw_head


def test_run_keys(tmp_path: Path) -> None:
    """Each is another one, all processes on the store know it, nobody can read it there, and it can be taken back."""
    keys, others = RunKeys(tmp_path), RunKeys(tmp_path)
    one, other = keys.issue("run"), keys.issue("run")
    assert one != other
    assert others.run_of(one) == others.run_of(other) == "run"
    keys.revoke(one)
    keys.revoke(one)
    assert others.run_of(one) is None
    assert others.run_of(other) == "run"
    assert keys.run_of("sk-x") is None
    assert not files_with(tmp_path, other)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / ".keys").iterdir()} == {0o600}
    with pytest.raises(InputError):
        keys.issue("../x")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("/v1", (None, "/v1", None)),
        ("/v1/x", (None, "/v1/x", None)),
        ("/v1/x?", (None, "/v1/x", "")),
        ("/v1/a%2Fb?x=%2F&y=?z", (None, "/v1/a%2Fb", "x=%2F&y=?z")),
        ("/r/run.1/v1/x?y", ("run.1", "/v1/x", "y")),
        ("/r//v1/x", ("", "/v1/x", None)),
        ("/r/a/v1/r/b/v1/x", ("a", "/v1/r/b/v1/x", None)),
        ("/v1/v1/messages", (None, "/v1/v1/messages", None)),
        ("/v10", None),
        ("/x/v1/y", None),
        ("/r/a/b/v1/x", None),
        ("http://host/v1/x", None),
        ("/v1/a/../b", (None, "/v1/a/../b", None)),
        ("/v1/../b", None),
        ("/v1/a/../../b", None),
        ("/v1/%2e%2E/b", None),
        ("/v1/..%2Fb", None),
        ("/v1/..%5cb", None),
        ("/r/a/v1/../b", None),
        ("/v1/a...b", (None, "/v1/a...b", None)),
        ("/v1/%252e%252e/b", None),
        ("/v1/..;x/b", None),
        ("/v1/a%2525b", (None, "/v1/a%2525b", None)),
        ("/v1/100%/b", (None, "/v1/100%/b", None)),
        ("/v1/%" + "25" * 400_000, None),
    ],
)
def test_targets(raw: str, expected: tuple[Any, ...] | None) -> None:
    """A target is cut where its run ends, and nothing in it is decoded."""
    target = split_target(raw)
    assert (None if target is None else (target.run_id, target.path, target.query)) == expected


async def test_a_run_that_cannot_be_written_is_told(wire: "Wire", upstream: "Upstream") -> None:
    """Where nothing can be recorded nothing is forwarded: 503, which says why."""
    proxy = await wire.serve()
    (wire.store / "taken").write_text("a file where the run's folder would be")
    reply = await (await wire.connect(proxy.port)).post({"model": "m"}, path=f"/r/taken{PATH}")
    assert (reply.status, reply.json()["error"]["code"]) == (503, "cannot_record")
    assert "taken" in json.dumps(reply.json())
    assert not upstream.received
