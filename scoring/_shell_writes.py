"""Which files a shell command writes, moves or removes, as far as its words say. Read, never run."""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

__all__ = ["ShellWrites", "shell_writes"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DOCUMENT: Final = re.compile(r"<<-?[ \t]*(['\"]?)([A-Za-z_]\w*)\1")
_CONTENT_ONLY: Final = re.compile(r"\s*(?:sudo\s+)?(?:cat|tee)\b")
"""Of a here-document that is written to a file as it is: what it mentions is not touched."""
_TOKEN: Final = re.compile(
    r"(?P<skip>[ \t\r]+|\\\n|\d*>&(?:\d+|-)|(?<![^\s;&|()])#[^\n]*)"
    r"|(?P<write>(?:\d+|&)?>>?\|?)|(?P<read><<<?-?|<)|(?P<end>&&|\|\||;;|[;|&\n(){}])"
    r"|(?P<word>(?:[^\s;&|<>()'\"\\]|\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\")+)|(?P<other>.)",
    re.DOTALL,
)
_QUOTED: Final = re.compile(r"'([^']*)'|\"((?:[^\"\\]|\\.)*)\"|\\(.)", re.DOTALL)
_SINGLE_QUOTED: Final = re.compile(r"'[^']*'")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=")
_IN_PLACE: Final = re.compile(r"-[a-zA-Z]*i|--in-place")
_PREFIXES: Final = _names("sudo env time nohup command exec builtin then do else ! nice stdbuf xargs timeout")
_SHELLS: Final = _names("bash sh zsh dash ash ksh")
_READERS: Final = _names(
    "cat head tail less more ls dir tree find grep egrep fgrep rg ag ack wc pwd echo printf which type whereis file stat du df"
    " printenv date whoami id uname sort uniq cut tr diff cmp comm awk gawk jq yq nl od xxd hexdump md5sum sha256sum basename"
    " dirname realpath readlink true false test [ [[ sleep ps top popd export set unset if fi for in while done case esac read"
    " exit return wait strings column seq shopt source ."
)
"""Commands that write nothing but where their output is sent."""
_GIT_READERS: Final = _names(
    "status diff log show blame grep ls-files ls-tree rev-parse describe cat-file shortlog reflog rev-list whatchanged version"
    " help remote name-rev merge-base check-ignore for-each-ref symbolic-ref show-ref"
)
_GIT_PATHS: Final = _names("mv rm checkout restore clean")
_DEEPEST: Final = 4
"""Shells within shells."""

Word = str | None
"""None: what the shell puts there is not known."""


@dataclass(slots=True, kw_only=True)
class ShellWrites:
    """What a command says that it writes."""

    paths: list[str] = field(default_factory=list)
    """As named, relative to where the command starts unless absolute; may hold `*`, `?` and `[…]`."""
    trees: list[str] = field(default_factory=list)
    """Those of them that, if they are folders, stand for all that these hold."""
    git: bool = False
    """It changes the state of a git repository."""
    only_reads: bool = True
    """Nothing in it writes, as far as is known."""
    text: str = ""
    """The command, without what it only writes to a file."""


def shell_writes(command: str) -> ShellWrites:
    """What a command line or a script says that it writes. What is not understood is passed over."""
    found = ShellWrites()
    _Shell(found, depth=0).run(command)
    return found


class _Shell:
    """Follows the commands of a script, and the folder that they are in."""

    def __init__(self, found: ShellWrites, folder: str = "", *, depth: int) -> None:
        self._found = found
        self._folder = folder
        self._depth = depth

    def run(self, script: str) -> None:
        script, documents = _split_documents(script)
        self._found.text += "\n".join((script, *documents, ""))
        for words, targets in _commands(script):
            for target in targets:
                self._found.only_reads &= target is not None and target.startswith("/dev/")
                self._write([target])
            self._take(words)

    def _take(self, words: list[Word]) -> None:
        while words and (words[0] in _PREFIXES or _ASSIGNMENT.match(words[0] or "")):
            takes_options = words.pop(0) in ("xargs", "timeout", "nice", "stdbuf", "sudo", "env")
            while takes_options and words and (words[0] or "-")[0] in "-0123456789":
                words.pop(0)
        if not words:
            return
        name, arguments = posixpath.basename(words[0] or ""), words[1:]
        if name in ("cd", "pushd"):
            self._folder = self._place(next(iter(_operands(arguments)), ""))
        elif name in _SHELLS and self._depth < _DEEPEST:
            self._run_inner(arguments)
        elif name == "git":
            self._take_git(arguments)
        elif name in _WRITERS:
            paths = _WRITERS[name](arguments)
            self._found.only_reads &= paths is None
            self._write(paths or [], is_tree=name in _TREES)
        elif name not in _READERS or not {"-delete", "-exec", "-execdir", "-o"}.isdisjoint(arguments):
            self._found.only_reads = False

    def _run_inner(self, arguments: list[Word]) -> None:
        options = [at for at, word in enumerate(arguments) if word and word.startswith("-") and word.endswith("c")]
        script = arguments[options[0] + 1] if options and options[0] + 1 < len(arguments) else None
        if script is None:
            self._found.only_reads = False
        else:
            _Shell(self._found, self._folder, depth=self._depth + 1).run(script)

    def _take_git(self, arguments: list[Word]) -> None:
        while arguments and arguments[0] in ("-C", "-c"):
            arguments = arguments[2:]
        operands = _operands(arguments)
        if not operands or operands[0] in _GIT_READERS:
            return
        self._found.git, self._found.only_reads = True, False
        if operands[0] in _GIT_PATHS:
            self._write(operands[1:], is_tree=True)

    def _write(self, paths: list[Word] | list[str], *, is_tree: bool = False) -> None:
        named = [self._place(path) for path in paths if path and not path.startswith("/dev/")]
        self._found.paths += named
        if is_tree:
            self._found.trees += named

    def _place(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self._folder, path)) if path else self._folder


