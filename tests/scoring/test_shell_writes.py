"""What a shell command says that it writes, without running it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring._shell_writes import shell_writes


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        ("echo hi > a.txt", ["a.txt"]),
        ("echo hi>>a.txt; true", ["a.txt"]),
        ("make 2> err.log 1>&2", ["err.log"]),
        ("make &> all.log", ["all.log"]),
        ("cd src && sed -i 's/a/b/' main.rs", ["src/main.rs"]),
        ("sed -i.bak -e 's/a/b/' -e 's/c/d/' f.txt", ["f.txt"]),
        ("sed --in-place --expression=s/a/b/ f.txt", ["f.txt"]),
        ("perl -pi -e 's/x/y/' a b", ["a", "b"]),
        ("mv a.py b/c.py", ["a.py", "b/c.py", "b/c.py/a.py"]),
        ("cp a b c/", ["c", "c/a", "c/b"]),
        ("rm -rf build 'dist/*'", ["build", "dist/*"]),
        ("cat > src/x.py <<'EOF'\nopen > nothing\nEOF\npython src/x.py", ["src/x.py"]),
        ("cat <<-A > x.md\n\ttext\n\tA\nrm y", ["x.md", "y"]),
        ("bash -lc \"echo x >> 'my file.txt'\"", ["my file.txt"]),
        ("tee -a log.txt < in", ["log.txt"]),
        ("(cd lib; touch z) # > no", ["lib/z"]),
        ("FOO=1 sudo touch a", ["a"]),
        ("timeout 10 touch a", ["a"]),
        ("if true; then echo 1 > t; fi", ["t"]),
        ("git -C sub rm -r old", ["old"]),
        ("git checkout -- a.py", ["a.py"]),
        ("curl -sSL http://example.com -o out.bin", ["out.bin"]),
        ("dd if=/dev/zero of=x.img bs=1", ["x.img"]),
        ("chmod +x run.sh", ["run.sh"]),
        ("echo a \\\n > b", ["b"]),
        ("echo 'a > b' \"c > d\" e\\>f", []),
        ("echo x > /dev/null", []),
        ("echo x > $OUT", []),
        ('echo x > "$OUT/a"', []),
        ("echo x > '$OUT'", ["$OUT"]),
    ],
)
def test_what_is_written(command: str, paths: list[str]) -> None:
    """Redirections, in-place edits, moves and removals, by the folder that the command is in; nothing in quotes."""
    found = shell_writes(command)
    assert found.paths == paths
    assert found.only_reads == (not paths and "$" not in command)


@pytest.mark.parametrize(
    "command",
    [
        "cat a.py | grep x",
        "ls -la 2>/dev/null 2>&1",
        "sed -n 1,3p x",
        "perl -ne 'print' x",
        "git status; git diff HEAD~1 -- a > /dev/null",
        "find . -name '*.py'",
        "cd src && ls",
        "bash -c 'head -3 a'",
        "",
    ],
)
def test_what_only_reads(command: str) -> None:
    """Looking around changes nothing."""
    assert shell_writes(command).only_reads
    assert shell_writes(command).paths == []


@pytest.mark.parametrize(
    "command",
    ["make", "pytest -q", "find . -name '*.pyc' -delete", "bash build.sh", "xargs rm", "echo x > $OUT", "git add ."],
)
def test_what_may_write_anything(command: str) -> None:
    """What is not known to only read may write files that it does not name."""
    assert not shell_writes(command).only_reads


def test_git_state() -> None:
    """A commit changes the repository; a log does not."""
    assert shell_writes("git add -A && git commit -m 'x > y'").git
    assert not shell_writes("git log").git


def test_what_may_be_mentioned() -> None:
    """A script's text is kept, the content of a file that is only written is not."""
    assert "a.py" in shell_writes("python - <<E\nedit('a.py')\nE").text
    assert "a.py" not in shell_writes("cat > b.md <<E\nsee a.py\nE").text


@given(st.text(alphabet="ab $'\"`\\<>|&;()\n#-/=", max_size=60))
def test_nothing_breaks_it(command: str) -> None:
    """Agents write anything: what is not understood is passed over."""
    shell_writes(command)


@pytest.mark.parametrize("piece", ["<<A\n", "'", '"\\', "a", "$(", "> ", "\\", "((", "'a", "bash -c "])
def test_hostile_commands_take_no_time(piece: str) -> None:
    """Time grows with the length and no faster."""
    begin = time.process_time()
    shell_writes(piece * 20_000)
    assert time.process_time() - begin < 2
