"""What is known of an agent: how it is started, what it needs around it. An agent is data; see `agents/*.toml`."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from ..traces import InputError

__all__ = ["Agent", "agent_names", "command_agent", "load_agent"]

_APIS: Final = ("chat_completions", "responses", "messages")
_REQUIRED: Final = ("name", "argv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """How an agent is started. Texts may hold the placeholders that `Launch` fills in."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """More variables, beside those that every agent gets."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files to write below its HOME, by relative path."""
    prepare: tuple[tuple[str, ...], ...] = ()
    """Commands to run before it, in its HOME and environment, such as one that signs it in."""
    api: str | None = None
    """Which API it speaks: `chat_completions`, `responses` or `messages`; None if not known."""
    install: str | None = None
    """How people install it; None if not known."""
    version: tuple[str, ...] | None = None
    """The command that prints its version; None if there is none."""
    housekeeping: tuple[str, ...] = ()
    """Globs of the files that it keeps for itself in every workdir."""
    is_known_by_name: bool = False
    """Whether its name is enough to start it."""


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
    return replace(_agent(str(path), given), is_known_by_name=not name.endswith(".toml"))


def command_agent(argv: list[str]) -> Agent:
    """An agent that is known by nothing but its command line."""
    return Agent(name=Path(argv[0]).name, argv=tuple(argv))


def _folder() -> Traversable:
    return files("tachograph.harness") / "agents"


def _adapters() -> Iterator[Traversable]:
    return _folder().iterdir()


def _agent(where: str, given: dict[str, Any]) -> Agent:
    if unknown := [key for key in given if key not in _KEYS]:
        raise InputError(f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(_KEYS)}")
    if missing := [key for key in _REQUIRED if key not in given]:
        raise InputError(f"{where}: the key {', '.join(missing)} is missing")
    members = {}
    for key, value in given.items():
        try:
            members[key] = _KEYS[key](value)
        except _WrongValueError as error:
            raise InputError(f"{where}: {key} must be {error}, not {value!r}") from None
    return Agent(**members)


class _WrongValueError(Exception):
    """The message says what the value must be."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _WrongValueError("text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _WrongValueError("a list of texts")
    return tuple(value)


def _command(value: Any) -> tuple[str, ...]:
    if not (words := _texts(value)):
        raise _WrongValueError("a list of texts, the first of which is a program")
    return words


def _commands(value: Any) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list) or not all(isinstance(item, list) for item in value):
        raise _WrongValueError("a list of commands, each a list of texts")
    return tuple(map(_command, value))


def _table(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise _WrongValueError("a table of texts")
    return value


def _files(value: Any) -> dict[str, str]:
    if any(Path(name).is_absolute() or ".." in Path(name).parts for name in _table(value)):
        raise _WrongValueError("a table of texts by paths below the agent's HOME")
    return _table(value)


def _api(value: Any) -> str:
    if value not in _APIS:
        raise _WrongValueError(f"one of {', '.join(_APIS)}")
    return _text(value)


_KEYS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name": _text,
    "api": _api,
    "install": _text,
    "version": _command,
    "prepare": _commands,
    "argv": _command,
    "env": _table,
    "files": _files,
    "housekeeping": _texts,
}
"""Each key with the reader of its value."""
