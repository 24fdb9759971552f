"""Which call led to which change: what an answer names and when files changed, joined, and no more claimed than that."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring import AgentFacts, RunRecord, WorkdirDiff, diff, snapshot
from tachograph.scoring._causes import Link, link_changes
from tachograph.scoring.transcript import Message, ToolInvocation, Turn
from tachograph.traces import Call, CallRequest, Run, Timing, Usage

SECOND: Final = 10**9
BLOCK: Final = "<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n"
CODEX: Final = "*** Begin Patch\n*** Update File: src/a.py\n@@\n-x\n+y\n*** End Patch"


def tool(name: str, arguments: Any, call_id: str | None = None) -> Message:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return Message(role="assistant", tool_calls=(ToolInvocation(id=call_id, name=name, arguments=text),))


def text(words: str) -> Message:
    return Message(role="assistant", text=words)


def turn(number: int, *answers: Message, results: tuple[str, ...] = (), tools: tuple[str, ...] = ("some",)) -> Turn:
    """A call that begins at `number` seconds and is answered half a second later."""
    request = CallRequest(
        method="POST", path="/v1/chat/completions", query=None, server_address=None, server_port=None,
        api="chat_completions", provider=None, model=None, streamed=False, session_id=None, body_hash=None, bytes=None,
        sent_body_hash=None, sent_bytes=None, head=None,
    )  # fmt: skip
    call = Call(
        run_id="r", span_id=f"{number:016x}", sequence=number, attempt=1, outcome="completed", error_type=None,
        message=None, discarded=False, request=request, request_hash=None, response=None, usage=Usage(source="absent"),
        timing=Timing(start_ns=number * SECOND, end=SECOND // 2), bodies_lost=None,
    )  # fmt: skip
    added = tuple(Message(role="tool", text="ok", tool_call_id=call_id) for call_id in results)
    return Turn(call=call, added=added, answers=answers, tools=tools)


def retimed(changes: WorkdirDiff, moments: dict[str, float]) -> WorkdirDiff:
    """The same changes, at these seconds."""
    moved = []
    for change in changes.changes:
        after, moment = change.after, round(moments.get(change.path, 0) * SECOND)
        moved.append(replace(change, after=after and replace(after, mtime_ns=moment, ctime_ns=moment)))
    return replace(changes, changes=tuple(moved))


def record(changes: WorkdirDiff | None, *turns: Turn) -> RunRecord:
    run = Run(
        run_id="r", status="completed", live=False, sealed=True, start_ns=1, end_ns=2, attributes={},
        calls=tuple(turn.call for turn in turns), spans=(),
    )  # fmt: skip
    return RunRecord(run=run, changes=changes, transcript=turns, agent=AgentFacts(housekeeping=(".agent/**",)))


class Story:
    """A workdir in which things happen at given seconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("src/a.py", "gone.py", "lib/old.py"):
            self._write(name, f"{name}\nsome\nlines\n")
        self._before = snapshot(folder)
        self._moments: dict[str, float] = {}

    def _write(self, name: str, content: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def write(self, second: float, *names: str) -> None:
        for name in names:
            self._write(name, f"{name} at {second}\n")
            self._moments[name] = second

    def remove(self, name: str) -> None:
        (self._folder / name).unlink()

    def move(self, second: float, name: str, new: str) -> None:
        (self._folder / new).parent.mkdir(parents=True, exist_ok=True)
        (self._folder / name).rename(self._folder / new)
        self._moments[new] = second

    @property
    def changes(self) -> WorkdirDiff:
        return retimed(diff(self._before, snapshot(self._folder)), self._moments)

    def links(self, *turns: Turn) -> list[tuple[str, int, str | None, str]]:
        found = link_changes(record(self.changes, *turns))
        return [(link.path, int(link.call, 16), link.tool, link.confidence) for link in found]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "work")


NAMED = [
    tool("edit", {"filePath": "src/a.py", "oldString": "x", "newString": "y"}),
    tool("Edit", {"file_path": "/workspace/src/a.py", "old_string": "x", "new_string": "y"}),
    tool("write_file", {"path": "./src/a.py", "content": "see lib/old.py"}),
    tool("str_replace_editor", {"command": "str_replace", "path": "/work/src/a.py", "old_str": "x"}),
    tool("MultiEdit", {"edits": [{"path": "src/a.py"}]}),
    tool("replace_in_file", {"target_file": "src/a.py"}),
    tool("apply_patch", CODEX),
    tool("apply_patch", {"input": CODEX}),
    tool("shell", {"command": ["bash", "-lc", f"apply_patch <<'EOF'\n{CODEX}\nEOF"]}),
    tool("bash", {"command": "sed -i s/x/y/ src/a.py"}),
    tool("bash", {"command": "cd src && echo x > a.py"}),
    tool("run_terminal_cmd", {"cmd": "cat > /repo/src/a.py <<E\nx\nE"}),
    tool("exec", {"cmd": "touch a.py", "workdir": "src"}),
    tool("execute_command", {"commands": [{"keystrokes": "echo x | tee src/a.py\n"}]}),
    tool("bash", {"command": "python - <<E\nopen('src/a.py', 'w').write('x')\nE"}),
    tool("ipython", {"code": "from pathlib import Path\nPath('src/a.py').write_text('x')"}),
    tool("bash", {"command": "git checkout -- src"}),
    tool("bash", {"command": "sed -i s/x/y/ src/*.py"}),
]


