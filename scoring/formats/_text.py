"""Text and values that any JSON or XML can hold."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

__all__ = ["known", "plain", "timestamp", "visible", "xml_text"]

_SECOND: Final = 1_000_000_000
_HALF: Final = re.compile("[\ud800-\udfff]")
_NOT_IN_XML: Final = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""XML 1.0, production 2 (`Char`), less the carriage return, which a parser turns into a newline."""
_ESCAPED_BYTES: Final = range(0xDC80, 0xDD00)
"""As which Python holds the bytes of a file's name that are no UTF-8."""


def visible(text: str) -> str:
    r"""The same; halves of characters, and bytes of names that are no UTF-8, as `\ud800` and `\xff`."""
    return _HALF.sub(_escape, text)


def xml_text(text: str) -> str:
    r"""The same; characters that XML cannot hold as `\x1b` or `\uffff`."""
    return _NOT_IN_XML.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code in _ESCAPED_BYTES:
        code -= 0xDC00
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - a byte


def plain(value: Any) -> Any:
    """The same as JSON values: strings made visible, sequences as lists."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(str(name)): plain(member) for name, member in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def known(**members: Any) -> dict[str, Any]:
    """Those that are not None: what is not known is left out, in formats that have no word for it."""
    return {name: value for name, value in members.items() if value is not None}


def timestamp(unix_ns: int) -> str:
    """Nanoseconds since 1970 as ISO 8601, UTC, cut to microseconds."""
    seconds, rest = divmod(unix_ns, _SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"
