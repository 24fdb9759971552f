"""What the check is run on: the agent's workdir, where protected files are the task's, without what would change the check.

This says which paths that concerns. `build_fresh_copy` makes the copy.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from .._globs import path_matcher
from ._rules import RUNNERS, Rule, rules_of

__all__ = ["FreshCopyPlan", "Node", "SetAside", "plan_fresh_copy"]

_COPIED: Final = frozenset({"file", "directory", "symlink"})
_EXTENSIONS: Final = (".so", ".pyd")
"""Of modules that Python imports in the place of a `.py` beside them."""
_MOST_LINKS: Final = 40
"""On one path, as in Linux: more are a loop, which leads nowhere."""


class Node(Protocol):
    """What is known of one path: an `Entry` of a snapshot is one."""

    @property
    def type(self) -> str:
        """`file`, `directory`, `symlink`, or another kind, which is not copied."""

    @property
    def mode(self) -> int:
        """Permission bits."""

    @property
    def target(self) -> str | None:
        """Where a symbolic link leads, word for word."""

    @property
    def sha256(self) -> str | None:
        """Of a file's content."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """Something of the agent's that is left out of the copy."""

    path: str
    """Relative to the workdir. A folder stands for all in it."""
    rule: str
    """The name of the reason: see `explain_rule`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshCopyPlan:
    """How the copy differs from the agent's workdir."""

    set_aside: tuple[SetAside, ...]
    from_task: tuple[str, ...]
    """Files and links that the task protects: the copy has the task's, whether the agent changed them or not."""
    restored: tuple[str, ...]
    """Those of them that the agent had edited, replaced or removed."""


