"""In which forms a secret that is known may be written, and which values are secrets that can be told from other text."""

import base64
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

__all__ = ["SHORTEST", "in_base64", "is_telling", "secrets_of_environment", "written_forms"]

SHORTEST: Final = 8
"""Characters: what is shorter stands in every text by chance."""
_PIECE: Final = 64
"""A long secret is looked for by pieces of so many characters: it may be cut, and long expressions are slow."""
_SHORTEST_BASE64: Final = 8

_ORDINARY: Final = re.compile(r"[A-Za-z]{1,14}(?:[-_ .][A-Za-z]{1,14})*\d{0,2}|\d{1,15}")
"""Words, and numbers that may be dates or ids: `not-needed` is what agents get where no key is wanted."""
_SECRET_NAME: Final = re.compile(
    r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PAT|CREDENTIALS?)$", re.IGNORECASE
)
_PLACE: Final = re.compile(r"(?:~?/|\.{1,2}/|https?://[^@]*$)")
_PARTS: Final = re.compile(r"[\s\"',{}]+|\\n")
_ENTROPY: Final = 4.5
"""Bits a character, detect-secrets' limit for what is base64."""
_SHORTEST_PART: Final = 20

_LETTERS: Final[Mapping[str, str]] = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
"""RFC 8259, section 7."""


def is_telling(value: str) -> bool:
    """Whether a value can be told from ordinary text: masked wherever it stands, it would not take other things with it."""
    return len(value) >= SHORTEST and len(set(value)) > SHORTEST // 2 and not _ORDINARY.fullmatch(value)


def secrets_of_environment(environment: Mapping[str, str]) -> list[str]:
    """The values of variables whose names look like secrets, as far as they can be told from ordinary text.

    Of a value in several parts (a key in lines, credentials as JSON), those parts that look random.
    """
    found: dict[str, None] = {}
    for name, value in environment.items():
        if not _SECRET_NAME.search(name) or _PLACE.match(value):
            continue
        parts = [part for part in _PARTS.split(value) if part]
        if len(parts) == 1:
            found.update(dict.fromkeys(part for part in parts if is_telling(part)))
        else:
            found.update(dict.fromkeys(part for part in parts if _looks_random(part)))
    return list(found)


def _looks_random(part: str) -> bool:
    counts = Counter(part)
    entropy = -sum(count / len(part) * math.log2(count / len(part)) for count in counts.values())
    return len(part) >= _SHORTEST_PART and entropy >= _ENTROPY


def written_forms(secret: str) -> Iterator[bytes]:
    r"""Regular expressions for a secret as it is, escaped in JSON any number of times, and in base64 at any alignment.

    What `\/`, `\u0000` and `%00` stand for is known to who looks, but for characters beyond ASCII.
    """
    pieces = [secret[start : start + _PIECE] for start in range(0, len(secret), _PIECE)]
    if len(pieces) > 1 and len(pieces[-1]) < SHORTEST:
        pieces[-2:] = ["".join(pieces[-2:])]
    for piece in pieces:
        yield b"".join(map(_escaped_or_not, piece))
    raw = _bytes_of(secret)
    for start in range(0, len(raw), _PIECE):
        yield from in_base64(raw[start : start + _PIECE])


def _escaped_or_not(character: str) -> bytes:
    raw = _bytes_of(character)
    plain = b"".join(b"\\x%02x" % byte for byte in raw)
    if character < " ":
        letter = _LETTERS.get(character, "").encode()
        return rb"(?:%b|\\{1,7}%b|%%%b)" % (plain, letter or b"u00" + _hex(raw), _hex(raw))
    if character == "\\":
        return rb"\\{1,8}"
    if character in "\"'":
        return rb"\\{0,7}" + plain
    if character.isascii():
        return character.encode() if character.isalnum() else plain
    units = character.encode("utf-16-be", "surrogatepass")
    in_json = b"".join(rb"\\{1,7}u" + _hex(units[at : at + 2]) for at in range(0, len(units), 2))
    in_url = b"".join(b"%" + _hex(bytes([byte])) for byte in raw)
    return b"(?:%b|%b|%b)" % (plain, in_json, in_url)


def _bytes_of(text: str) -> bytes:
    """As the text came from the wire or the environment; half a character as JSON may have it."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _hex(data: bytes) -> bytes:
    """Hex digits of either case."""
    return b"".join(
        b"[%c%c]" % (digit, digit - 32) if digit >= ord("a") else bytes([digit]) for digit in data.hex().encode()
    )


def in_base64(raw: bytes) -> Iterator[bytes]:
    """Regular expressions for a secret in base64 (RFC 4648, both alphabets), wherever in groups of three bytes it begins.

    Of its first and last character the neighbours decide: they are not looked at.
    """
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + raw)
        decided = encoded[(0, 2, 3)[offset] : 8 * (offset + len(raw)) // 6]
        if len(decided) >= _SHORTEST_BASE64:
            yield decided.replace(b"+", b"[+-]").replace(b"/", b"[/_]")
