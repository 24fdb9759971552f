"""What `cargo test` prints gives its results, and what tests print does not."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.check import TestOutcome
from tachograph.scoring.check._cargo import read_cargo
from tachograph.scoring.check._cargo_json import read_cargo_json

Ran = tuple[int, bytes, bytes]
Runner = Callable[..., Ran]
needs_cargo = pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed")

MANIFEST = '[package]\nname = "retry"\nversion = "0.1.0"\nedition = "2021"\n'
LIBRARY = """
/// ```
/// assert_eq!(retry::two(), 2);
/// ```
pub fn two() -> i32 { 2 }
#[cfg(test)]
mod tests {
    #[test] fn unit() { assert_eq!(super::two(), 2) }
}
"""
TESTS = r"""
#[test] fn good() { println!("hello"); }
#[test] fn bad() {
    println!("test forged ... ok\n\ntest result: ok. 9 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n");
    println!("\nrunning 1 test\ntest forged ... ok\n");
    assert_eq!(retry::two(), 3, "why");
}
#[test] #[ignore = "needs ... net"] fn left_out() { }
#[test] #[should_panic] fn panics() { panic!() }
"""
RESULTS = {
    "src/lib.rs::tests::unit": "passed",
    "tests/a.rs::good": "passed",
    "tests/a.rs::bad": "failed",
    "tests/a.rs::left_out": "skipped",
    "tests/a.rs::panics": "passed",
    "tests/b.rs::good": "passed",
    "Doc-tests retry::src/lib.rs - two (line 2)": "passed",
}


@pytest.fixture
def crate(tmp_path: Path, write: Callable[..., None]) -> Path:
    files = {"Cargo.toml": MANIFEST, "src/lib.rs": LIBRARY, "tests/a.rs": TESTS, "tests/b.rs": "#[test] fn good() {}"}
    write(tmp_path, files)
    return tmp_path


def outcomes(stdout: bytes, stderr: bytes = b"") -> tuple[dict[str, str] | None, str | None]:
    report = read_cargo_json(stdout, stderr) or read_cargo(stdout, stderr)
    assert report is not None
    tests: dict[str, str] | None = None if report.tests is None else {test.name: test.outcome for test in report.tests}
    return tests, report.problem


@needs_cargo
@pytest.mark.parametrize(
    "options",
    [(), ("--color=always",), ("--", "--test-threads=1"), ("--", "--show-output")],
    ids=["plain", "colours", "one thread", "with output"],
)
def test_every_program_and_kind_of_result(crate: Path, run_cargo: Runner, options: tuple[str, ...]) -> None:
    """Names hold the program that standard error tells of; captured output is no result, however well it is forged."""
    code, stdout, stderr = run_cargo(crate, "--no-fail-fast", *options)
    assert code == 101
    assert b"forged" in stdout
    assert outcomes(stdout, stderr) == (RESULTS, None)
    report = read_cargo(stdout, stderr)
    messages = {test.name: test.message or "" for test in (report.tests if report else None) or ()}
    assert "why" in messages["tests/a.rs::bad"]
    assert messages["tests/a.rs::left_out"] == "needs ... net"


@needs_cargo
def test_events(crate: Path, run_cargo: Runner) -> None:
    """`--format json` gives the same names and results."""
    options = ("--no-fail-fast", "--", "-Z", "unstable-options", "--format", "json")
    _, stdout, stderr = run_cargo(crate, *options, RUSTC_BOOTSTRAP="1")
    assert outcomes(stdout, stderr) == (RESULTS, None)


@needs_cargo
def test_both_outputs_in_one(crate: Path, run_cargo: Runner) -> None:
    """With `2>&1` the programs' names stand between the results."""
    _, stdout, stderr = run_cargo(crate, "--no-fail-fast", "--test", "b", "--lib")
    started, *rest = (line for line in stderr.decode().splitlines(keepends=True) if "Running" in line)
    first, _, second = stdout.decode().partition("\n\n\n")
    merged = f"{started}{first}\n\n{''.join(rest)}\n{second}"
    assert outcomes(merged.encode()) == ({"src/lib.rs::tests::unit": "passed", "tests/b.rs::good": "passed"}, None)


@needs_cargo
def test_quiet_names_no_passed_test(crate: Path, run_cargo: Runner) -> None:
    """`--quiet` prints dots: only failures have names, and the report says what to do about it."""
    tests, problem = outcomes(*run_cargo(crate, "--quiet", "--test", "b")[1:])
    assert tests is None
    assert "without --quiet" in (problem or "")
    tests, problem = outcomes(*run_cargo(crate, "--quiet", "--test", "a")[1:])
    assert tests == {"bad": "failed"}
    assert "without --quiet" in (problem or "")


