"""What agents say of their tokens on the terminal, as it was seen of the agents themselves."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring._agent_report import read_agent_report, report_in
from tachograph.scoring._terminal_text import shown_lines
from tachograph.traces import StoreError

# The output of aider 0.86.2, `--no-pretty`, in a terminal of 100 columns.
_AIDER = (
    "Model: openai/m with diff edit format\r\n",
    "Repo-map: using 1024 tokens, auto refresh\r\n",
    "\u2591\u2588\b\b  \b\b",
    "Done.\r\n\r\ncalc.py\r\n```\r\n<<<<<<< SEARCH\r\n=======\r\n>>>>>>> REPLACE\r\n```\r\n",
    "\r\n",
    "Tokens: 2.0k sent, 40 received. Cost: $0.0021 message, $0.0021 session.\r\n",
    "Applied edit to calc.py\r\n",
    "\u2591\u2588\b\b  \b\b",
    "Commit 00e59ff fix: add\r\n",
)
# That of `codex exec` 0.169.0; its provider had told 12,345 input tokens, 2,345 of them cached, and 678 output tokens.
_CODEX = (
    "OpenAI Codex v0.169.0\r\n--------\r\nmodel: m\r\n--------\r\nuser\r\nsay hi\r\n",
    "codex\r\nNothing to do.\r\n",
    "tokens used\r\n10,678\r\n",
)


def cast(path: Path, *texts: str) -> Path:
    header = {"version": 2, "width": 100, "height": 30}
    lines = [header, *([0.1 * number, "o", text] for number, text in enumerate(texts))]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_aider_as_it_is(tmp_path: Path) -> None:
    """A rounded number is known to be rounded, and an estimate to be one: aider had not asked its stream for usage."""
    found = read_agent_report("aider", cast(tmp_path / "terminal.cast", *_AIDER))
    assert found is not None
    assert (found.input_tokens, found.output_tokens, found.tokens, found.cost_usd) == (2000, 40, 2040, 0.0021)
    assert (found.exact, found.rounding, found.estimated) == (False, 50, True)
    assert found.excerpt == "Tokens: 2.0k sent, 40 received. Cost: $0.0021 message, $0.0021 session."


def test_codex_as_it_is(tmp_path: Path) -> None:
    """Codex tells one number, without the cached input: 12,345 - 2,345 + 678."""
    found = read_agent_report("codex", cast(tmp_path / "terminal.cast", *_CODEX))
    assert found is not None
    assert (found.tokens, found.input_tokens, found.exact) == (10678, None, True)
    assert found.excludes_cached
    assert not found.estimated


def test_messages_add_up_and_sessions_do_not() -> None:
    """Aider's tokens are those of each message, its cost grows over the session: the first are added, the last one holds."""
    found = report_in(
        "aider",
        "Tokens: 1.3k sent, 606 received. Cost: $0.0012 message, $0.0012 session.\n"
        "Tokens: 20k sent, 3.0k cache write, 2.1k cache hit, 15 received.\nCost: $0.05 message, $0.0512 session.\n",
    )
    assert found is not None
    assert (found.input_tokens, found.output_tokens, found.rounding, found.cost_usd) == (21300, 621, 550, 0.0512)


def test_statement_may_be_broken_and_painted() -> None:
    """Lines break at the terminal's width, and colours and overwritten text are no part of what is said."""
    found = report_in(
        "aider",
        "working 99%\r\x1b[K\u2591\u2588\b\b  \b\b\x1b[1;34mTokens:\x1b[0m 812\x1b]0;title\x07 sent, 40\r\nreceived.\r\n",
    )
    assert found is not None
    assert (found.input_tokens, found.output_tokens, found.exact) == (812, 40, True)
    assert found.cost_usd is None


@pytest.mark.parametrize(
    ("agent", "text"),
    [
        ("aider", "Tokens: many sent, few received.\n"),
        ("aider", "It printed: Tokens: 5 sent, 6 received.\n"),
        ("aider", ""),
        ("codex", "tokens used\nnone\n"),
        ("another", "Tokens: 5 sent, 6 received.\n"),
        (None, "Tokens: 5 sent, 6 received.\n"),
    ],
)
def test_what_is_not_understood_is_no_report(agent: str | None, text: str) -> None:
    """Nothing is guessed: an unknown agent, or other words, give None and not 0 tokens."""
    assert report_in(agent, text) is None


def test_recordings_that_are_none(tmp_path: Path) -> None:
    """A recording that was not made, is empty or of another kind says nothing; one that cannot be read is an error."""
    assert read_agent_report("aider", tmp_path / "terminal.cast") is None
    other = tmp_path / "other.cast"
    for text in ("", '{"version": 1}\n[0, "o", "Tokens: 5 sent, 6 received.\\n"]\n', "Tokens: 5 sent, 6 received.\n"):
        other.write_text(text)
        assert read_agent_report("aider", other) is None
    with pytest.raises(StoreError, match="cannot be read"):
        read_agent_report("aider", tmp_path)


def test_recording_cut_off_in_an_event(tmp_path: Path) -> None:
    """What a killed writer had written whole counts; keys that were typed, and lines that are none, do not."""
    path = cast(tmp_path / "terminal.cast", *_AIDER)
    typed = json.dumps([9.0, "i", "Tokens: 5 sent, 5 received.\n"])
    path.write_text(path.read_text() + typed + '\n[9.1, "o"]\n7\n[9.9, "o", "Tokens: 7 se')
    found = read_agent_report("aider", path)
    assert found is not None
    assert found.tokens == 2040


def test_large_recording_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """A long recording, with one line that never ends, still gives the report at its end."""
    filler = ["x" * 60_000] * 100
    found = read_agent_report("codex", cast(tmp_path / "terminal.cast", *filler, "\r\n", *_CODEX))
    assert found is not None
    assert found.tokens == 10678


@given(st.lists(st.integers(1, 40), max_size=30))
def test_cuts_between_events_do_not_matter(sizes: list[int]) -> None:
    """The same output in any pieces, cut within words, escapes and line ends, is the same report."""
    text = "\x1b[32m" + "".join(_AIDER) + "Tokens: 1.3k sent, 606 received.\x1b[0m"
    pieces, at = [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    pieces.append(text[at:])
    assert list(shown_lines(pieces)) == list(shown_lines([text]))


@given(st.text(alphabet="\x1b[]K0;mTokens: 5.k\r\n\b\x07", max_size=60))
def test_any_output_can_be_read(text: str) -> None:
    """No sequence of control characters breaks the reading."""
    report_in("aider", text)
    report_in("codex", text)
