"""A task folder gives its task, or a refusal that says what to mend."""

import shutil
from pathlib import Path

import pytest

from tachograph.harness._task import load_task, require_tools
from tachograph.harness._workdir import copy_workdir
from tachograph.traces import InputError

LEAST = """\
id = "mutations/negated"
category = "mutations"
prompt = "Mend it."
[check]
command = "true"
"""

WHOLE = """\
id = "mutations/rust-error-negated"
category = "mutations"
title = "Retry loop condition negated"
prompt = '''
The tests fail.
Mend the crate.
'''
timeout = 90
requires = ["cargo", "sh"]

[setup]
command = "cargo fetch"

[check]
command = "cargo test --offline"
timeout = 120.5
report = "cargo"
tests = ["tests/retry.rs::gives_up", "src/lib.rs::tests::works"]

[changes]
expected = ["src/**/*.rs"]
protected = ["tests/**", "Cargo.toml"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    (folder / "workdir" / "src").mkdir(parents=True)
    (folder / "workdir" / "src" / "lib.rs").write_text("pub fn f() {}\n")
    (folder / "task.toml").write_text(LEAST)
    return folder


def test_every_key_is_read(folder: Path) -> None:
    """What stands in the file stands in the task, exactly."""
    (folder / "task.toml").write_text(WHOLE)
    task = load_task(folder)
    assert (task.id, task.category) == ("mutations/rust-error-negated", "mutations")
    assert task.title == "Retry loop condition negated"
    assert task.prompt == "The tests fail.\nMend the crate.\n"
    assert (task.timeout, task.check_timeout) == (90.0, 120.5)
    assert task.check_report == "cargo"
    assert task.check_tests == ("tests/retry.rs::gives_up", "src/lib.rs::tests::works")
    assert (task.check_command, task.setup_command) == ("cargo test --offline", "cargo fetch")
    assert task.changes_expected == ("src/**/*.rs",)
    assert task.changes_protected == ("tests/**", "Cargo.toml")
    assert task.requires == ("cargo", "sh")
    assert (task.folder, task.workdir) == (folder, folder / "workdir")


def test_defaults(folder: Path) -> None:
    """What may be left out has the default that is promised, and absent text is None."""
    task = load_task(folder)
    assert (task.timeout, task.check_timeout) == (600.0, 300.0)
    assert (task.title, task.setup_command) == (None, None)
    assert (task.check_report, task.report_path, task.check_tests) == (None, None, None)
    assert (task.changes_expected, task.changes_protected, task.requires) == ((), (), ())


@pytest.mark.parametrize(
    ("report", "path"),
    [
        ("junit", None),
        ("unittest", None),
        ("report.xml", "report.xml"),
        ("./out/junit", "out/junit"),
        ("a//b.xml", "a/b.xml"),
    ],
)
def test_a_report_is_a_format_or_a_file(folder: Path, report: str, path: str | None) -> None:
    """Either is where results are; a file is named relative to the workdir, in one way."""
    (folder / "task.toml").write_text(WHOLE.replace('report = "cargo"', f'report = "{report}"'))
    task = load_task(folder)
    assert task.check_report == (path or report)
    assert task.report_path == path


def test_a_relative_folder_gives_absolute_paths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt runs elsewhere, so that a relative path would lead astray."""
    monkeypatch.chdir(folder.parent)
    assert load_task(Path("task")).workdir == folder / "workdir"


def edited(old: str, new: str) -> str:
    assert old in WHOLE
    return WHOLE.replace(old, new)


