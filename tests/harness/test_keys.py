"""Who may use the proxy, and where no key is ever found: the commands as processes."""

import contextlib
import http.client
import json
import resource
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tachograph.harness._private_memory import without_secrets
from tachograph.traces import BodyReader, read_calls, read_run, verify

TASK = Path(__file__).parents[2] / "examples" / "tasks" / "mutations" / "python-error-negated"
PATH = "/v1/chat/completions"
QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello there"}]}
UPSTREAM_KEY = "sk-" + "upstream-key-of-tests-" + "0123456789abcdef"
EVERYWHERE = "0.0.0.0"


class Served:
    """A `tachograph serve` that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.said = process.stdout.readline()
        assert self.said.startswith("tachograph: recording http://"), self.said + process.stderr.read()
        self.port = urlsplit(self.said.split()[2]).port

    def ask(
        self, path: str = PATH, key: str | None = None, method: str = "POST", model: str = "m", **headers: str
    ) -> tuple[int, bytes]:
        """Status and body of the answer to a call."""
        shown = {"Authorization": f"Bearer {key}"} if key else {}
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(
                method,
                path,
                json.dumps(QUESTION | {"model": model}),
                {"Content-Type": "application/json", **shown, **headers},
            )
            with connection.getresponse() as response:
                return response.status, response.read()

    def stop(self, number: int = signal.SIGTERM) -> tuple[str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.said + out, err


@pytest.fixture
def serve(tachograph: Any, rule_upstream: Any) -> Iterator[Callable[..., Served]]:
    upstream = rule_upstream(lambda _: "hello yourself")
    started: list[Served] = []

    def start(*arguments: str, url: str = "", **env: str) -> Served:
        process = tachograph.start("serve", "--upstream", url or upstream.url, "--port", "0", *arguments, **env)
        started.append(Served(process))
        return started[-1]

    yield start
    for served in started:
        if served.process.poll() is None:
            served.stop()  # workers outlive one that is killed


@pytest.mark.parametrize("host", [EVERYWHERE, "::"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_others_are_not_served_without_keys(tachograph: Any, tmp_path: Path, host: str, workers: str) -> None:
    """Where others can connect, it does not start unless run keys are required; it says what to do."""
    if ":" in host and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    upstream = ["--upstream", "http://127.0.0.1:9/v1", "--port", "0", "--workers", workers]
    done = tachograph("serve", "--host", host, *upstream)
    assert done.returncode == 4
    assert "--require-keys" in done.stderr
    assert "tachograph key RUN" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "runs").exists()


def test_others_are_served_with_keys(serve: Any, tachograph: Any, tmp_path: Path) -> None:
    """Each call shows a key; a key is revoked at once for all workers; what is refused is recorded."""
    served = serve("--host", EVERYWHERE, "--require-keys", "--workers", "2")
    for path in (PATH, f"/r/mine{PATH}"):
        assert [served.ask(path)[0] for _ in range(4)] == [401] * 4
    key = tachograph("key", "mine").stdout.strip()
    other = tachograph("key", "other").stdout.strip()
    assert [served.ask(path, key)[0] for path in (PATH, f"/r/mine{PATH}") for _ in range(6)] == [200] * 12
    assert served.ask(f"/r/mine{PATH}", other)[0] == 401
    revoked = tachograph("key", "mine", "--revoke")
    assert (revoked.returncode, revoked.stdout) == (0, "")
    assert "1 keys of mine revoked" in revoked.stderr
    assert [served.ask(PATH, key)[0] for _ in range(12)] == [401] * 12
    assert served.ask(PATH, other)[0] == 200
    served.stop()
    assert len(read_run(tmp_path / "runs" / "mine").calls) == 12
    refused = [call for folder in (tmp_path / "runs").glob("refused-*") for call in read_calls(folder)]
    assert [call.error_type for call in refused] == ["invalid_api_key"] * 21
    states = {folder.name: verify(folder).state for folder in (tmp_path / "runs").iterdir() if folder.name != ".keys"}
    assert set(states.values()) == {"sealed"}


def test_a_run_of_calls_without_a_key_makes_no_sense_where_keys_are_required(tachograph: Any) -> None:
    """It is an error, and not passed over."""
    done = tachograph("serve", "--upstream", "http://127.0.0.1:9/v1", "--require-keys", "--run", "mine")
    assert done.returncode == 2
    assert "--run" in done.stderr


@pytest.mark.parametrize("run", ["../x", "/tmp/x", "a/b", "..", ".keys", ""])
def test_no_key_is_for_what_is_no_run(tachograph: Any, tmp_path: Path, run: str) -> None:
    """A run's name cannot lead out of the store, nor to what else lies in it."""
    done = tachograph("key", run)
    assert done.returncode == 2
    assert "run id" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_name_of_a_body_leads_out_of_its_run(serve: Any, tachograph: Any, tmp_path: Path) -> None:
    """Bodies are looked up by their hashes, and by nothing that a file system reads."""
    (tmp_path / "secret").write_text("not recorded")
    served = serve("--run", "mine")
    served.ask()
    served.stop()
    for name in ("../../secret", str(tmp_path / "secret"), "bodies.pack", "..", "%2e%2e"):
        done = tachograph("body", "mine", name)
        assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("limit", ["body", "body=", "body=x", "body=0", "body=-1", "other=1", "=1", "runs=1T"])
