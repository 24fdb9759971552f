"""Secrets of many kinds, planted in many places: none lies in the store afterwards, or was printed, in any form."""

import base64
import gzip
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring import SNAPSHOT_NAMES
from tachograph.scoring.pages import read_page, render_page
from tachograph.scoring.workdir import read_snapshot
from tachograph.traces import BodyReader, read_run, verify
from tachograph.traces.export import PROFILES
from tests.canary_secrets import KNOWN, MARKED_ELSEWHERE, ONLY_PRESENTED, RULE, Planted, make_secrets, word
from tests.canary_upstream import upstreams
from tests.keeping_backend import keeping_backend

AGENT = Path(__file__).with_name("canary_agent.py")


def make_task(folder: Path, planted: Mapping[str, Planted]) -> None:
    """A task whose workdir and whose check tell secrets."""
    (folder / "workdir").mkdir(parents=True)
    told = {place: each.text for place, each in planted.items() if place not in ONLY_PRESENTED}
    (folder / "workdir" / "found.json").write_text(json.dumps(told))
    (folder / "workdir" / "found.txt").write_text("\n".join(told.values()))
    said = f'id = "canary"\ncategory = "canary"\nprompt = "Find them."\n[check]\ncommand = "echo {planted["check"].text}"\n'
    (folder / "task.toml").write_text(said)


def everything_in(store: Path) -> dict[str, bytes]:
    """The files of a store as they lie there, and what is packed in them."""
    found = {str(path): path.read_bytes() for path in store.rglob("*") if path.is_file()}
    for run in (path.parent for path in store.glob("*/trace.jsonl")):
        reader = BodyReader(run / "bodies")
        found |= {f"{run}/{digest}": reader.get(digest) for digest in reader}
        for name in (name for names in SNAPSHOT_NAMES.values() for name in names if (run / name).exists()):
            seen = read_snapshot(run / name)
            contents = {path: seen.content(path) for path in seen.paths}
            found |= {f"{name}/{path}": content for path, content in contents.items() if isinstance(content, bytes)}
    return found


def everything_printed(tachograph: Any, store: Path, env: Mapping[str, str]) -> dict[str, bytes]:
    """What each command says of what is there, in both forms."""
    found = {}
    for run in (path.parent for path in store.glob("*/trace.jsonl") if read_run(path.parent).calls):
        bodies = [["body", run.name, digest] for digest in list(BodyReader(run / "bodies"))[-2:]]
        commands = [["calls", run.name], ["verify", run.name], ["score", run.name]]
        for command in (*commands, *([*command, "--json"] for command in [["runs"], *commands[:1]]), *bodies):
            argv = tachograph.argv(*command, "--store", store)
            done = subprocess.run(argv, env={**tachograph.env, **env}, capture_output=True, check=False)
            found[" ".join(command)] = done.stdout + done.stderr
            assert b"Traceback" not in done.stderr
    return found


