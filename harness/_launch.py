"""One start of an agent: its command line, its environment, its HOME."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from ..traces import LaunchError, StoreError
from ._agent import Agent
from ._processes import find_program
from ._quiet_command import run_quietly

__all__ = ["Launch", "command_line", "environment", "prepare_home", "refuse_missing", "run_preparations"]

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_FILES: Final = "{files}"
_PASSED_ON: Final = ("PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What an agent gets of this process's environment. All else may hold a secret."""
_TOOLCHAINS: Final = {"RUSTUP_HOME": ".rustup", "PYENV_ROOT": ".pyenv", "RBENV_ROOT": ".rbenv", "NVM_DIR": ".nvm"}
"""Variables that say where toolchains are, with where they look below HOME otherwise: the agent's HOME is another one."""
_QUOTED: Final = frozenset({".json", ".toml", ".yaml", ".yml"})
"""Files in which a text in quotes is escaped as in JSON: what a placeholder stands for may hold quotes itself."""
_PREPARATION_SECONDS: Final = 120.0
"""What a command before the agent may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One start of an agent: what its placeholders stand for."""

    prompt: str
    model: str
    base_url: str
    """Ends in `/v1`."""
    key: str = field(repr=False)
    workdir: Path
    home: Path
    temporary: Path
    run_id: str

    def placeholders(self) -> dict[str, str]:
        """The values by the names that agents' texts use."""
        return {
            "prompt": self.prompt,
            "model": self.model,
            "base_url": self.base_url,
            "root_url": self.base_url.removesuffix("/v1"),
            "key": self.key,
            "workdir": str(self.workdir),
            "home": str(self.home),
        }


def command_line(agent: Agent, launch: Launch) -> Iterator[str]:
    """The agent's arguments. `{files}` becomes the files of the workdir that the prompt names."""
    values = launch.placeholders()
    for argument in agent.argv:
        if argument == _FILES:
            yield from _named_files(launch)
        else:
            yield _fill(argument, values)


def environment(agent: Agent, launch: Launch) -> dict[str, str]:
    """The agent's whole environment: an own HOME, and the endpoint and run key under every name that agents look at."""
    values = launch.placeholders()
    common = {
        "HOME": launch.home,
        "TMPDIR": launch.temporary,
        "XDG_CONFIG_HOME": launch.home / ".config",
        "XDG_DATA_HOME": launch.home / ".local/share",
        "XDG_CACHE_HOME": launch.home / ".cache",
        "XDG_STATE_HOME": launch.home / ".local/state",
        "TERM": "xterm-256color",
        "OPENAI_API_BASE": launch.base_url,
        "OPENAI_BASE_URL": launch.base_url,
        "OPENAI_API_KEY": launch.key,
        "OPENAI_MODEL": launch.model,
        "ANTHROPIC_BASE_URL": values["root_url"],
        "ANTHROPIC_API_KEY": launch.key,
        "LLM_BASE_URL": launch.base_url,
        "LLM_API_KEY": launch.key,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        # Python would take a stale .pyc for a file that was changed within a second to one of the same size.
        "PYTHONDONTWRITEBYTECODE": "1",
        "TACHOGRAPH_RUN_ID": launch.run_id,
    }
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    toolchains = {name: os.environ.get(name, str(Path.home() / below)) for name, below in _TOOLCHAINS.items()}
    passed_on.update({name: folder for name, folder in toolchains.items() if Path(folder).is_dir()})
    own = {name: _fill(value, values) for name, value in agent.env.items()}
    return {**passed_on, **{name: str(value) for name, value in common.items()}, **own}


def refuse_missing(agent: Agent, workdir: Path) -> None:
    """Refuse an agent that is not installed, before anything is recorded.

    Raises:
        LaunchError: its program cannot be found from the workdir, or by the PATH that it will get.
    """
    path = agent.env.get("PATH", os.environ.get("PATH", os.defpath))
    if "{" in agent.argv[0]:
        return
    try:
        find_program(agent.argv, workdir, {"PATH": path})
    except LaunchError as error:
        hint = f"; to install it: {agent.install}" if agent.install else ""
        raise LaunchError(f"{error}{hint}") from error


def prepare_home(agent: Agent, launch: Launch) -> None:
    """Write the agent's configuration files.

    Raises:
        StoreError: they cannot be written.
    """
    values = launch.placeholders()
    try:
        for name, text in agent.files.items():
            path = launch.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            own = _escaped(values) if path.suffix in _QUOTED else values
            path.write_text(_fill(text, own), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{launch.home}: cannot prepare the agent's HOME: {error.strerror}") from error


def _named_files(launch: Launch) -> Iterator[str]:
    for word in dict.fromkeys(re.findall(r"[\w./-]+\w", launch.prompt)):
        path = launch.workdir / word
        if path.is_file() and path.resolve().is_relative_to(launch.workdir.resolve()):
            yield word


async def run_preparations(agent: Agent, launch: Launch) -> None:
    """Run the commands that come before the agent.

    Raises:
        LaunchError: one of them cannot be started, or failed; the message has the end of its output.
    """
    values, env = launch.placeholders(), environment(agent, launch)
    for command in agent.prepare:
        argv = tuple(_fill(word, values) for word in command)
        outcome = await run_quietly(argv, launch.workdir, env, _PREPARATION_SECONDS)
        if not outcome.passed:
            raise LaunchError(f"{PurePosixPath(command[0]).name}, before {agent.name}, {outcome.failure}")


def _fill(text: str, values: Mapping[str, str]) -> str:
    """The text with the placeholders filled in that are known; other braces stay."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def _escaped(values: Mapping[str, str]) -> dict[str, str]:
    return {name: json.dumps(value, ensure_ascii=False)[1:-1] for name, value in values.items()}