@pytest.mark.parametrize("answer", NAMED, ids=lambda answer: answer.tool_calls[0].name)
def test_a_tool_call_that_names_the_file(story: Story, answer: Message) -> None:
    """Named as written, and changed before the next request: certain, whatever the agent calls the workdir."""
    story.write(1.7, "src/a.py")
    name = answer.tool_calls[0].name
    assert story.links(turn(1, answer), turn(2, text("done"))) == [("src/a.py", 1, name, "certain")]


@pytest.mark.parametrize(
    "words",
    [
        f"src/a.py\n```python\n{BLOCK}```",
        "src/a.py\n```\nx\n```",
        "```save src/a.py\nx\n```",
        "```diff\n--- a/src/a.py\n+++ b/src/a.py\n```",
        "<write_to_file><path>src/a.py</path></write_to_file>",
        "```mswea_bash_command\necho x > src/a.py\n```",
    ],
)
def test_an_agent_without_tools(story: Story, words: str) -> None:
    """Edits in the text count where the agent offers no tools, and only there."""
    story.write(1.7, "src/a.py")
    assert story.links(turn(1, text(words), tools=())) == [("src/a.py", 1, None, "certain")]
    assert story.links(turn(1, text(words), tools=("edit",))) == []


@pytest.mark.parametrize(
    "answer",
    [
        tool("read_file", {"path": "src/a.py"}),
        tool("grep", {"path": "src/a.py", "pattern": "x"}),
        tool("str_replace_editor", {"command": "view", "path": "src/a.py"}),
        tool("bash", {"command": "cat src/a.py | head -3 2>/dev/null"}),
        tool("TodoWrite", {"todos": [{"content": "src/a.py"}]}),
        tool("task", {"prompt": "edit src/a.py"}),
        text("I'd edit src/a.py now."),
    ],
    ids=lambda answer: answer.tool_calls[0].name if answer.tool_calls else "text",
)
def test_who_only_reads_changes_nothing(story: Story, answer: Message) -> None:
    """Even if it names the file, and the time fits."""
    story.write(1.7, "src/a.py")
    assert story.links(turn(1, answer), turn(2, text("done"))) == []


def test_what_changed_before_the_answer_came(story: Story) -> None:
    """An edit that was asked for after the last change has not made it: it failed."""
    story.write(1.7, "src/a.py")
    named = tool("edit", {"path": "src/a.py"})
    assert story.links(turn(1, named), turn(2, named), turn(3, named)) == [("src/a.py", 1, "edit", "certain")]


def test_a_file_that_was_changed_twice(story: Story) -> None:
    """The last one is certain; of the first it is only likely, since the file does not show it any more."""
    story.write(3.7, "src/a.py")
    named = tool("edit", {"path": "src/a.py"})
    found = story.links(turn(1, named), turn(2, tool("bash", {"command": "pytest src/a.py"})), turn(3, named))
    assert found == [("src/a.py", 1, "edit", "likely"), ("src/a.py", 3, "edit", "certain")]


def test_a_mention(story: Story) -> None:
    """A command that may write and mentions the file: likely if the time fits, else possible. Part of a name is no mention."""
    story.write(1.7, "src/a.py")
    story.write(2.7, "a.p")
    formats = tool("bash", {"command": "black src/a.py"})
    assert story.links(turn(1, formats), turn(2, text("done"))) == [("src/a.py", 1, "bash", "likely")]
    story.write(9, "src/a.py")
    assert ("src/a.py", 1, "bash", "possible") in story.links(turn(1, formats), turn(2, text("done")))


def test_time_alone(story: Story) -> None:
    """What a command did not name is possibly its doing, unless a better link is known; the agent's own files are left out."""
    story.write(1.7, "target/x.o", "src/a.py", ".agent/log")
    story.write(2.7, "other.txt")
    both = replace(
        turn(1, tool("make", "{}")), answers=(tool("bash", {"command": "make"}), tool("edit", {"path": "src/a.py"}))
    )
    assert story.links(both, turn(2, text("done"))) == [
        ("src/a.py", 1, "edit", "certain"),
        ("target/x.o", 1, "bash", "possible"),
    ]


