"""What is known of agents, and what becomes of it when one is started."""

import json
import os
import re
import stat
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tachograph.harness._agent import agent_names, command_agent, load_agent
from tachograph.harness._assignment import Assignment
from tachograph.harness._launch import Launch, command_line, environment, prepare_home
from tachograph.harness._task import load_task
from tachograph.traces import InputError, read_run

ROOT = Path(__file__).parents[2]
PYTHON_TASK = ROOT / "examples" / "tasks" / "mutations" / "python-error-negated"
NASTY = 'a "quoted" \\ name: {model}'
TWELVE = {
    *("aider", "claude-code", "cline", "codex", "continue", "gptme", "mini-swe-agent", "mistral-vibe", "opencode"),
    *("openhands", "pi", "qwen-code"),
}
READERS: dict[str, Callable[[str], Any]] = {
    ".json": json.loads,
    ".toml": tomllib.loads,
    ".yaml": yaml.safe_load,
    ".yml": yaml.safe_load,
}


def launch(tmp_path: Path, model: str = "rule-model") -> Launch:
    folders = {name: tmp_path / name for name in ("workdir", "home", "temporary")}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    return Launch(
        prompt="fix retry.py", model=model, base_url="http://127.0.0.1:1/r/x/v1", key="run-key", run_id="x", **folders
    )


def test_twelve_are_known() -> None:
    """By the names that people call them by."""
    assert set(agent_names()) == TWELVE


@pytest.mark.parametrize("name", sorted(TWELVE))
def test_an_adapter(tmp_path: Path, name: str) -> None:
    """Its texts have no placeholder that is not filled, its files are what their names say, and all of it is in its HOME."""
    agent, started = load_agent(name), launch(tmp_path)
    assert agent.name == name
    assert agent.api in ("chat_completions", "responses", "messages")
    assert agent.install
    prepare_home(agent, started)
    texts = [*command_line(agent, started), *environment(agent, started).values()]
    for path in (path for path in started.home.rglob("*") if path.is_file()):
        texts.append(path.read_text())
        READERS[path.suffix](path.read_text())
    assert not [
        text for text in texts if re.search(r"\{(prompt|model|base_url|root_url|key|workdir|home|files)\}", text)
    ]
    assert not list(started.workdir.iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"workdir", "home", "temporary"}
    points_at_the_run = [text for text in texts if "http://127.0.0.1:1/r/x" in text]
    assert points_at_the_run


