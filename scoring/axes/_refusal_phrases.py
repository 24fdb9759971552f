"""Whether an answer refuses in words, by a table of phrases (`refusal_phrases.toml`).

Looked at is what stands in the author's own voice: code, quotations and block quotes are taken out first. A phrase counts at
the beginning of a sentence only, after the usual apologies, and not in an answer that does the work after all.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

__all__ = ["RefusingSentence", "phrases_version", "refusing_sentences"]

_TABLE: Final = "refusal_phrases.toml"
_THOUGHT: Final = "<think>"
_END_OF_THOUGHT: Final = "</think>"
_APOSTROPHE: Final = "\u2019"
_OWN: Final = (("i'm ", "i am "), ("we're ", "we are "))
_NOT_ONES_OWN: Final = re.compile(
    r"^(`{3,}|~{3,}).*?(?:^\1|\Z)|`[^`\n]+`|^ {0,3}>[^\n]*$|^(?: {4,}|\t)[^\n]*$"
    '|"[^"\n]{1,400}"|\u201c[^\u201d]{1,400}\u201d|\u201e[^\u201c\u201d]{1,400}[\u201c\u201d]'
    "|\u00ab[^\u00bb]{1,400}\u00bb|\u300c[^\u300d]{1,400}\u300d",
    re.DOTALL | re.MULTILINE,
)
"""Code, block quotes and quotations."""
_SENTENCE_END: Final = re.compile("(?<=[.!?])\\s+|(?<=[\u3002\uff01\uff1f])|\n+")
_LONGEST_SENTENCE: Final = 400
"""Characters: a longer one says more than that something is refused."""
_DECORATION: Final = re.compile(r"^(?:[#>*_\s-]|\d+[.)]\s)+")
_BETWEEN: Final = "[,.;:!\uff0c\u3001\u3002 -]*"


@dataclass(frozen=True, slots=True)
class RefusingSentence:
    """A sentence that refuses."""

    phrase: str
    """Its name in the table."""
    text: str
    """In lower case."""


@dataclass(frozen=True, slots=True)
class _Phrases:
    version: int
    refusing: re.Pattern[str]
    technical: re.Pattern[str]
    principle: re.Pattern[str]
    goes_on: re.Pattern[str]


@cache
def _phrases() -> _Phrases:
    table = tomllib.loads(Path(__file__).with_name(_TABLE).read_text(encoding="utf-8"))
    joint = f"{_BETWEEN}(?:(?:{'|'.join(table['connectors'])}){_BETWEEN})?"
    openers = f"(?:(?:{'|'.join(table['openers'])}){joint})*"
    preamble = f"(?:(?:{'|'.join(table['preambles'])}){joint})?"
    phrases = "|".join(f"(?P<{name}>{phrase})" for name, phrase in table["phrases"].items())
    for name, fragment in table["fragments"].items():
        phrases = phrases.replace(f"@{name}@", fragment)
    return _Phrases(
        version=table["version"],
        refusing=re.compile(f"{openers}{preamble}{openers}(?:{phrases})"),
        technical=_any_of(table["technical"]),
        principle=_any_of(table["principle"]),
        goes_on=_any_of(table["goes_on"]),
    )


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.MULTILINE)


def phrases_version() -> int:
    """Of the table: it changes when the same words may be judged otherwise."""
    return _phrases().version


def refusing_sentences(text: str) -> tuple[RefusingSentence, ...]:
    """The sentences of an answer that refuse what was asked, in their order; empty if it does not, or does the work after all.

    Args:
        text: an assistant's message. Never what a tool or a terminal said.
    """
    said = text.partition(_END_OF_THOUGHT)[2] if text.lstrip().startswith(_THOUGHT) else text
    lowered = said.replace(_APOSTROPHE, "'").lower()
    for short, long in _OWN:
        lowered = lowered.replace(short, long)
    if _phrases().goes_on.search(lowered):
        return ()
    sentences = [_DECORATION.sub("", sentence) for sentence in _SENTENCE_END.split(_NOT_ONES_OWN.sub(" ", lowered))]
    sentences = [sentence.strip() for sentence in sentences if sentence.strip()]
    found = (_refusing(*pair) for pair in pairwise([*sentences, ""]))
    return tuple(sentence for sentence in found if sentence is not None)


def _refusing(sentence: str, following: str) -> RefusingSentence | None:
    phrases = _phrases()
    match = phrases.refusing.match(sentence) if len(sentence) <= _LONGEST_SENTENCE else None
    if match is None or match.lastgroup is None:
        return None
    if phrases.technical.search(f"{sentence} {following}") and not phrases.principle.search(sentence):
        return None
    return RefusingSentence(match.lastgroup, sentence)
