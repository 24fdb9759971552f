"""What agents say on their terminal of what they used.

Only output that was seen of the agents themselves is known here; an agent that is not in the table has no report.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import orjson

from ..traces import StoreError
from ._record import AgentReport
from ._terminal_text import shown_lines

__all__ = ["read_agent_report", "report_in"]

_LONGEST_CAST: Final = 256 * 2**20
"""Bytes. Of a longer recording no report is read, since a sum over a part of it would be none."""
_LONGEST_EVENT: Final = 4 * 2**20
_WINDOW: Final = 3
"""Lines that a statement may take: terminals and agents break them at the width."""
_UNITS: Final[Mapping[str, int]] = {"": 1, "k": 1_000, "M": 1_000_000}

_Lines = Iterable[str]


@dataclass(frozen=True, slots=True)
class _Count:
    """A number as it was printed."""

    value: int
    rounding: int
    """Half of its last digit, if that stands for more than one."""

    @classmethod
    def parse(cls, text: str) -> "_Count":
        """`606`, `12,345`, `1.3k`, `20k`."""
        digits, unit = text.replace(",", "").rstrip("kM"), text[-1] if text[-1] in "kM" else ""
        whole, _, fraction = digits.partition(".")
        step = _UNITS[unit] // 10 ** len(fraction)
        return cls(int(whole + fraction) * step, step // 2)


_NUMBER: Final = r"([0-9][0-9,]{0,14}(?:(?:\.[0-9])?[kM])?)"
_DOLLARS: Final = r"\$([0-9]{1,9}(?:\.[0-9]{1,9})?)"
_AIDER: Final = re.compile(
    rf"Tokens:\s+{_NUMBER}\s+sent(?:,\s+{_NUMBER}\s+cache\s+write)?(?:,\s+{_NUMBER}\s+cache\s+hit)?,\s+{_NUMBER}\s+received\."
    rf"(?:\s+Cost:\s+{_DOLLARS}\s+message,\s+{_DOLLARS}\s+session\.)?"
)
_CODEX: Final = re.compile(rf"tokens used\s+{_NUMBER}(?:\s|$)")


def _aider(lines: _Lines) -> AgentReport | None:
    """Aider 0.86: one line for each message, tokens of that message, cost of the session so far.

    It leaves out its own calls for commit messages. Of a stream that tells no usage it counts with a tokenizer, and it does
    not ask streams for usage.
    """
    sent = received = rounding = 0
    last: re.Match[str] | None = None
    for last in _statements(_AIDER, "Tokens:", lines):
        one, other = _Count.parse(last[1]), _Count.parse(last[4])
        sent, received = sent + one.value, received + other.value
        rounding += one.rounding + other.rounding
    if last is None:
        return None
    return AgentReport(
        input_tokens=sent,
        output_tokens=received,
        cost_usd=float(last[6]) if last[6] else None,
        exact=rounding == 0,
        rounding=rounding,
        estimated=True,
        excerpt=_excerpt(last),
    )


def _codex(lines: _Lines) -> AgentReport | None:
    """Codex 0.169, `codex exec`: at the end the sum of uncached input and output, as its provider told them."""
    last: re.Match[str] | None = None
    for statement in _statements(_CODEX, "tokens used", lines):
        last = statement
    if last is None:
        return None
    count = _Count.parse(last[1])
    return AgentReport(
        total_tokens=count.value,
        exact=count.rounding == 0,
        rounding=count.rounding,
        excludes_cached=True,
        excerpt=_excerpt(last),
    )


_READERS: Final[Mapping[str, Callable[[_Lines], AgentReport | None]]] = {"aider": _aider, "codex": _codex}


def report_in(agent: str | None, text: str) -> AgentReport | None:
    """What an agent says that it used, in its output.

    Args:
        agent: its name, such as `aider`.
        text: all of its output; escape sequences of terminals are passed over.

    Returns:
        None if the agent is not known here, or says nothing of it.
    """
    reader = _READERS.get(agent or "")
    return reader(shown_lines([text])) if reader else None


def read_agent_report(agent: str | None, cast: Path) -> AgentReport | None:
    """As `report_in`, from the recording of its terminal, an asciicast v2 file. Memory stays bounded whatever its length.

    Returns:
        None also if there is no such file, it is no recording (that of a run which was killed at once may be empty), or it is
        longer than 256 MiB.

    Raises:
        StoreError: it cannot be read.
    """
    reader = _READERS.get(agent or "")
    if reader is None:
        return None
    try:
        if cast.stat().st_size > _LONGEST_CAST:
            return None
        return reader(shown_lines(_output(cast)))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{cast}: cannot be read: {error.strerror}") from error


def _output(cast: Path) -> Iterator[str]:
    """The texts of a recording's output events. A line that was not written whole is passed over."""
    with cast.open("rb") as file:
        header = _parsed(file.readline(_LONGEST_EVENT))
        if not isinstance(header, dict) or header.get("version") != 2:  # noqa: PLR2004
            return
        while line := file.readline(_LONGEST_EVENT):
            event = _parsed(line)
            if isinstance(event, list) and len(event) == 3 and event[1] == "o" and isinstance(event[2], str):  # noqa: PLR2004
                yield event[2]


def _parsed(line: bytes) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _statements(pattern: re.Pattern[str], begins: str, lines: _Lines) -> Iterator[re.Match[str]]:
    """Where a pattern is found at the beginning of a line, perhaps going on in the lines after it."""
    window: list[str] = []
    for line in chain(lines, [""] * (_WINDOW - 1)):
        window = [*window[-_WINDOW + 1 :], line.strip()]
        if len(window) == _WINDOW and window[0].startswith(begins) and (match := pattern.match(" ".join(window))):
            yield match


def _excerpt(match: re.Match[str]) -> str:
    return " ".join(match[0].split())