def everything_exported(tachograph: Any, store: Path, env: Mapping[str, str]) -> dict[str, bytes]:
    """What each profile sends, messages included, and what the command says and leaves beside the runs."""
    found = {}
    for profile in PROFILES:
        with keeping_backend() as backend:
            argv = tachograph.argv("export", store, "--store", store, "--to", backend.url)
            argv += ["--profile", profile, "--content", "--content-limit", str(2**22)]
            done = subprocess.run(argv, env={**tachograph.env, **env}, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
        heads = [f"{method} {path} {headers}" for method, path, headers, _ in backend.requests]
        sent = b"".join(body for _, _, _, body in backend.requests)
        assert b"gen_ai.input.messages" in sent
        found[f"export {profile}"] = b"\n".join((sent, *map(str.encode, heads), done.stdout, done.stderr))
    return found


def everything_on_pages(store: Path) -> dict[str, bytes]:
    """The page of each run, and the bodies that are packed in it."""
    found = {}
    for run in (path.parent for path in store.glob("*/trace.jsonl")):
        page = read_page(run)
        found[f"page {run.name}"] = render_page(page.document, page.bodies)
        found[f"page {run.name}, document"] = json.dumps(page.document, ensure_ascii=False).encode()
        found[f"page {run.name}, bodies"] = gzip.decompress(base64.b64decode(page.bodies["data"]))
    return found


def test_no_planted_secret_is_found(tachograph: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In no file, snapshot, body or log of the store, nothing printed, exported or on a page; and every place was reached."""
    planted = {place: Planted(place, secret, f"mark-{word(10)}") for place, secret in make_secrets().items()}
    planted["run key"] = Planted("run key", "", f"mark-{word(10)}")
    make_task(tmp_path / "task", planted)
    outside = tmp_path / "outside.json"
    outside.write_text(json.dumps({place: planted[place].text for place in ONLY_PRESENTED}))
    (tmp_path / "rules.toml").write_text(RULE)
    env = {variable: planted[place].secret for place, variable in KNOWN.items()}
    common = ["--upstreams", "upstreams.toml", "--store", "runs", "--redact-rules", "rules.toml"]
    argument = planted["argument of the agent"].text
    with upstreams(planted, tmp_path / "upstreams.toml"):
        command = ["env", f"KEY_FILE={tmp_path / 'run-key'}", f"OUTSIDE={outside}", sys.executable, AGENT, argument]
        run = tachograph("run", "--task", "task", "--model", "m", *common, "--json", "--", *command, **env)
        assert run.stdout, run.stderr
        assert json.loads(run.stdout)["agent_exit_code"] == 0, run.stderr
        found = {"run": (run.stdout + run.stderr).encode()}
        found["serve"] = served(tachograph, tmp_path, common, env)
    found |= everything_printed(tachograph, tmp_path / "runs", env)
    found |= everything_exported(tachograph, tmp_path / "runs", env)
    found |= everything_on_pages(tmp_path / "runs")
    found |= everything_in(tmp_path / "runs")
    planted["run key"] = Planted("run key", (tmp_path / "run-key").read_text(), planted["run key"].mark)
    planted["agent's own key"] = Planted("agent's own key", OWN_KEY, planted["body"].mark)
    assert all(verify(path.parent).state == "sealed" for path in (tmp_path / "runs").glob("*/trace.jsonl"))
    text = b"\n".join(found.values())
    unreached = [
        each.place for each in planted.values() if each.place not in MARKED_ELSEWHERE and each.mark.encode() not in text
    ]
    assert unreached == []
    leaks = [
        (each.place, form, where)
        for each in planted.values()
        for form in each.forms()
        for where, content in found.items()
        if form in content
    ]
    with capsys.disabled():
        exported = sum(len(content) for where, content in found.items() if where.startswith("export "))
        forms = sum(1 for each in planted.values() for _ in each.forms())
        print(  # noqa: T201  the figure is what the test is for
            f"\n{len(planted)} secrets planted, {forms} forms looked for in {len(text):,} bytes of {len(found)} files, bodies "
            f"and outputs, {exported:,} of them exported: {len(leaks)} found"
        )
    assert leaks == []


OWN_KEY = "own-" + word(40)


def served(tachograph: Any, place: Path, common: list[str], env: Mapping[str, str]) -> bytes:
    """What `serve` logs while the same agent works through it with a key of its own."""
    shutil.copytree(place / "task" / "workdir", place / "elsewhere")
    process = tachograph.start("serve", *common, "--port", "0", **env)
    try:
        url = process.stdout.readline().split("recording ")[1].split("/v1")[0] + "/r/served/v1"
        own = {
            **tachograph.env,
            "OPENAI_BASE_URL": url,
            "OPENAI_API_KEY": OWN_KEY,
            "OUTSIDE": str(place / "outside.json"),
        }
        agent = subprocess.run(
            [sys.executable, AGENT], cwd=place / "elsewhere", env=own, capture_output=True, check=False
        )
        assert agent.returncode == 0, agent.stderr
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert len(read_run(place / "runs" / "served").calls) > len(KNOWN)
    return bytes(out + err, "utf-8")
