"""What an answer asks the agent to do to files: by tool calls, or in its text if the agent offers no tools."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ._shell_writes import shell_writes
from ._text_edits import patched_paths, text_commands, text_paths
from .transcript import ToolInvocation, Turn

__all__ = ["Deed", "deeds_of"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD: Final = re.compile(r"[a-z]+")
_NO_FILES: Final = _names(
    "todo todos todowrite todoread plan memory think thought ask question task agent skill web websearch webfetch"
)
"""Words in the names of tools that have files of the task in none of their meanings."""
_WRITES: Final = _names(
    "write edit create patch replace insert update apply append delete remove move rename save modify multiedit undo"
    " add copy"
)
_RUNS: Final = _names("bash shell exec execute run command commands terminal sh cmd powershell console process")
_SCRIPTS: Final = _names("python ipython jupyter code javascript node repl")
_READS: Final = _names(
    "read view cat list ls glob grep search find fetch get show open status tree browse diagnostics submit finish answer"
    " attempt complete"
)
"""By the words of a tool's name, looked for in this order."""
_PATHS: Final = _names(
    "path paths file files filepath filename filepaths targetfile targetpath target absolutepath relativepath notebookpath"
    " destination dest dst source src oldpath newpath from to uri relativeworkspacepath"
)
_COMMANDS: Final = _names("command commands cmd cmds script code keystrokes input argv")
_FOLDERS: Final = _names("workdir cwd workingdirectory directory")
"""Members of arguments, in lower case without `_` and `-`."""
_OPENED: Final = re.compile(
    r"open\(\s*[rbf]?['\"]([^'\"\n]+)['\"]\s*,\s*(?:mode\s*=\s*)?['\"][rb]*[wax+]"
    r"|Path\(\s*['\"]([^'\"\n]+)['\"]\s*\)\.(?:write_|unlink|touch|rename|mkdir)"
    r"|writeFile(?:Sync)?\(\s*['\"]([^'\"\n]+)['\"]"
)
_LONGEST_PATH: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing to be done that may change files."""

    tool: str | None
    """None: it stands in the answer's text."""
    call_id: str | None
    """Of the tool call."""
    paths: tuple[str, ...]
    """Files that it says it writes, moves or removes, as named there."""
    trees: tuple[str, ...] = ()
    """Those of them that, if they are folders, stand for all that these hold."""
    text: str = field(default="", repr=False)
    """Where other files that it changes may be mentioned."""
    git: bool = False
    """It changes the state of a git repository."""


def deeds_of(turn: Turn) -> list[Deed]:
    """What the answers of a call ask to be done, but for what only reads. Nothing, if it failed and was asked again."""
    found: list[Deed] = []
    for answer in () if turn.repeated else turn.answers or ():
        for call in answer.tool_calls:
            found += _deeds_of_call(call)
        if not turn.tools and not answer.tool_calls:
            found += _deeds_of_text(answer.text)
    return found


def _deeds_of_call(call: ToolInvocation) -> Iterator[Deed]:
    words = frozenset(_WORD.findall(_CAMEL.sub("_", call.name).lower()))
    arguments = call.parsed
    members = (
        list(_members(arguments)) if isinstance(arguments, dict) else [("input", str(arguments or call.arguments))]
    )
    if words & _NO_FILES or ("command", "view") in members:
        return
    named = [value for key, value in members if key in _PATHS and "\n" not in value and len(value) < _LONGEST_PATH]
    patched = [path for _, value in members for path in patched_paths(value)]
    if words & _WRITES:
        yield Deed(tool=call.name, call_id=call.id, paths=(*named, *patched))
    elif words & _RUNS:
        yield from _deeds_of_commands(_scripts(arguments, members), call.name, call.id)
    elif words & _SCRIPTS or not words & _READS:
        text = "\n".join(value for _, value in members)
        yield Deed(tool=call.name, call_id=call.id, paths=(*patched, *_opened(text)), text=text)


def _deeds_of_commands(scripts: list[str], tool: str | None, call_id: str | None) -> Iterator[Deed]:
    for script in scripts:
        writes = shell_writes(script)
        if writes.only_reads:
            continue
        yield Deed(
            tool=tool,
            call_id=call_id,
            paths=(*writes.paths, *patched_paths(writes.text), *_opened(writes.text)),
            trees=tuple(writes.trees),
            text=writes.text,
            git=writes.git,
        )


def _deeds_of_text(text: str) -> Iterator[Deed]:
    commands = text_commands(text)
    yield from _deeds_of_commands(commands, None, None)
    paths = tuple(text_paths(text))
    if paths or (not commands and "```" in text):
        yield Deed(tool=None, call_id=None, paths=paths)


def _members(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in parsed arguments, with the name of the member that holds it."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _members(member, name.lower().replace("_", "").replace("-", ""))
    elif isinstance(value, list):
        for member in value:
            yield from _members(member, key)


def _scripts(arguments: Any, members: list[tuple[str, str]]) -> list[str]:
    """The commands in the arguments of a tool that runs some, each in the folder that is told."""
    if not isinstance(arguments, dict):
        return [value for _, value in members]
    scripts = []
    for name, value in arguments.items():
        if (
            isinstance(value, list)
            and name in ("command", "cmd", "argv")
            and all(isinstance(word, str) for word in value)
        ):
            scripts.append(shlex.join(value))
        else:
            scripts += [text for key, text in _members(value, name.lower()) if key in _COMMANDS]
    folder = next((value for key, value in members if key in _FOLDERS), None)
    return [f"cd {shlex.quote(folder)}\n{script}" for script in scripts] if folder else scripts


def _opened(text: str) -> list[str]:
    return [next(filter(None, found.groups())) for found in _OPENED.finditer(text)]