def test_limits_that_are_none(tachograph: Any, limit: str) -> None:
    """The message names those that there are."""
    done = tachograph("serve", "--upstream", "http://127.0.0.1:9/v1", "--limit", limit)
    assert done.returncode == 2
    assert "body=1073741824, receive=60, idle=3600, runs=1000" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_limit_is_set_and_told(serve: Any) -> None:
    """By `--limit`, in each worker."""
    served = serve("--limit", "body=10", "--limit", "runs=2", "--workers", "2")
    for _ in range(4):
        status, body = served.ask()
        assert status == 413
        assert b"--limit body=" in body


PROBE = """
import http.client, os, sys, urllib.parse
where = urllib.parse.urlsplit(os.environ["OPENAI_BASE_URL"])
own = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
for path, headers in (
    (where.path, own), (where.path, {}), ("/v1", own), ("/r/other/v1", {}), ("/r/other/v1", own), ("/v1", {}),
    ("/v1", {"x-tachograph-run": os.environ["TACHOGRAPH_RUN_ID"]}),
):
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
    connection.request("POST", path + "/chat/completions", '{"model": "m", "messages": []}', headers)
    print("STATUS", connection.getresponse().status)
"""


def test_an_agent_reaches_the_proxy_with_its_own_key_only(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """In `run`, neither a path, nor a made-up run, nor no key at all gets a call through; afterwards its key is void."""
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", TASK, "--upstream", upstream.url, "--model", "m", "--keep", "kept"]
    probe = f'echo "$OPENAI_API_KEY" > {tmp_path}/key; exec {sys.executable} -c "$0"'
    tachograph("run", *options, "--", "sh", "-c", probe, PROBE)
    (journal,) = (tmp_path / "runs").glob("mutations-*/trace.jsonl")
    shown = (journal.parent / "terminal.cast").read_text()
    assert [status[:3] for status in shown.split("STATUS ")[1:]] == ["200", "401", "200", "401", "401", "401", "401"]
    assert len(upstream.calls) == 2
    assert {folder.name.split("-")[0] for folder in (tmp_path / "runs").iterdir()} == {".keys", "mutations", "refused"}
    sealed = verify(journal.parent)
    assert sealed.state == "sealed"
    key = (tmp_path / "key").read_text().strip()
    served = Served(tachograph.start("serve", "--upstream", upstream.url, "--port", "0"))
    for path in (PATH, f"/r/{journal.parent.name}{PATH}"):
        assert served.ask(path, key)[0] == 401
    served.stop()
    assert verify(journal.parent).survey.seal == sealed.survey.seal


def test_the_upstreams_key_is_shown_nowhere(serve: Any, tachograph: Any, tmp_path: Path) -> None:
    """Not by any route, error, log line, span or body, nor in a command line, though an agent that knows it sends it along."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    upstreams = tmp_path / "upstreams.toml"
    upstreams.write_text(f'[dead]\nurl = "{dead}"\nkey_env = "TEST_KEY"\nmodels = ["dead*"]\n')
    served = serve("--upstreams", str(upstreams), TACHOGRAPH_UPSTREAM_KEY=UPSTREAM_KEY, TEST_KEY=UPSTREAM_KEY)
    answers = [served.ask(path, method=method)[1] for path, method in ROUTES]
    answers += [served.ask(key=key)[1] for key in ("tachograph-x", UPSTREAM_KEY)]
    status, body = served.ask(model="dead")
    assert (status, b"upstream_unreachable" in body) == (502, True)
    answers += [body, *(raw(served.port, sent) for sent in NO_HTTP)]
    status, body = served.ask("/v1/chat/completions?x=" + UPSTREAM_KEY, **{"X-Note": UPSTREAM_KEY})
    assert status == 200
    command_line = Path(f"/proc/{served.process.pid}/cmdline").read_bytes()
    out, err = served.stop()
    assert UPSTREAM_KEY.encode() not in b"".join(answers) + body + command_line
    assert UPSTREAM_KEY not in out + err
    shown = [
        tachograph(*words)
        for words in (["runs"], ["runs", "--json"], ["calls", "serve", "--json"], ["verify", "serve"])
    ]
    assert not any(UPSTREAM_KEY in done.stdout + done.stderr for done in shown)
    for path in (tmp_path / "runs").rglob("*"):
        assert not path.is_file() or UPSTREAM_KEY.encode() not in path.read_bytes()
    for folder in (tmp_path / "runs").glob("*/bodies"):
        bodies = BodyReader(folder)
        assert not any(UPSTREAM_KEY.encode() in bodies.get(digest) for digest in bodies)


ROUTES = [
    *(
        (path, method)
        for path in ("/", "/v1", "/v1/models", "/r/x/v1/models", "/health", "/metrics")
        for method in ("GET", "HEAD")
    ),
    *((path, "POST") for path in (PATH, "/v1/messages", "/v1/../x", "/r/../v1/x", "/v2", "/r//v1/x")),
    (PATH, "CONNECT"),
    ("/v1/models", "OPTIONS"),
    ("/v1/models", "TRACE"),
]
NO_HTTP = [
    b"GET http://127.0.0.1/v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
    b"nonsense\r\n\r\n",
    b"GET /v1/models HTTP/9.9\r\n\r\n",
    b"GET /v1/models HTTP/1.1\r\nX: " + b"y" * 2**21,
]


def raw(port: int, sent: bytes) -> bytes:
    got = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            got += piece
    return bytes(got)


def cores(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith("core")]


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV])
def test_no_core_file_holds_a_key(serve: Any, tmp_path: Path, number: int) -> None:
    """A proxy that crashes leaves no core file, though its limit of core files is lifted meanwhile by somebody else."""
    served = serve(TACHOGRAPH_UPSTREAM_KEY=UPSTREAM_KEY)
    assert served.ask()[0] == 200
    (limit,) = (line for line in limits_of(served.process.pid) if line.startswith("Max core file size"))
    assert limit.split()[4] == "0"
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.prlimit(served.process.pid, resource.RLIMIT_CORE, (hard, hard))
    served.stop(number)
    assert served.process.returncode == -number
    assert cores(tmp_path) == []


def limits_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/limits").read_text().splitlines()


def test_each_process_with_a_key_keeps_its_memory_to_itself(serve: Any) -> None:
    """The workers and the process that starts them, too."""
    served = serve("--workers", "2", TACHOGRAPH_UPSTREAM_KEY=UPSTREAM_KEY)
    pids = [served.process.pid]
    for task in Path(f"/proc/{served.process.pid}/task").iterdir():
        pids += map(int, (task / "children").read_text().split())
    keepers = [pid for pid in pids if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(keepers) == 3
    for pid in keepers:
        (limit,) = (line for line in limits_of(pid) if line.startswith("Max core file size"))
        assert limit.split()[4] == "0"


def test_no_program_that_it_starts_inherits_a_key(serve: Any, tmp_path: Path) -> None:
    """The processes that serve for it hold their keys in memory; what else it starts holds none."""
    upstreams = tmp_path / "upstreams.toml"
    upstreams.write_text('[other]\nurl = "http://127.0.0.1:9/v1"\nkey_env = "NAMELESS"\nmodels = ["other*"]\n')
    keys = {
        "TACHOGRAPH_UPSTREAM_KEY": UPSTREAM_KEY,
        "NAMELESS": UPSTREAM_KEY[::-1],
        "ANOTHER_API_KEY": UPSTREAM_KEY.upper(),
    }
    served = serve("--workers", "2", "--upstreams", str(upstreams), **keys)
    assert served.ask()[0] == 200
    children = [
        child
        for task in Path(f"/proc/{served.process.pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    assert len(children) == 3
    for child in children:
        environment = Path(f"/proc/{child}/environ").read_bytes()
        assert b"PATH=" in environment
        assert not any(key.encode() in environment for key in keys.values())


def test_an_environment_without_its_secrets() -> None:
    """What has a secret's name, or the value of one that is known, goes; all else stays."""
    kept = {"PATH": "/bin", "KEYBOARD": "qwerty", "LANG": "C"}
    secret = "s3cr3t-" + "0123456789abcdef"
    given = kept | {"MY_TOKEN": secret, "COPY": f"Bearer {secret}", "HTTPS_PROXY": "http://me:pass-word-1@proxy"}
    assert without_secrets(given, ["pass-word-1"]) == kept


MEMORY = """
import ctypes, os, subprocess, sys
from tachograph.harness._private_memory import keep_memory_private
prctl = ctypes.CDLL(None).prctl
before = prctl(3, 0, 0, 0, 0)
keep_memory_private()
ask = [sys.executable, "-c", "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"]
print(before, prctl(3, 0, 0, 0, 0), int(subprocess.run(ask, capture_output=True).stdout))
"""


def test_no_other_program_looks_into_the_memory() -> None:
    """The process is not dumpable any more (PR_GET_DUMPABLE is 0), which closes /proc/PID/mem and environ; its children are."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0", "1"]


@pytest.mark.parametrize("umask", ["000", "022", "077"])
def test_all_of_the_store_is_its_owners_only(tachograph: Any, rule_upstream: Any, tmp_path: Path, umask: str) -> None:
    """Folders 0700 and files 0600, whatever the umask: what `run`, `serve`, `key` and `score` write."""
    upstream = rule_upstream(lambda _: "hi")
    run = ["run", "--task", TASK, "--upstream", upstream.url, "--model", "m", "--", "sh", "-c", "echo x > new.txt"]
    in_umask(tachograph, umask, *map(str, run))
    in_umask(tachograph, umask, "key", "mine")
    in_umask(tachograph, umask, "score", "runs")
    command = [
        "sh",
        "-c",
        f'umask {umask}; exec "$@"',
        "-",
        *tachograph.argv("serve", "--upstream", upstream.url, "--port", "0"),
    ]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=tachograph.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    served = Served(process)
    assert served.ask()[0] == 200
    assert served.ask(key="tachograph-x")[0] == 401
    served.stop()
    store = tmp_path / "runs"
    found = {path: stat.S_IMODE(path.lstat().st_mode) for path in (store, *store.rglob("*"))}
    names = {path.name for path in found}
    assert {"terminal.cast", "workdir.before", "scorecard.json", "trace.jsonl", "bodies.pack", "key-required"} <= names
    assert not {str(path): oct(mode) for path, mode in found.items() if mode != (0o700 if path.is_dir() else 0o600)}


def in_umask(tachograph: Any, umask: str, *arguments: str) -> None:
    command = ["sh", "-c", f'umask {umask}; exec "$@"', "-", *tachograph.argv(*arguments)]
    subprocess.run(command, cwd=tachograph.folder, env=tachograph.env, capture_output=True, check=False, timeout=120)