BAD_FILES = {
    "no check": (WHOLE.partition("[check]")[0], "check.command is missing"),
    "check without command": (edited('command = "cargo test --offline"\n', ""), "check.command is missing"),
    "empty check": (edited('"cargo test --offline"', '" "'), "check.command must be text that is not empty"),
    "check is no table": ('check = "true"\n' + LEAST.partition("[check]")[0], "unknown key check;"),
    "check command is a list": (edited('"cargo test --offline"', '["cargo"]'), "check.command must be text"),
    "command with a null": (edited('"cargo fetch"', r'"a\u0000b"'), "setup.command must be text"),
    "check timeout 0": (edited("120.5", "0"), "check.timeout must be a number of seconds above 0, not 0"),
    "a report of no known format": (
        edited('report = "cargo"', 'report = "carg"'),
        "check.report must be one of cargo, go,",
    ),
    "report climbs": (edited('report = "cargo"', 'report = "../r.xml"'), "check.report must be one of"),
    "report is absolute": (edited('report = "cargo"', 'report = "/r.xml"'), "check.report must be one of"),
    "report is a list": (edited('report = "cargo"', 'report = ["r.xml"]'), "check.report must be one of"),
    "no names of tests": (
        edited('["tests/retry.rs::gives_up", "src/lib.rs::tests::works"]', "[]"),
        "check.tests must be a list",
    ),
    "a test twice": (edited("src/lib.rs::tests::works", "tests/retry.rs::gives_up"), "check.tests must be a list"),
    "tests are text": (
        edited('["tests/retry.rs::gives_up", "src/lib.rs::tests::works"]', '"a"'),
        "check.tests must be a list",
    ),
    "timeout is text": (edited("timeout = 90", 'timeout = "90"'), "timeout must be a number of seconds"),
    "timeout is true": (edited("timeout = 90", "timeout = true"), "timeout must be a number of seconds"),
    "timeout below 0": (edited("timeout = 90", "timeout = -1"), "timeout must be a number of seconds above 0, not -1"),
    "timeout without end": (edited("timeout = 90", "timeout = inf"), "timeout must be a number of seconds"),
    "timeout is no number": (edited("timeout = 90", "timeout = nan"), "timeout must be a number of seconds"),
    "no id": (LEAST.partition("\n")[2], "the key id is missing"),
    "id climbs": (edited("mutations/rust-", "../"), "id must be a path-safe name"),
    "id with a dot segment": (edited("mutations/rust-", "a/./"), "id must be a path-safe name"),
    "id is absolute": (edited("mutations/rust-", "/"), "id must be a path-safe name"),
    "id ends with a slash": (edited("error-negated", "error/"), "id must be a path-safe name"),
    "id with a space": (edited("error-negated", "error negated"), "id must be a path-safe name"),
    "id with a line end": (edited('rust-error-negated"', r'x\n"'), "id must be a path-safe name"),
    "id with foreign letters": (edited("error-negated", "érror"), "id must be a path-safe name"),
    "id is a number": (edited('"mutations/rust-error-negated"', "7"), "id must be a path-safe name"),
    "no category": (edited('category = "mutations"\n', ""), "the key category is missing"),
    "no prompt": (LEAST.replace('prompt = "Mend it."\n', ""), "the key prompt is missing"),
    "empty prompt": (LEAST.replace("Mend it.", ""), "prompt must be text that is not empty"),
    "title is a number": (edited('"Retry loop condition negated"', "1"), "title must be text"),
    "globs are text": (edited('["src/**/*.rs"]', '"src"'), "changes.expected must be a list of globs"),
    "glob climbs": (edited("tests/**", "../x"), "changes.protected must be a list of globs relative to the workdir"),
    "glob is absolute": (edited("tests/**", "/etc/*"), "changes.protected must be a list of globs relative"),
    "glob is empty": (edited("tests/**", ""), "changes.protected must be a list of globs relative"),
    "glob is a number": (edited('"tests/**"', "1"), "changes.protected must be a list of globs relative"),
    "requires is text": (edited('["cargo", "sh"]', '"cargo"'), "requires must be a list of names"),
    "requires a number": (edited('["cargo", "sh"]', "[1]"), "requires must be a list of names"),
    "unknown key": ("promt = 1\n" + LEAST, "unknown key promt; known are id, category, title, prompt, timeout"),
    "unknown key in a table": (WHOLE + 'forbidden = ["x"]\n', "unknown key changes.forbidden; known are"),
    "unknown table": (WHOLE + "[scoring]\nweight = 1\n", "unknown key scoring;"),
    "not TOML": ("id = \n", "is not TOML in UTF-8"),
    "a key twice": (LEAST + 'command = "false"\n', "is not TOML in UTF-8"),
}


