"""What is known of an agent: how it is started, what it needs around it. An agent is data; see `agents/*.toml`."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from ..traces import InputError, LaunchError, StoreError
from ._processes import find_program

__all__ = [
    "Agent",
    "Launch",
    "agent_names",
    "command_agent",
    "command_line",
    "environment",
    "load_agent",
    "prepare_home",
    "refuse_missing",
]

_KEYS: Final = {
    "name": str,
    "install": str,
    "version": list,
    "argv": list,
    "env": dict,
    "files": dict,
    "housekeeping": list,
}
_REQUIRED: Final = ("name", "argv")
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_FILES: Final = "{files}"
_PASSED_ON: Final = ("PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What an agent gets of this process's environment. All else may hold a secret."""


_TOOLCHAINS: Final = {"RUSTUP_HOME": ".rustup", "PYENV_ROOT": ".pyenv", "RBENV_ROOT": ".rbenv", "NVM_DIR": ".nvm"}
"""Variables that say where toolchains are, with where they look below HOME otherwise: the agent's HOME is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """How an agent is started. Texts may hold the placeholders that `Launch` fills in."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """More variables, beside those that every agent gets."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files to write below its HOME, by relative path."""
    install: str | None = None
    """How people install it; None if not known."""
    version: tuple[str, ...] | None = None
    """The command that prints its version; None if there is none."""
    housekeeping: tuple[str, ...] = ()
    """Globs of the files that it keeps for itself in every workdir."""


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


def agent_names() -> list[str]:
    """The agents that are known by name."""
    return sorted(entry.name.removesuffix(".toml") for entry in _adapters() if entry.name.endswith(".toml"))


def load_agent(name: str) -> Agent:
    """An agent by its name, or from a TOML file of the user's by its path.

    Raises:
        InputError: there is none, or the file is no description of an agent.
    """
    path: Traversable = Path(name) if name.endswith(".toml") else _folder() / f"{name}.toml"
    if "/" in name and not name.endswith(".toml"):
        raise InputError(f"agent {name!r}: must be a name or a .toml file")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        known = ", ".join(agent_names())
        raise InputError(
            f"there is no agent {name!r}; known are {known}; any other is started by: run … -- COMMAND"
        ) from None
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    return _agent(str(path), given)


def command_agent(argv: list[str]) -> Agent:
    """An agent that is known by nothing but its command line."""
    return Agent(name=Path(argv[0]).name, argv=tuple(argv))


def _fill(text: str, values: Mapping[str, str]) -> str:
    """The text with the placeholders filled in that are known; other braces stay."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


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
            path.write_text(_fill(text, values), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{launch.home}: cannot prepare the agent's HOME: {error.strerror}") from error


def _named_files(launch: Launch) -> Iterator[str]:
    for word in dict.fromkeys(re.findall(r"[\w./-]+\w", launch.prompt)):
        path = launch.workdir / word
        if path.is_file() and path.resolve().is_relative_to(launch.workdir.resolve()):
            yield word


def _folder() -> Traversable:
    return files("tachograph.harness") / "agents"


def _adapters() -> Iterator[Traversable]:
    return _folder().iterdir()


def _agent(where: str, given: dict[str, Any]) -> Agent:
    if unknown := [key for key in given if key not in _KEYS]:
        raise InputError(f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(_KEYS)}")
    if missing := [key for key in _REQUIRED if key not in given]:
        raise InputError(f"{where}: the key {', '.join(missing)} is missing")
    for key, kind in _KEYS.items():
        if key in given and not _has_kind(given[key], kind):
            raise InputError(f"{where}: {key} must be {_DESCRIBED[kind]}, not {given[key]!r}")
    return Agent(
        name=given["name"],
        argv=tuple(given["argv"]),
        env=given.get("env", {}),
        files=given.get("files", {}),
        install=given.get("install"),
        version=tuple(given["version"]) if "version" in given else None,
        housekeeping=tuple(given.get("housekeeping", ())),
    )


_DESCRIBED: Final = {str: "text", list: "a list of texts", dict: "a table of texts"}


def _has_kind(value: Any, kind: type) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,)
    return isinstance(value, kind) and all(isinstance(item, str) for item in items)
