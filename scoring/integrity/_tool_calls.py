"""What a run's tool calls ask for: commands, as lists of words, and texts such as paths and addresses."""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from .._record import RunRecord
from ..transcript import ToolInvocation, Turn

__all__ = ["AskedCall", "asked_calls", "commands", "turns_in_time"]

_COMMANDS: Final = frozenset({"command", "commands", "cmd", "cmds", "script", "keystrokes", "argv", "code"})
"""Members of arguments that hold commands of a shell, whatever the tool is called."""
_DOCUMENT: Final = re.compile(r"<<-?[ \t]*(['\"]?)([A-Za-z_]\w*)\1[^\n]*\n.*?\n[ \t]*\2(?=\n|$)", re.DOTALL)
_BETWEEN: Final = re.compile(r"[();<>|&\n{}]+")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=")
_PREFIXES: Final = frozenset({"sudo", "env", "time", "nohup", "command", "exec", "then", "do", "else", "!", "xargs"})
_SHELLS: Final = frozenset({"bash", "sh", "zsh", "dash"})
_DEEPEST: Final = 4


@dataclass(frozen=True)
class AskedCall:
    """One tool call, with where it stands."""

    place: tuple[int, int]
    """Of the turn in the order of time, and of the call in its answers."""
    span: str
    """Span id of the call whose answer asks for it."""
    tool: ToolInvocation
    scripts: tuple[str, ...]
    """The commands of a shell in its arguments."""
    texts: tuple[str, ...]
    """All texts in its arguments, at any depth; the arguments as they are if they are no JSON."""

    @cached_property
    def commands(self) -> tuple[list[str], ...]:
        """The simple commands of its scripts, each as its words; see `commands`."""
        return tuple(words for script in self.scripts for words in commands(script))


def turns_in_time(record: RunRecord) -> list[Turn]:
    """The turns in the order in which their calls began."""
    return sorted(
        record.transcript, key=lambda turn: (turn.call.timing.start_ns, turn.call.sequence or 0, turn.call.span_id)
    )


def asked_calls(turns: Iterable[Turn]) -> Iterator[AskedCall]:
    """All tool calls of the answers, in the order of the turns; none of half an answer that was asked for again."""
    for number, turn in enumerate(turns):
        if turn.repeated:
            continue
        tools = [tool for answer in turn.answers or () for tool in answer.tool_calls]
        for position, tool in enumerate(tools):
            members = list(_members(tool.parsed)) or [("", tool.arguments)]
            scripts = tuple(text for name, text in members if name in _COMMANDS)
            yield AskedCall((number, position), turn.call.span_id, tool, scripts, tuple(text for _, text in members))


def commands(script: str, depth: int = 0) -> Iterator[list[str]]:
    """The simple commands of a shell script, each as its words, without what stands before the program's name.

    What here-documents hold is left out. A line that cannot be split is passed over.
    """
    for split in _split(_DOCUMENT.sub(" ", script.replace("\\\n", " "))):
        words = _from_program(split)
        if words and words[0] in _SHELLS and depth < _DEEPEST and (inner := _inner(words)) is not None:
            yield from commands(inner, depth + 1)
        elif words:
            yield words


def _from_program(words: list[str]) -> list[str]:
    """The words from the program's name on, which stands without its folder; empty if there is none."""
    start = 0
    while start < len(words) and (words[start] in _PREFIXES or _ASSIGNMENT.match(words[start])):
        start += 1
    if words[start : start + 1] == ["timeout"]:
        start += 2
    return [word.rpartition("/")[2] if not place else word for place, word in enumerate(words[start:])]


def _inner(words: list[str]) -> str | None:
    """The script in `sh -c SCRIPT`; None of other uses of a shell."""
    option = next((place for place, word in enumerate(words) if re.fullmatch("-[a-z]*c", word)), None)
    return None if option is None else "".join(words[option + 1 : option + 2])


def _split(script: str) -> Iterator[list[str]]:
    try:
        tokens = _tokens(script)
    except ValueError:
        tokens = []
        for line in script.split("\n"):
            try:
                tokens += [*_tokens(line), "\n"]
            except ValueError:
                continue
    words: list[str] = []
    for token in tokens:
        if _BETWEEN.fullmatch(token):
            yield words
            words = []
        else:
            words.append(token)
    yield words


def _tokens(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def _members(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _members(member, key.lower())
    elif isinstance(value, list):
        if value and name in _COMMANDS and name != "commands" and all(isinstance(word, str) for word in value):
            yield name, shlex.join(value)
        else:
            for member in value:
                yield from _members(member, name)