@pytest.mark.parametrize("name", sorted(TWELVE - {"aider"}))
def test_a_name_with_quotes(tmp_path: Path, name: str) -> None:
    """What stands for a placeholder may hold anything: the files are still what they should be."""
    started = launch(tmp_path, NASTY)
    prepare_home(load_agent(name), started)
    for path in (path for path in started.home.rglob("*") if path.is_file()):
        assert NASTY in str(READERS[path.suffix](path.read_text())).replace("\\\\", "\\").replace("\\'", "'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "a"', "the key argv is missing"),
        ('name = "a"\nargv = []', "argv must be a list of texts, the first of which is a program, not []"),
        ('name = "a"\nargv = ["a"]\nurl = "b"', "unknown key url; known are name, api"),
        ('name = "a"\nargv = ["a"]\napi = "soap"', "api must be one of chat_completions, responses, messages"),
        ('name = "a"\nargv = ["a"]\nprepare = ["a"]', "prepare must be a list of commands, each a list of texts"),
        (
            'name = "a"\nargv = ["a"]\n[files]\n"../x" = ""',
            "files must be a table of texts by paths below the agent's HOME",
        ),
        ('name = "a"\nargv = ["a"]\n[env]\nA = 1', "env must be a table of texts"),
        ("name = ", "not TOML"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, text: str, message: str) -> None:
    """The message names the file, the key and what it should be."""
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(InputError) as error:
        load_agent(str(tmp_path / "mine.toml"))
    assert message in str(error.value)


def test_the_adapter_of_the_documentation(tmp_path: Path) -> None:
    """The one that docs/agents.md shows can be used as it stands."""
    (example,) = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs" / "agents.md").read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "mine.toml").write_text(example)
    agent, started = load_agent(str(tmp_path / "mine.toml")), launch(tmp_path)
    prepare_home(agent, started)
    written = json.loads((started.home / ".config" / "mine.json").read_text())
    assert written == {"base": started.base_url, "key": "run-key", "model": "rule-model"}
    assert agent.prepare == (("mine", "login", "--key", "{key}", "--url", "{base_url}"),)


AGENT = """
name = "mine"
prepare = [["sh", "-c", "echo signed in with $0 >> $HOME/log", "{key}"], ["sh", "-c", "PREPARE"]]
argv = ["sh", "-c", "cat $HOME/log; ls -A $HOME; setsid sleep 1000 & echo $! > pid"]
"""


def has_ended(pid: int) -> bool:
    """It is gone, or nobody has taken its exit status yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except OSError:
        return True


def test_what_comes_before_it_and_what_it_leaves(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """Its preparations run in its HOME, with the run key; what it detaches is ended with it."""
    (tmp_path / "mine.toml").write_text(AGENT.replace("PREPARE", "true"))
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", PYTHON_TASK, "--agent", "./mine.toml", "--upstream", upstream.url, "--model", "m", "--json"]
    done = tachograph("run", *options, "--keep", "place")
    folder = tmp_path / "runs" / json.loads(done.stdout)["run_id"]
    said = "".join(json.loads(line)[2] for line in (folder / "terminal.cast").read_text().splitlines()[1:])
    assert "signed in with [masked run-key]" in said
    pid = int((tmp_path / "place" / "1" / "workdir" / "pid").read_text())
    assert has_ended(pid)


def test_a_preparation_that_fails(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """The agent is not started; what the command said is told, and the run is recorded as failed."""
    (tmp_path / "mine.toml").write_text(AGENT.replace("PREPARE", "echo wrong key; exit 3"))
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", PYTHON_TASK, "--agent", "./mine.toml", "--upstream", upstream.url, "--model", "m"]
    done = tachograph("run", *options)
    assert done.returncode != 0
    assert "sh, before mine, failed with exit code 3: wrong key" in done.stderr
    assert "Traceback" not in done.stderr
    (journal,) = (tmp_path / "runs").glob("*/trace.jsonl")
    assert read_run(journal.parent).status == "failed"


def test_who_is_here(tachograph: Any, tmp_path: Path) -> None:
    """Installed ones with the version that they tell, in a HOME of their own; others with how to install them."""
    (tmp_path / "bin").mkdir()
    for name, line in (("pi", "echo pi 1.2.3; touch $HOME/seen"), ("codex", "exit 1")):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = f"{tmp_path / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
    done = tachograph("agents", "--json", PATH=path, HOME=str(tmp_path))
    known = {agent["name"]: agent for agent in json.loads(done.stdout)}
    assert set(known) == TWELVE
    assert (known["pi"]["version"], known["pi"]["path"]) == ("1.2.3", str(tmp_path / "bin" / "pi"))
    assert (known["codex"]["version"], known["codex"]["api"]) == (None, "responses")
    assert known["qwen-code"]["path"] is None
    assert not (tmp_path / "seen").exists()
    table = tachograph("agents", PATH=path).stdout.splitlines()
    assert table[0].split() == ["agent", "api", "installed"]
    assert "qwen-code       chat_completions  not installed: npm install -g @qwen-code/qwen-code" in table


def test_a_run_says_whether_a_name_starts_its_agent(tmp_path: Path) -> None:
    """A command that is called like an agent, and a file that describes one, are not started by `--agent NAME`."""
    (tmp_path / "aider.toml").write_text('name = "aider"\nargv = ["true"]\n')
    agents = [load_agent("aider"), load_agent(str(tmp_path / "aider.toml")), command_agent(["aider"])]
    said = [
        Assignment(task=load_task(PYTHON_TASK), agent=agent, model="m", sweep="s", attempt=1).attributes()
        for agent in agents
    ]
    assert [told["tachograph.agent.name"] for told in said] == ["aider"] * 3
    assert [told["tachograph.agent.adapter"] for told in said] == [True, False, False]
