"""Masking secrets in what is written: known ones, and what looks like one. What passes to the agent is never touched."""

import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from ._known_secrets import SHORTEST, is_telling, written_forms
from ._scanner import Found, Scanner
from ._secret_rules import RUN_KEY_PREFIX, Rule, common_rules

__all__ = ["Masked", "Redactor", "masked"]

_KNOWN: Final = "known-secret"
_MOST_LEARNT: Final = 64
"""Secrets that were learnt from requests; an agent that makes up a new key for every call must cost no more than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A text in which secrets are masked."""

    data: bytes = field(repr=False)
    counts: Mapping[str, int]
    """How many by kind; empty if there were none, and `data` is as it was."""


@cache
def _common_scanner() -> Scanner:
    return Scanner(common_rules())


class Redactor:
    """Knows the secrets of one process, and what common ones look like. A masked one reads `[masked KIND]`."""

    def __init__(self, secrets: Iterable[str] = (), rules: Sequence[Rule] = ()) -> None:
        """Take what is known from the start. What is shorter than 8 characters is no secret.

        Args:
            secrets: to be masked wherever they stand, in whatever form they are written.
            rules: the user's, beside the common ones.
        """
        self._rules = tuple(rules)
        self._secrets = tuple(dict.fromkeys(secret for secret in secrets if len(secret) >= SHORTEST))
        self._learnt: OrderedDict[str, None] = OrderedDict()
        self._own: Scanner | None = None
        self._is_ready = False
        self.generation = 0
        """Grows whenever more is known: what was searched before may hold a secret after all."""

    def prepare(self) -> None:
        """Load and compile the rules, which takes some tenths of a second, now and not when they are first needed.

        Raises:
            RuleError: something cannot be looked for.
        """
        _common_scanner()
        forms = [form for secret in (*self._secrets, *self._learnt) for form in written_forms(secret)]
        known = [Rule(kind=_KNOWN, pattern=re.compile(form), hint=form) for form in forms]
        self._own = Scanner((*self._rules, *known)) if known or self._rules else None
        self._is_ready = True

    def learn(self, secret: str) -> None:
        """Mask this, too, from here on, if it can be told from ordinary text. Run keys are known by their form."""
        if secret in self._learnt:
            self._learnt.move_to_end(secret)
        elif secret not in self._secrets and is_telling(secret) and not secret.startswith(RUN_KEY_PREFIX):
            self._learnt[secret] = None
            self._is_ready = False
            self.generation += 1
            if len(self._learnt) > _MOST_LEARNT:
                self._learnt.popitem(last=False)

    def find(self, data: bytes) -> list[Found]:
        """The secrets in a text, in their order; none overlaps another."""
        if not self._is_ready:
            self.prepare()
        found = _common_scanner().find(data)
        if self._own is not None:
            found = sorted(found + self._own.find(data))
        return _without_overlaps(found) if found else found

    def mask(self, data: bytes) -> Masked:
        """A text with its secrets masked."""
        return masked(data, self.find(data))

    def mask_in_place(self, data: bytes) -> bytes:
        """A text with its secrets masked and its length kept: `[masked KIND]***`, or as much of that as there is room for."""
        found = self.find(data)
        if not found:
            return data
        changed = bytearray(data)
        for start, end, kind in found:
            changed[start:end] = (b"[masked %b]" % kind.encode()).ljust(end - start, b"*")[: end - start]
        return bytes(changed)

    def mask_text(self, text: str) -> str:
        """The same for text; a lone surrogate is kept as it is."""
        raw = text.encode("utf-8", "surrogatepass")
        found = self.find(raw)
        return masked(raw, found).data.decode("utf-8", "surrogatepass") if found else text

    def mask_values(self, value: Any) -> Any:
        """The same with every text in it masked, but for the names of members."""
        if isinstance(value, str):
            return self.mask_text(value)
        if isinstance(value, (list, tuple)):
            return [self.mask_values(item) for item in value]
        if isinstance(value, dict):
            return {name: self.mask_values(member) for name, member in value.items()}
        return value


def masked(data: bytes, found: Sequence[Found]) -> Masked:
    """A text with what was found in it masked."""
    if not found:
        return Masked(data=data, counts={})
    parts: list[bytes] = []
    position = 0
    for start, end, kind in found:
        parts += (data[position:start], b"[masked %b]" % kind.encode())
        position = end
    parts.append(data[position:])
    return Masked(data=b"".join(parts), counts=Counter(one.kind for one in found))


def _without_overlaps(found: list[Found]) -> list[Found]:
    """What overlaps becomes one, named after what is known rather than what looks like something, then after the longer."""
    merged: list[Found] = []
    for one in found:
        last = merged[-1] if merged else None
        if last is None or one.start >= last.end:
            merged.append(one)
            continue
        named = max(last, one, key=lambda each: (each.kind == _KNOWN, each.end - each.start))
        merged[-1] = Found(last.start, max(last.end, one.end), named.kind)
    return merged