def _split_documents(script: str) -> tuple[str, list[str]]:
    """The script without its here-documents, and those of them that may say what is written."""
    if "<<" not in script:
        return script, []
    lines, documents = [], []
    waiting = iter(script.split("\n"))
    for line in waiting:
        lines.append(line)
        for found in _DOCUMENT.finditer(line):
            document = []
            for content in waiting:
                if content.strip() == found[2]:
                    break
                document.append(content)
            if not _CONTENT_ONLY.match(line):
                documents.append("\n".join(document))
    return "\n".join(lines), documents


def _commands(script: str) -> Iterator[tuple[list[Word], list[Word]]]:
    """The words of each simple command, and where it sends its output."""
    words: list[Word] = []
    targets: list[Word] = []
    place: list[Word] = words
    for token in _TOKEN.finditer(script):
        if token.lastgroup == "word":
            place.append(_unquoted(token[0]))
            place = words
        elif token.lastgroup == "write":
            place = targets
        elif token.lastgroup == "read":
            place = []
        elif token.lastgroup == "end":
            yield words, targets
            words, targets = [], []
            place = words
    yield words, targets


def _unquoted(word: str) -> Word:
    if "$" in word or "`" in word:
        bare = _SINGLE_QUOTED.sub("", word)
        if "$" in bare or "`" in bare:
            return None
    return _QUOTED.sub(lambda part: part[1] or part[2] or part[3] or "", word)


def _operands(arguments: list[Word]) -> list[str]:
    return [word for word in arguments if word and not word.startswith("-")]


def _all_but_first(arguments: list[Word]) -> list[str]:
    return _operands(arguments)[1:]


def _copied(arguments: list[Word]) -> list[str]:
    """The destination, and what is there afterwards if it is a folder."""
    *sources, destination = _operands(arguments) or [""]
    return [destination, *(posixpath.join(destination, posixpath.basename(source)) for source in sources)]


def _moved(arguments: list[Word]) -> list[str]:
    return [*_operands(arguments)[:-1], *_copied(arguments)]


def _edited(arguments: list[Word]) -> list[str] | None:
    """The files of `sed -i`; None if it only reads."""
    options = [word for word in arguments if word and word.startswith("-")]
    if not any(map(_IN_PLACE.match, options)):
        return None
    scripts = sum(option in ("-e", "-f", "-pe", "-ne") or option.endswith("ie") for option in options)
    is_elsewhere = any(option.startswith(("--expression", "--file")) for option in options)
    return _operands(arguments)[0 if is_elsewhere else max(1, scripts) :]


def _output(arguments: list[Word]) -> list[str]:
    """What follows `-o` or `-O`, or `of=`."""
    following = dict(pairwise(arguments))
    named = [following.get(option) for option in ("-o", "-O", "--output")]
    named += [word.removeprefix("of=") for word in arguments if word and word.startswith("of=")]
    return [word for word in named if word]


_WRITERS: Final[Mapping[str, Callable[[list[Word]], list[str] | None]]] = {
    **dict.fromkeys(("tee", "touch", "truncate", "mkdir", "rmdir", "rm", "unlink", "shred", "patch"), _operands),
    **dict.fromkeys(("chmod", "chown", "chgrp"), _all_but_first),
    **dict.fromkeys(("cp", "ln", "install", "rsync"), _copied),
    **dict.fromkeys(("curl", "wget", "dd"), _output),
    **dict.fromkeys(("sed", "gsed", "perl", "ruby"), _edited),
    "mv": _moved,
}
"""By command: the files that its arguments name to be written; None if it only reads."""
_TREES: Final = _names("rm mv cp rsync ln chmod chown chgrp")