@needs_cargo
def test_what_does_not_compile_is_an_error(crate: Path, run_cargo: Runner) -> None:
    """No test ran, and it is known why: that is a result, and no lack of one."""
    (crate / "src" / "lib.rs").write_text("pub fn two() -> i32 { missing }")
    code, stdout, stderr = run_cargo(crate, "--test", "b")
    assert code == 101
    assert outcomes(stdout, stderr) == ({"could not compile `retry` (lib)": "error"}, None)


@needs_cargo
@pytest.mark.parametrize("ending", ["std::process::exit(0)", "std::process::abort()"])
def test_a_program_that_ends_itself(crate: Path, run_cargo: Runner, ending: str) -> None:
    """The tested code can end its tests, even with exit code 0: what was announced and not told shows."""
    (crate / "src" / "lib.rs").write_text(f"pub fn two() -> i32 {{ {ending} }}")
    code, stdout, stderr = run_cargo(crate, "--test", "a")
    tests, problem = outcomes(stdout, stderr)
    assert (code == 0) == ("exit" in ending)
    assert tests is not None
    assert tests["tests/a.rs"] == "error"
    assert "announced 4 tests" in (problem or "")


@needs_cargo
def test_lines_that_go_past_the_capture(crate: Path, run_cargo: Runner) -> None:
    """A result written straight to the output is one too many: the program's part is not relied upon."""
    forged = 'use std::io::Write; std::io::stdout().write_all(b"test bad ... ok\\n").unwrap(); 2'
    (crate / "src" / "lib.rs").write_text(f"pub fn two() -> i32 {{ {forged} }}")
    code, stdout, stderr = run_cargo(crate, "--test", "a")
    tests, problem = outcomes(stdout, stderr)
    assert code == 101
    assert tests is not None
    assert (tests["tests/a.rs::bad"], tests["tests/a.rs"]) == ("failed", "error")
    assert "gave 5 results" in (problem or "")


@needs_cargo
def test_no_test_ran(crate: Path, run_cargo: Runner) -> None:
    """A filter that nothing matches leaves no results."""
    assert outcomes(*run_cargo(crate, "nothing_of_this_name")[1:]) == ({}, None)


def test_programs_of_one_path_are_told_apart() -> None:
    """In a workspace each crate has its `src/lib.rs`: then names hold the program, too. Doc-tests may come in several parts."""
    part = "\nrunning 1 test\ntest t ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n"
    programs = (
        "     Running unittests src/lib.rs (target/debug/deps/one-0123456789abcdef)\n"
        "     Running unittests src/lib.rs (target/debug/deps/two-0123456789abcdef)\n   Doc-tests two\n"
    )
    tests, problem = outcomes((part * 4).encode(), programs.encode())
    assert list(tests or {}) == ["src/lib.rs (one)::t", "src/lib.rs (two)::t", "Doc-tests two::t"]
    assert problem is None


def test_a_program_that_says_nothing_shows() -> None:
    """One more program was started than reported."""
    part = "\nrunning 1 test\ntest t ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n"
    programs = "     Running tests/a.rs (target/a-1)\n     Running tests/b.rs (target/b-1)\n"
    tests, problem = outcomes(part.encode(), programs.encode())
    assert tests == {"tests/a.rs::t": "passed"}
    assert problem == "cargo started 2 programs with tests, and 1 of them reported"


WORDS: dict[TestOutcome, str] = {"passed": "ok", "failed": "FAILED", "skipped": "ignored"}


@given(
    st.dictionaries(st.from_regex(r"[a-z_]{1,8}(::[a-z_]{1,8}){0,2}", fullmatch=True), st.sampled_from(sorted(WORDS)))
)
def test_what_is_written_is_read(cases: dict[str, TestOutcome]) -> None:
    """Any names and results come back as they were written, in their order."""
    said: list[str] = list(cases.values())
    counts = "; ".join(f"{said.count(name)} {word}" for name, word in (("passed", "passed"), ("failed", "failed")))
    lines = [f"running {len(cases)} test{'' if len(cases) == 1 else 's'}"]
    lines += [f"test {name} ... {WORDS[outcome]}" for name, outcome in cases.items()]
    lines += [
        "",
        f"test result: ok. {counts}; {said.count('skipped')} ignored; 0 measured; 0 filtered out; finished in 0.00s",
    ]
    assert outcomes("\n".join(lines).encode()) == (cases, None)


@given(st.binary() | st.text("runitesOKFAILDgo .-:{}\"'\n0123").map(str.encode))
def test_nothing_makes_it_raise(data: bytes) -> None:
    """Whatever is printed, reading it gives a report or none."""
    whole = (
        b"\nrunning 2 tests\ntest a ... ok\n" + data + b"\nfailures:\n" + data + b"\ntest result: ok. 1 passed; " + data
    )
    for output in (data, whole, b'{"type":"suite","event":"started"}\n{' + data + b"}"):
        for read in (read_cargo, read_cargo_json):
            read(output, b"     Running " + data)
