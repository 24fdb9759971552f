"""How a terminal's characters look: Select Graphic Rendition (ECMA-48, 8.3.117; ITU-T T.416 for colours)."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pyte.graphics import FG_BG_256
from pyte.screens import Char

__all__ = ["apply_rendition", "style_of"]

_DEFAULT: Final = "default"
_NAMES: Final = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_PALETTE: Final = (*_NAMES, *(f"bright{name}" for name in _NAMES))
# pyte knows no faint characters, and a page does not blink: `blink` stands for faint here.
_SWITCHES: Final[dict[int, dict[str, Any]]] = {
    1: {"bold": True},
    2: {"blink": True},
    3: {"italics": True},
    4: {"underscore": True},
    7: {"reverse": True},
    9: {"strikethrough": True},
    21: {"underscore": True},
    22: {"bold": False, "blink": False},
    23: {"italics": False},
    24: {"underscore": False},
    27: {"reverse": False},
    29: {"strikethrough": False},
    39: {"fg": _DEFAULT},
    49: {"bg": _DEFAULT},
}
for _field, _firsts in (("fg", (30, 90)), ("bg", (40, 100))):
    for _first, _names in zip(_firsts, (_PALETTE[:8], _PALETTE[8:]), strict=True):
        _SWITCHES.update((_first + _place, {_field: _name}) for _place, _name in enumerate(_names))
_EXTENDED: Final = {38: "fg", 48: "bg", 58: None}
"""Codes that a colour follows, and what it is the colour of; that of underlines is passed over."""
_PLAIN: Final = Char(" ")
_UNDERLINE: Final = 4
_INDEXED, _DIRECT = 5, 2


def apply_rendition(attributes: Char, parameters: Sequence[Sequence[int]]) -> Char:
    """The attributes after a sequence of renditions.

    Args:
        attributes: those before.
        parameters: of the control sequence, each with its parts, which colons stood between.
    """
    changes: dict[str, Any] = {}
    rest = iter(parameters)
    for code, *parts in rest:
        if code == 0:
            changes = _PLAIN._asdict()
        elif code in _EXTENDED:
            colour = _direct_colour(parts) if parts else _colour(rest)
            if (field := _EXTENDED[code]) and colour:
                changes[field] = colour
        elif code == _UNDERLINE and parts:
            changes["underscore"] = parts[0] != 0
        else:
            changes |= _SWITCHES.get(code, {})
    changes.pop("data", None)
    return attributes._replace(**changes)


def _direct_colour(parts: Sequence[int]) -> str | None:
    """A colour whose parts colons stand between: `5:n`, `2:r:g:b` or `2:space:r:g:b`."""
    kind, *values = parts
    if kind == _DIRECT:
        values = values[-3:] if len(values) == 3 else values[1:4]  # noqa: PLR2004 - three parts: no colour space
    return _colour(iter([[kind], *([value] for value in values)]))


def _colour(rest: Iterator[Sequence[int]]) -> str | None:
    """A colour out of the parameters that follow; None if they tell of none."""
    values = (parameter[0] for parameter in rest)
    kind = next(values, None)
    if kind == _INDEXED and (place := next(values, None)) is not None and place < len(FG_BG_256):
        return _PALETTE[place] if place < len(_PALETTE) else f"#{FG_BG_256[place]}"
    if kind == _DIRECT:
        red, green, blue = (min(next(values, 0), 255) for _ in range(3))
        return f"#{red:02x}{green:02x}{blue:02x}"
    return None


def style_of(style: Char) -> dict[str, Any]:
    """A character's looks, of the form `TerminalStyle`."""
    return {
        "foreground": None if style.fg == _DEFAULT else style.fg,
        "background": None if style.bg == _DEFAULT else style.bg,
        "bold": style.bold,
        "faint": style.blink,
        "italic": style.italics,
        "underline": style.underscore,
        "strike": style.strikethrough,
        "inverse": style.reverse,
    }