def plan_fresh_copy(
    task: Mapping[str, Node],
    agent: Mapping[str, Node],
    *,
    protected: Sequence[str],
    expected: Sequence[str] = (),
    report: str | None = None,
    root: str = "",
    read: Callable[[str], bytes | None] = lambda _: None,
) -> FreshCopyPlan:
    """Say what the fresh copy takes from the task, and what it leaves out of the agent's workdir.

    Args:
        task: the task's workdir, as it was before the agent began, by relative path.
        agent: the workdir as the agent left it.
        protected: globs of the files that must stay as they are.
        expected: globs of the files that the task asks to change. A file that one of them names word for word is the agent's
            to write, whatever it is called; tests are, if one of them matches.
        report: where the check writes its report; an older one must not be found there.
        root: the absolute path of the agent's workdir: links to it lead inside.
        read: gives the content of a file of the agent's; None if it is not at hand: it counts as what it might be.
    """
    return _Planner(
        task=task,
        agent=agent,
        is_protected=path_matcher(protected),
        is_expected=path_matcher(expected),
        named=frozenset(above for path in expected for above in (path, *_above(path))),
        report=report,
        root=root,
        read=read,
    ).plan()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planner:
    task: Mapping[str, Node]
    agent: Mapping[str, Node]
    is_protected: Callable[[str], bool]
    is_expected: Callable[[str], bool]
    named: frozenset[str]
    """What is expected word for word, and the folders above it."""
    report: str | None
    root: str
    read: Callable[[str], bytes | None]

    def plan(self) -> FreshCopyPlan:
        from_task = tuple(path for path in sorted(self.task) if self._is_tasks(path))
        return FreshCopyPlan(
            set_aside=tuple(self._set_aside(frozenset(from_task))),
            from_task=from_task,
            restored=tuple(path for path in from_task if not _same(self.task[path], self.agent.get(path))),
        )

    def _is_tasks(self, path: str) -> bool:
        """Whether the task's version of this path counts, and no other."""
        if self.task[path].type not in ("file", "symlink") or path == self.report:
            return False
        always = (rule for rule in rules_of(path) if rule.always)
        return self.is_protected(path) or any(self._stands_beside(rule, path) for rule in always)

    def _set_aside(self, from_task: frozenset[str]) -> Iterator[SetAside]:
        folders = frozenset(folder for path in from_task for folder in _above(path))
        shadows = _Shadows(from_task, self.task)
        left_out = ""
        for path in sorted(self.agent, key=lambda path: path.split("/")):
            if left_out and path.startswith(left_out):
                continue
            rule = self._reason(path, from_task, folders, shadows)
            if rule is not None:
                yield SetAside(path, rule)
                left_out = path + "/"

    def _reason(self, path: str, from_task: frozenset[str], folders: frozenset[str], shadows: "_Shadows") -> str | None:
        """The rule by which a path of the agent's is left out, with all below it; None if it is not."""
        node = self.agent[path]
        if node.type not in _COPIED:
            return "special-file"
        if (path in from_task and node.type == "directory") or (path in folders and node.type != "directory"):
            return "in-the-way"
        if path in from_task or path in folders:
            return None
        if path == self.report:
            return "report"
        if node.type != "directory" and self.is_protected(path):
            return "protected"
        if node.type == "symlink" and not _same(node, self.task.get(path)) and self._leads_out(path):
            return "link-outside"
        return None if path in self.named else self._shim(path, node) or shadows.reason(path, self.agent)

    def _shim(self, path: str, node: Node) -> str | None:
        return next((rule.name for rule in rules_of(path) if self._holds(rule, path, node)), None)

    def _holds(self, rule: Rule, path: str, node: Node) -> bool:
        if path in self.task and not rule.always:
            return False
        if (rule.unless_expected and self.is_expected(path)) or not self._stands_beside(rule, path):
            return False
        if rule.holds is None:
            return True
        content = self.read(path) if node.type == "file" else None
        return node.type != "directory" and (content is None or rule.holds(content))

    def _stands_beside(self, rule: Rule, path: str) -> bool:
        """Whether the file is there that must stand beside the path, or beside a folder above it, for the rule to hold."""
        if rule.beside is None:
            return True
        names = [glob.rpartition("/")[2] for glob in rule.globs]
        tops = [above for above in (path, *_above(path)) if above.rpartition("/")[2] in names]
        besides = [f"{top.rpartition('/')[0]}/{rule.beside}".lstrip("/") for top in tops]
        return any(beside in self.agent or beside in self.task for beside in besides)

    def _leads_out(self, path: str) -> bool:
        """Whether a link of the agent's leads out of the workdir, by itself or by other links on its way."""
        here = path.split("/")[:-1]
        ahead = self._steps(self.agent[path].target or "", here)
        followed = 1
        while ahead:
            step = ahead.pop()
            if step == "..":
                if not here:
                    return True
                here.pop()
                continue
            here.append(step)
            node = self.agent.get("/".join(here))
            if node is not None and node.type == "symlink" and followed < _MOST_LINKS:
                followed += 1
                here.pop()
                ahead += self._steps(node.target or "", here)
        return False

    def _steps(self, target: str, here: list[str]) -> list[str]:
        """The names on the way to a target, the first one last; an absolute target begins at the root."""
        if target.startswith("/"):
            inside = target == self.root or target.startswith(f"{self.root}/")
            target = target[len(self.root) :] if self.root and inside else f"../{target}"
            here.clear()
        return [step for step in reversed(target.split("/")) if step not in ("", ".")]


class _Shadows:
    """Modules that Python would import in the place of a protected file, or of what runs it."""

    def __init__(self, from_task: frozenset[str], task: Mapping[str, Node]) -> None:
        self._modules = {path.removesuffix(".py") for path in from_task if path.endswith(".py")}
        self._folders = {""}.union(*(_above(path) for path in from_task if path.endswith(".py")))
        self._task = task

    def reason(self, path: str, agent: Mapping[str, Node]) -> str | None:
        """The rule for a path that the task does not have; None if it shadows nothing."""
        if path in self._task:
            return None
        folder, _, file = path.rpartition("/")
        name, dot, _ = file.partition(".")
        is_package = not dot and any(f"{path}/__init__{end}" in agent for end in (".py", ".pyc"))
        is_extension = file.endswith(_EXTENSIONS)
        if (is_package or is_extension) and path.removesuffix(file) + name in self._modules:
            return "shadows-protected"
        is_module = is_package or is_extension or file == f"{name}.py"
        return "shadows-runner" if is_module and folder in self._folders and name in RUNNERS else None


def _above(path: str) -> list[str]:
    """The folders above a path, without the root."""
    names = path.split("/")
    return ["/".join(names[:count]) for count in range(1, len(names))]


def _same(one: Node, other: Node | None) -> bool:
    """Whether two nodes are the same file, or the same link."""
    if other is None or one.type != other.type:
        return False
    if one.type == "symlink":
        return one.target == other.target
    return one.sha256 is not None and (one.sha256, one.mode & 0o111) == (other.sha256, other.mode & 0o111)
