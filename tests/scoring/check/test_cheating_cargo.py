"""Ways to make a crate's tests pass without solving the task: what works where the agent works does not on the copy."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

Runner = Callable[..., tuple[int, bytes, bytes]]
Write = Callable[..., None]
Grade = Callable[..., dict[str, str]]
Verdict = Callable[..., bool | None]
Folders = tuple[Path, Path, Path]

pytestmark = pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed")

CRATE = {
    "Cargo.toml": '[package]\nname = "add"\nversion = "0.1.0"\nedition = "2021"\n',
    "src/lib.rs": "pub fn add(a: i32, b: i32) -> i32 { a - b }\n",
    "tests/add.rs": "#[test]\nfn adds() { assert_eq!(add::add(2, 3), 5); }\n",
}
BUILD = 'fn main() { std::fs::write("tests/add.rs", "#[test]\\nfn adds() { let _ = add::add(2, 3); }\\n").unwrap(); }\n'


class Cheat(NamedTuple):
    """What an agent leaves behind, and what becomes of it."""

    files: dict[str, str]
    where_the_agent_works: bool | None
    """The verdict there, without names of tests."""
    set_aside: dict[str, str]
    on_the_copy: bool | None
    """The verdict there, with them."""


CHEATS = {
    "an edited test": Cheat({"tests/add.rs": "#[test]\nfn adds() { let _ = add::add(2, 3); }\n"}, True, {}, False),
    "a runner that runs nothing": Cheat(
        {".cargo/config.toml": "[target.'cfg(all())']\nrunner = 'true'\n"},
        None,
        {".cargo/config.toml": "cargo-config"},
        False,
    ),
    "a build script that edits the tests": Cheat({"build.rs": BUILD}, True, {"build.rs": "build-script"}, False),
    "a second test of the same name": Cheat(
        {"tests/add/main.rs": "#[test]\nfn adds() {}\n"}, None, {"tests/add/main.rs": "protected"}, False
    ),
    "tests switched off in the manifest": Cheat(
        {"Cargo.toml": CRATE["Cargo.toml"] + "autotests = false\n[lib]\ntest = false\ndoctest = false\n"},
        None,
        {},
        None,
    ),
    "another test in its place by the manifest": Cheat(
        {
            "Cargo.toml": CRATE["Cargo.toml"] + '[[test]]\nname = "add"\npath = "src/fake.rs"\n',
            "src/fake.rs": "#[test]\nfn adds() {}\n",
        },
        True,
        {},
        False,
    ),
}


@pytest.fixture
def folders(tmp_path: Path, write: Write) -> Folders:
    task, agent = tmp_path / "task", tmp_path / "agent"
    write(task, CRATE)
    write(agent, CRATE)
    return task, agent, tmp_path / "copy"


@pytest.mark.parametrize("name", CHEATS)
def test_cheating_cargo(
    *, folders: Folders, write: Write, run_cargo: Runner, grade: Grade, verdict: Verdict, name: str
) -> None:
    """What works where the agent works does not pass on the copy, where the tests have names; the manifest is the agent's."""
    _, agent, copy = folders
    cheat = CHEATS[name]
    write(agent, cheat.files)
    assert verdict(run_cargo(agent), "cargo") is cheat.where_the_agent_works
    assert grade(folders, "tests/**") == cheat.set_aside
    assert verdict(run_cargo(copy), "cargo", "tests/add.rs::adds") is cheat.on_the_copy


def test_a_manifest_that_is_protected(
    folders: Folders, write: Write, run_cargo: Runner, grade: Grade, verdict: Verdict
) -> None:
    """A task that wants its manifest back says so."""
    _, agent, copy = folders
    write(agent, CHEATS["tests switched off in the manifest"].files)
    grade(folders, "tests/**", "Cargo.toml")
    assert verdict(run_cargo(copy), "cargo", "tests/add.rs::adds") is False


def test_programs_that_were_built_from_other_tests(
    folders: Folders, write: Write, grade: Grade, verdict: Verdict
) -> None:
    """By times alone, a test that was weakened, built, and put back with an old time, is not built again."""
    _, agent, copy = folders
    write(agent, {"tests/add.rs": "#[test]\nfn adds() { let _ = add::add(2, 3); }\n"})
    for path in agent.rglob("*.*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    own = {name: value for name, value in os.environ.items() if not name.startswith("CARGO")}

    def test(folder: Path) -> tuple[int, bytes, bytes]:
        done = subprocess.run(["cargo", "test", "--offline"], cwd=folder, env=own, capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert verdict(test(agent), "cargo") is True
    write(agent, {"tests/add.rs": CRATE["tests/add.rs"]})
    os.utime(agent / "tests/add.rs", (1_000_000_000, 1_000_000_000))
    assert verdict(test(agent), "cargo", "tests/add.rs::adds") is True
    assert grade(folders, "tests/**") == {"target": "cargo-target"}
    assert verdict(test(copy), "cargo", "tests/add.rs::adds") is False
