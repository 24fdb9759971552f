"""Edits that stand in text: patches, aider's SEARCH/REPLACE blocks, whole files in fences, tags, commands in fences."""

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["patched_paths", "text_commands", "text_paths"]

_PATCHED: Final = re.compile(
    r"^(?:\*\*\* (?:(?:Add|Update|Delete) File|Move to): (?P<codex>[^\n]+)"
    r"|(?:\+\+\+|---) (?P<unified>[^\t\n]+)[^\n]*|rename (?:from|to) (?P<renamed>[^\n]+)"
    r"|diff --git a/(?P<git>[^\n]+) b/)",
    re.MULTILINE,
)
_SEARCH: Final = re.compile(r"^<{5,9} SEARCH\b", re.MULTILINE)
_FENCE: Final = re.compile(r"^ {0,3}(?P<marks>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*)$", re.MULTILINE)
_SHELL_INFO: Final = re.compile(r"(?:bash|sh|shell|zsh|[\w-]*_bash_command)\b")
_FILE_INFO: Final = re.compile(r"(?:save|append|patch|write|create|edit)\s+(.+)")
_PATH: Final = re.compile(r"[^\s<>|\"'*?:;,(){}=]*[./][^\s<>|\"'*?:;,(){}=]*")
_DECORATION: Final = "*#`\"' \t:"
_EDIT_TAG: Final = re.compile(
    "<(write_to_file|replace_in_file|apply_diff|insert_content|search_and_replace|edit_file|create_file|delete_file)>"
)
_COMMAND_TAG: Final = re.compile("<(execute_command|execute_bash|run_command)>")
_PATH_TAG: Final = re.compile("<(path|file_path|filename|target_file)>")
_INNER_TAG: Final = re.compile("<(command)>")


def patched_paths(text: str) -> list[str]:
    """The files that a patch in a text names: in codex's form, as a unified diff, as git's."""
    if "***" not in text and "---" not in text and "diff --git " not in text:
        return []
    paths = []
    for found in _PATCHED.finditer(text):
        path = next(filter(None, found.groups())).strip()
        if found["unified"]:
            path = path.removeprefix("a/").removeprefix("b/")
        if path != "/dev/null":
            paths.append(path)
    return list(dict.fromkeys(paths))


def text_commands(text: str) -> list[str]:
    """The commands that an answer's text holds for its agent to run, in fences or tags."""
    fenced = [content for info, _, content in _fences(text) if _SHELL_INFO.match(info)]
    tagged = [next(_tagged(content, _INNER_TAG), content) for content in _tagged(text, _COMMAND_TAG)]
    return [*fenced, *tagged]


def text_paths(text: str) -> list[str]:
    """The files that an answer's text holds edits of."""
    paths: list[str | None] = [*patched_paths(text)]
    paths += [path.strip() for content in _tagged(text, _EDIT_TAG) for path in _tagged(content, _PATH_TAG)]
    paths += [_path_above(text, found.start()) for found in _SEARCH.finditer(text)]
    paths += [_file_of(*fence) for fence in _fences(text)]
    return list(dict.fromkeys(filter(None, paths)))


def _file_of(info: str, line_before: str, content: str) -> str | None:
    """The file that a fence holds the whole of, by its first line (```` ```python a.py ````) or the line before."""
    if _SHELL_INFO.match(info) or _SEARCH.search(content):
        return None
    named = _FILE_INFO.match(info)
    return named[1].strip() if named else _path_in(info.partition(" ")[2]) or _path_in(line_before)


def _fences(text: str) -> Iterator[tuple[str, str, str]]:
    """Of each fence its info string, the line before it, and what it holds."""
    position = 0
    while opening := _FENCE.search(text, position):
        closing = re.compile(rf"^ {{0,3}}{opening['marks']}+[ \t]*$", re.MULTILINE).search(text, opening.end())
        end = closing.start() if closing else len(text)
        yield opening["info"].strip(), _line_before(text, opening.start()), text[opening.end() + 1 : end]
        position = closing.end() if closing else len(text)


def _tagged(text: str, tag: re.Pattern[str]) -> Iterator[str]:
    """What stands in the tags of some names. A tag that is never closed holds nothing."""
    unclosed = set()
    for found in tag.finditer(text):
        if found[1] not in unclosed:
            end = text.find(f"</{found[1]}>", found.end())
            if end < 0:
                unclosed.add(found[1])
            else:
                yield text[found.end() : end]


def _line_before(text: str, position: int) -> str:
    start = text.rfind("\n", 0, max(0, position - 1)) + 1
    return text[start : max(0, position - 1)]


def _path_above(text: str, position: int) -> str | None:
    """The path on the line above, or above the fence that begins there."""
    line = _line_before(text, position)
    if _FENCE.match(line):
        line = _line_before(text, position - len(line) - 1)
    return _path_in(line)


def _path_in(line: str) -> str | None:
    """The line, if it is nothing but a path."""
    bare = line.strip(_DECORATION)
    return bare if _PATH.fullmatch(bare) else None