@pytest.mark.parametrize(("text", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused(folder: Path, text: str, message: str) -> None:
    """A task that would run otherwise than its author meant is refused; the message names the file and the key."""
    (folder / "task.toml").write_text(text)
    with pytest.raises(InputError) as refusal:
        load_task(folder)
    assert message in str(refusal.value)
    assert str(folder / "task.toml") in str(refusal.value)


def test_a_file_that_is_not_utf8_is_refused(folder: Path) -> None:
    """TOML is UTF-8; anything else is refused like other bad TOML."""
    (folder / "task.toml").write_bytes(LEAST.encode() + b'\n# \xff"')
    with pytest.raises(InputError, match="is not TOML in UTF-8"):
        load_task(folder)


def test_a_missing_part_is_named(folder: Path, tmp_path: Path) -> None:
    """A missing folder, task.toml or workdir, and a workdir that is a file or a link, are refused by name."""
    with pytest.raises(InputError, match="nowhere is not a folder"):
        load_task(tmp_path / "nowhere")
    (folder / "task.toml").rename(tmp_path / "aside")
    with pytest.raises(InputError, match=r"task\.toml: cannot be read: No such file"):
        load_task(folder)
    (tmp_path / "aside").rename(folder / "task.toml")
    shutil.move(folder / "workdir", tmp_path / "elsewhere")
    with pytest.raises(InputError, match="workdir is not a folder"):
        load_task(folder)
    (folder / "workdir").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="workdir is not a folder"):
        load_task(folder)


def test_a_missing_tool_is_a_refusal(folder: Path, tmp_path: Path) -> None:
    """A toolchain that is not there is named before anything starts; one that is there is no obstacle."""
    (folder / "task.toml").write_text(WHOLE)
    task = load_task(folder)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    assert task.missing_tools(str(bin_folder)) == ("cargo", "sh")
    with pytest.raises(
        InputError, match=r"mutations/rust-error-negated needs cargo, sh, which cannot be found on PATH: install"
    ):
        require_tools(task, str(bin_folder))
    for name in task.requires:
        (bin_folder / name).touch(mode=0o700)
    assert task.missing_tools(str(bin_folder)) == ()
    require_tools(task, str(bin_folder))


def test_the_path_of_this_process_is_the_default(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a path of its own the question is about PATH."""
    (folder / "task.toml").write_text(LEAST.replace("[check]", 'requires = ["sh"]\n[check]'))
    task = load_task(folder)
    assert task.missing_tools() == ()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert task.missing_tools() == ("sh",)


def test_the_hash_is_of_what_the_task_is(folder: Path, tmp_path: Path) -> None:
    """Neither place nor time stamps count: a copy has the same hash. It is 64 hexadecimal digits."""
    task = load_task(folder)
    copy = tmp_path / "copy"
    copy_workdir(folder / "workdir", copy / "workdir")
    (copy / "task.toml").write_text(LEAST)
    (copy / "workdir" / "src" / "lib.rs").touch()
    assert load_task(copy).hash == task.hash
    assert len(bytes.fromhex(task.hash)) == 32


def test_every_change_changes_the_hash(folder: Path, tmp_path: Path) -> None:
    """A comment, a byte, a name, an executable bit, a link and its target: each gives a hash of its own."""
    source = folder / "workdir" / "src"
    hashes = [load_task(folder).hash]

    def note() -> None:
        hashes.append(load_task(folder).hash)

    (folder / "task.toml").write_text(LEAST + "# more\n")
    note()
    (source / "lib.rs").write_text("pub fn f() { }\n")
    note()
    (source / "lib.rs").rename(source / "main.rs")
    note()
    (source / "main.rs").chmod(0o755)
    note()
    (source / "link").symlink_to("main.rs")
    note()
    (source / "link").unlink()
    (source / "link").symlink_to(tmp_path)
    note()
    (source / "link").unlink()
    (source / "link").write_bytes(bytes(tmp_path))
    note()
    assert len(set(hashes)) == len(hashes) == 8


def test_the_hash_does_not_follow_links(folder: Path, tmp_path: Path) -> None:
    """What lies behind a link is not part of the task."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "workdir" / "link").symlink_to(outside)
    before = load_task(folder).hash
    (outside / "file").write_text("new")
    assert load_task(folder).hash == before
