"""What a program wrote to its terminal, as what it does to a screen (ECMA-48, xterm's control sequences).

pyte's own parser takes `CSI > 4 ; 2 m` for underline, draws device control strings as text, and fails on parameters that a
function does not know; so programs of today come out wrong with it.
"""

import re
from collections.abc import Mapping
from typing import Final

from pyte import modes

from ._terminal_screen import RecordedScreen

__all__ = ["TerminalStream"]

_LONGEST_SEQUENCE: Final = 1024
"""Characters of a control sequence that are looked at."""
_MOST_PARAMETERS: Final = 32
_LARGEST_PARAMETER: Final = 9999
_WORK_OF_SEQUENCE: Final = 30

_PIECE: Final = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|(?:\x1b\[|\x9b)(?P<marker>[<-?]?)(?P<parameters>[0-;]*)(?P<rest>[ -?]*)(?P<final>[@-~]?)"
    r"|(?P<string>\x1b[]PX^_]|[\x90\x98\x9d-\x9f])"
    r"|\x1b(?P<escape>[ -/]*[0-Z\\`-~]?)"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
)
_STRING_END: Final = re.compile(r"[\x07\x18\x1a\x1b\x9c]")
"""What ends an operating system command, a device control string and their like, none of which is looked at."""

_CONTROLS: Final = {
    "\b": "backspace",
    "\t": "tab",
    "\n": "linefeed",
    "\v": "linefeed",
    "\f": "linefeed",
    "\r": "carriage_return",
    "\x0e": "shift_out",
    "\x0f": "shift_in",
    "\x84": "index",
    "\x85": "linefeed",
    "\x8d": "reverse_index",
}
_ESCAPES: Final = {
    "D": "index",
    "E": "linefeed",
    "M": "reverse_index",
    "H": "set_tab_stop",
    "c": "reset",
    "7": "save_cursor",
    "8": "restore_cursor",
}
_COUNTED: Final = {
    "@": "insert_characters",
    "A": "cursor_up",
    "B": "cursor_down",
    "C": "cursor_forward",
    "D": "cursor_back",
    "E": "cursor_down1",
    "F": "cursor_up1",
    "G": "cursor_to_column",
    "J": "erase_in_display",
    "K": "erase_in_line",
    "L": "insert_lines",
    "M": "delete_lines",
    "P": "delete_characters",
    "S": "scroll_up",
    "T": "scroll_down",
    "X": "erase_characters",
    "`": "cursor_to_column",
    "a": "cursor_forward",
    "b": "repeat",
    "d": "cursor_to_line",
    "e": "cursor_down",
    "g": "clear_tab_stop",
}
"""Functions of one number, by the last character of their sequence."""
_UNCOUNTED: Final = {"s": "save_cursor", "u": "restore_cursor", "Z": "back_tab"}
_ZERO_MEANS_ZERO: Final = frozenset("JKg")
_MODES: Final[Mapping[tuple[str, int], int]] = {
    ("", 4): modes.IRM,
    ("", 20): modes.LNM,
    ("?", 6): modes.DECOM,
    ("?", 7): modes.DECAWM,
    ("?", 25): modes.DECTCEM,
}
_ALTERNATE: Final = frozenset({47, 1047, 1049})
_SAVED_CURSOR: Final = 1048


class TerminalStream:
    """Takes what was written, in pieces that are cut anywhere, and does it to a screen."""

    def __init__(self, screen: RecordedScreen) -> None:
        """Write to this screen."""
        self._screen = screen
        self._held = ""
        self._in_string = False

    def feed(self, text: str) -> None:
        """Take the next piece. It never fails."""
        text, self._held = self._held + text, ""
        at = 0
        while at < len(text):
            if self._in_string:
                end = _STRING_END.search(text, at)
                if end is None:
                    return
                self._in_string = False
                # The escape may begin another sequence; as the end of this one it does nothing by itself.
                at = end.start() if end[0] == "\x1b" else end.end()
                continue
            piece = _PIECE.match(text, at)
            if piece is None:  # it cannot be: each character begins one
                return
            at = piece.end()
            if at == len(text) and self._is_unfinished(piece):
                self._held = piece[0][:_LONGEST_SEQUENCE]
                return
            self._do(piece)

    @staticmethod
    def _is_unfinished(piece: re.Match[str]) -> bool:
        if piece["parameters"] is not None:
            return not piece["final"]
        return piece["escape"] is not None and (not piece["escape"] or piece["escape"][-1] < "0")

    def _do(self, piece: re.Match[str]) -> None:
        if piece["text"]:
            self._screen.draw(piece["text"])
            return
        # Some go through all lines or columns.
        self._screen.work += _WORK_OF_SEQUENCE + self._screen.lines + self._screen.columns
        if piece["final"]:
            if not piece["rest"] and len(piece[0]) < _LONGEST_SEQUENCE:
                self._control_sequence(piece["marker"], piece["parameters"], piece["final"])
        elif piece["string"]:
            self._in_string = True
        elif piece["control"]:
            self._call(_CONTROLS.get(piece["control"]))
        elif piece["escape"]:
            self._escape(piece["escape"])

    def _call(self, name: str | None) -> None:
        if name:
            getattr(self._screen, name)()

    def _escape(self, escape: str) -> None:
        if escape == "E":
            self._screen.carriage_return()
        if escape[0] in "()":
            self._screen.define_charset(escape[1:], escape[0])
        else:
            self._call(_ESCAPES.get(escape))

    def _control_sequence(self, marker: str, written: str, final: str) -> None:
        parameters = _numbers(written)
        first, second = (parameters[place][0] if place < len(parameters) else 0 for place in (0, 1))
        if final in "hl" and marker in {"", "?"}:
            self._set_modes(marker, parameters, on=final == "h")
        elif marker and not (marker == "?" and final in "JK"):
            return
        elif name := _COUNTED.get(final):
            getattr(self._screen, name)(first if final in _ZERO_MEANS_ZERO else first or 1)
        elif final == "m":
            self._screen.render(parameters)
        elif final in "Hf":
            self._screen.cursor_position(first, second)
        elif final == "r":
            self._set_margins(first or 1, second or self._screen.lines)
        else:
            self._call(_UNCOUNTED.get(final))

    def _set_margins(self, top: int, bottom: int) -> None:
        if top < bottom:
            self._screen.margins = None
            if (top, min(bottom, self._screen.lines)) != (1, self._screen.lines):
                self._screen.set_margins(top, bottom)
            self._screen.cursor_position()

    def _set_modes(self, marker: str, parameters: list[list[int]], *, on: bool) -> None:
        for number, *_ in parameters:
            if mode := _MODES.get((marker, number)):
                (self._screen.set_mode if on else self._screen.reset_mode)(mode)
            elif marker and number in _ALTERNATE:
                self._screen.show_alternate(on=on)
            elif marker and number == _SAVED_CURSOR:
                self._call("save_cursor" if on else "restore_cursor")


def _numbers(written: str) -> list[list[int]]:
    """Parameters, each with the parts that colons stand between; what was left out is 0."""
    return [
        [min(int(part[:5] or 0), _LARGEST_PARAMETER) for part in parameter.split(":")]
        for parameter in written.split(";", _MOST_PARAMETERS)[:_MOST_PARAMETERS]
    ]