def test_what_is_gone(story: Story) -> None:
    """When a file was removed is not known; who named it, likely did. A folder stands for what it held."""
    story.remove("gone.py")
    story.remove("lib/old.py")
    answers = turn(1, tool("bash", {"command": "rm -r lib"})), turn(2, tool("delete_file", {"path": "gone.py"}))
    assert story.links(*answers) == [("gone.py", 2, "delete_file", "likely"), ("lib/old.py", 1, "bash", "likely")]


def test_a_rename(story: Story) -> None:
    """Either name says it."""
    story.move(1.7, "lib/old.py", "lib/new.py")
    assert story.links(turn(1, tool("bash", {"command": "git mv lib/old.py lib/new.py"}))) == [
        ("lib/new.py", 1, "bash", "certain")
    ]


def test_agents_side_by_side(story: Story) -> None:
    """A tool's result tells when the tool was done, however many requests of others came in between."""
    story.write(4.2, "src/a.py")
    slow = tool("write", {"path": "src/a.py"}, call_id="slow")
    other = tool("write", {"path": "elsewhere"}, call_id="other")
    found = story.links(
        turn(1, slow), turn(2, other), turn(4, text("x"), results=("other",)), turn(5, results=("slow",))
    )
    assert found == [("src/a.py", 1, "write", "certain")]


def test_a_name_that_several_files_have(story: Story) -> None:
    """The longest that fits is meant; a path below the workdir is that path and no other."""
    story.write(1.7, "a.py", "src/a.py", "x/src/a.py")
    elsewhere = turn(1, tool("edit", {"path": "/repo/src/a.py"}))
    assert [path for path, *_, confidence in story.links(elsewhere) if confidence == "certain"] == ["src/a.py"]
    inside = turn(1, tool("edit", {"path": f"{story.changes.root}/a.py"}))
    assert [path for path, *_, confidence in story.links(inside) if confidence == "certain"] == ["a.py"]


def test_the_state_of_a_repository(tmp_path: Path) -> None:
    """A commit is linked to what committed."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    before = snapshot(tmp_path)
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/other\n")
    changes = diff(before, snapshot(tmp_path))
    changes = replace(
        changes, git=tuple(replace(change, mtime_ns=1_700_000_000, ctime_ns=None) for change in changes.git)
    )
    found = link_changes(record(changes, turn(1, tool("bash", {"command": "git checkout other"}))))
    assert [(link.path, link.operation, link.confidence) for link in found] == [(".git/HEAD", "git", "certain")]


def test_what_nothing_explains(story: Story) -> None:
    """No link is claimed: before any answer, without answers that can be read, without changes."""
    story.write(0.5, "src/a.py")
    assert story.links(turn(1, tool("edit", {"path": "other.py"}))) == []
    assert story.links() == []
    assert story.links(replace(turn(1), answers=None, unreadable="lost")) == []
    assert link_changes(record(None, turn(1, tool("edit", {"path": "src/a.py"})))) == ()


def test_the_evidence(story: Story) -> None:
    """Says what is seen where."""
    story.write(1.7, "src/a.py")
    (link,) = link_changes(record(story.changes, turn(1, tool("edit", {"path": "src/a.py"})), turn(2, text("done"))))
    assert [(evidence.kind, evidence.reference, evidence.note) for evidence in link.evidence] == [
        ("call", f"{1:016x}", "edit says that it writes this file"),
        ("path", "src/a.py", "changed 200.0 ms after the answer, before the next request"),
    ]


ARGUMENTS = st.recursive(
    st.one_of(st.none(), st.integers(), st.sampled_from(["src/a.py", "rm -r lib", "a.py", "\n", "x" * 50, "*", "."])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["path", "command", "edits", "cwd", "input", "x"]), inner, max_size=3),
    ),
    max_leaves=6,
)
TOOLS = st.sampled_from(["edit", "bash", "read", "python", "anything", "", "apply_patch"])


@given(
    said=st.lists(st.tuples(TOOLS, st.one_of(ARGUMENTS, st.text(max_size=10))), min_size=1, max_size=4),
    seed=st.integers(0, 9),
)
def test_links_are_of_changes_and_calls(said: list[tuple[str, Any]], seed: int, tmp_path_factory: Any) -> None:
    """Whatever models write: each link is of a change and a call that there are, and the order of turns says nothing."""
    story = Story(tmp_path_factory.mktemp("w"))
    story.write(1.7, "src/a.py")
    story.remove("lib/old.py")
    turns = [turn(number, tool(name, arguments)) for number, (name, arguments) in enumerate(said, 1)]
    found: tuple[Link, ...] = link_changes(record(story.changes, *turns))
    assert {link.path for link in found} <= {"src/a.py", "lib/old.py"}
    assert {link.call for link in found} <= {turn.call.span_id for turn in turns}
    assert len({(link.path, link.call) for link in found}) == len(found)
    random.Random(seed).shuffle(turns)
    assert link_changes(record(story.changes, *turns)) == found
