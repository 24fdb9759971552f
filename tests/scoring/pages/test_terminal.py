"""The recording of a terminal as still pictures."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.pages._terminal import read_terminal

_HEADER = {"version": 2, "width": 20, "height": 5, "timestamp": 1}
_STRIKING = [
    "\x1b",
    "[",
    "]",
    "P",
    "?",
    ";",
    ":",
    "1049",
    "h",
    "l",
    "m",
    "H",
    "J",
    "K",
    "L",
    "M",
    "S",
    "T",
    "r",
    "b",
    "7",
    "8",
]


def _cast(folder: Path, *events: Any, header: Any = _HEADER) -> Path:
    path = folder / "terminal.cast"
    path.write_text("".join(json.dumps(line) + "\n" for line in [header, *events]))
    return path


def _read(folder: Path, *events: Any, header: Any = _HEADER) -> dict[str, Any]:
    terminal, reason = read_terminal(_cast(folder, *events, header=header), 0.0)
    assert terminal is not None, reason
    return terminal


def _written(folder: Path, *pieces: str) -> dict[str, Any]:
    return _read(folder, *([float(second), "o", piece] for second, piece in enumerate(pieces)))


def _runs(terminal: dict[str, Any], until: int | None = None) -> list[list[Any]]:
    """The lines of the screen after some pictures, as a browser puts them together."""
    lines: list[list[Any]] = [[] for _ in range(terminal["rows"])]
    for picture in terminal["pictures"][:until]:
        for row, place in picture["rows"]:
            lines[row] = terminal["lines"][place]
    return lines


def _screen(terminal: dict[str, Any], until: int | None = None) -> list[str]:
    lines = ["".join(run[0] for run in line) for line in _runs(terminal, until)]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _looks(terminal: dict[str, Any], row: int = 0) -> list[tuple[str, dict[str, Any]]]:
    """The runs of a row, with what is set of their style."""
    return [
        (run[0], {name: value for name, value in terminal["styles"][run[1]].items() if value})
        for run in _runs(terminal)[row]
    ]


def test_each_event_makes_a_picture_of_what_changed(tmp_path: Path) -> None:
    """A picture names the rows that changed and no others, and where the cursor stands."""
    terminal = _written(tmp_path, "one\r\n", "two", "\rTwo")

    assert [[row for row, _ in picture["rows"]] for picture in terminal["pictures"]] == [[0], [1], [1]]
    assert [picture["at_ms"] for picture in terminal["pictures"]] == [0, 1000, 2000]
    assert terminal["pictures"][-1]["cursor"] == (1, 3)
    assert _screen(terminal) == ["one", "Two"]
    assert _screen(terminal, 1) == ["one"]


def test_events_of_one_moment_make_one_picture(tmp_path: Path) -> None:
    """No more pictures than a screen shows, none earlier than what it shows, and the last event is never lost."""
    terminal = _read(tmp_path, *([second / 100, "o", "x"] for second in range(10)))

    assert [picture["at_ms"] for picture in terminal["pictures"]] == [30, 70, 90]
    assert _screen(terminal) == ["x" * 10]


def test_what_changes_nothing_makes_no_picture(tmp_path: Path) -> None:
    """A title, a bell and a colour that nothing is written in are not seen."""
    terminal = _written(tmp_path, "x", "\a", "\x1b]0;title\a", "\x1b[31m", "\r\x1b[mx")

    assert len(terminal["pictures"]) == 1


def test_a_line_is_kept_once(tmp_path: Path) -> None:
    """Scrolling names lines that are there already."""
    terminal = _written(tmp_path, *(f"line {number % 3}\r\n" for number in range(30)))

    assert len(terminal["lines"]) == 3
    assert _screen(terminal) == ["line 2", "line 0", "line 1", "line 2"]


def test_colours(tmp_path: Path) -> None:
    """The palette by name, others as they are, with semicolons or colons between."""
    terminal = _written(
        tmp_path,
        "\x1b[31;1mA\x1b[0;92mB\x1b[38;5;3mC\x1b[38;5;208mD\x1b[38;2;1;2;3mE\x1b[38:2::4:5:6mF\x1b[48:5:12mG\x1b[39;49mH",
    )

    assert _looks(terminal) == [
        ("A", {"foreground": "red", "bold": True}),
        ("B", {"foreground": "brightgreen"}),
        ("C", {"foreground": "yellow"}),
        ("D", {"foreground": "#ff8700"}),
        ("E", {"foreground": "#010203"}),
        ("F", {"foreground": "#040506"}),
        ("G", {"foreground": "#040506", "background": "brightblue"}),
        ("H", {}),
    ]


def test_looks(tmp_path: Path) -> None:
    """Each rendition is set and taken back; the colour of an underline is no colour of the text."""
    terminal = _written(
        tmp_path, "\x1b[2mA\x1b[22;3mB\x1b[23;4:3mC\x1b[4:0;7mD\x1b[27;9mE\x1b[29mF\x1b[58;5;1mG\x1b[>4;2mH"
    )

    assert _looks(terminal) == [
        ("A", {"faint": True}),
        ("B", {"italic": True}),
        ("C", {"underline": True}),
        ("D", {"inverse": True}),
        ("E", {"strike": True}),
        ("FGH", {}),
    ]


def test_a_sequence_may_be_cut_anywhere(tmp_path: Path) -> None:
    """Events are cut where the terminal happened to be read."""
    text = "a\x1b[31mb\x1b]0;x\x1b\\c\x1b(0q\x1b(Bd\x1bP1$r\x1b\\e"

    assert _looks(_written(tmp_path, *text)) == _looks(_written(tmp_path, text))
    assert _screen(_written(tmp_path, *text)) == ["abc─de"]


def test_wide_characters_take_two_columns(tmp_path: Path) -> None:
    """They are runs that say so; half of one is blank, and a mark on a letter takes no column."""
    terminal = _written(tmp_path, "a漢字b\r\ncafe\u0301!\r\n漢\x1b[3;2Hx\r\n❤\ufe0f!\r\n👩\u200d💻!")
    last = terminal["pictures"][-1]["cursor"]

    assert [[run[0], *run[2:]] for run in _runs(terminal)[0]] == [["a"], ["漢字", 2], ["b"]]
    assert _screen(terminal)[1:4] == ["café!", " x", "❤!"]
    assert _screen(terminal)[4] == "👩💻!"
    assert last == (4, 5)


def test_the_alternate_screen_comes_and_goes(tmp_path: Path) -> None:
    """What stood there before comes back, and the cursor with it."""
    terminal = _written(tmp_path, "before\r\n", "\x1b[?1049h\x1b[2Jinside\x1b[?25l", "\x1b[?25h\x1b[?1049lafter")

    assert [_screen(terminal, until) for until in (1, 2, 3)] == [["before"], ["", "inside"], ["before", "after"]]
    assert [picture["cursor"] for picture in terminal["pictures"]] == [(1, 0), None, (1, 5)]


def test_moves_and_erasures(tmp_path: Path) -> None:
    """Regions that scroll, lines taken out and put in, and the one place for a cursor."""
    terminal = _written(
        tmp_path,
        "1\r\n2\r\n3\r\n4\r\n5",
        "\x1b[2;4r\x1b[4;1H\n",
        "\x1b[r\x1b[2;1H\x1b[L",
        "\x1b[2M\x1b[1;1H\x1b[3@",
        "\x1b7\x1b[5;1Hx\x1b8y\x1b[5;2H\x1b8z\x1b[2;1H\x1b[1J",
    )

    assert [_screen(terminal, until) for until in (2, 3, 4, 5)] == [
        ["1", "3", "4", "", "5"],
        ["1", "", "3", "4"],
        ["   1", "4"],
        ["", "", "", "", "x"],
    ]


def test_erasing_leaves_the_background_only(tmp_path: Path) -> None:
    """As xterm does it: underlines and inversion are of characters."""
    assert _looks(_written(tmp_path, "\x1b[44;4;7mx\x1b[m\x1b[44;4m\x1b[K")) == [
        ("x", {"background": "blue", "underline": True, "inverse": True}),
        (" " * 19, {"background": "blue"}),
    ]


def test_a_resize(tmp_path: Path) -> None:
    """A terminal is as large as it ever was; rows and columns that it lost are empty."""
    terminal = _read(
        tmp_path, [0, "o", "1\r\n2\r\n3\r\n4\r\n5"], [1, "r", "30x3"], [2, "o", "\r\n6"], [3, "r", "0x0"], [4, "r", "x"]
    )

    assert (terminal["columns"], terminal["rows"]) == (30, 5)
    assert [_screen(terminal, until) for until in (1, 2, 3)] == [
        ["1", "2", "3", "4", "5"],
        ["3", "4", "5"],
        ["4", "5", "6"],
    ]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Other events are passed over; what is no event is counted; a last line that was being written is no fault."""
    path = _cast(
        tmp_path,
        [0, "o", "a"],
        [1, "i", "typed"],
        [1, "m", "mark"],
        [-1, "o", "b"],
        "text",
        {"o": 1},
        [1, "o"],
        [3, "o", "c"],
    )
    with path.open("ab") as file:
        file.write(b'\xff\n[4, "o", "\\ud800"]\n[5, "o", "cut')

    terminal, _ = read_terminal(path, 12.5)

    assert terminal is not None
    assert _screen(terminal) == ["ac"]
    assert terminal["note"] == "6 lines of the recording could not be read"
    assert (terminal["start_ms"], terminal["duration_ms"]) == (12.5, 3000)


def test_no_recording(tmp_path: Path) -> None:
    """None, and why."""
    assert read_terminal(tmp_path / "terminal.cast", 0.0) == (None, "the terminal was not recorded")
    headers: list[Any] = [
        {"version": 1},
        [],
        {"version": 2, "width": 0, "height": 5},
        {"version": 2, "width": "9", "height": 5},
    ]
    for header in headers:
        terminal, reason = read_terminal(_cast(tmp_path, header=header), 0.0)
        assert terminal is None
        assert reason == "the recording of the terminal is no asciicast of version 2"


def test_a_long_recording_has_fewer_pictures(tmp_path: Path) -> None:
    """It fits into a page, to its end, and says what was done to it."""
    events = ([second / 20, "o", f"\x1b[H{second:8} {'x' * (second % 50)}"] for second in range(22_000))
    header = {"version": 2, "width": 80, "height": 3}

    terminal = _read(tmp_path, *events, header=header)

    assert 1_000 < len(terminal["pictures"]) <= 10_000
    assert len(json.dumps(terminal, separators=(",", ":"))) < 700_000
    assert "the recording is long: pictures are at least" in terminal["note"]
    assert _screen(terminal)[0].startswith("   21999")
    assert terminal["duration_ms"] == 21_999 * 50


def test_a_hostile_recording_is_inert(tmp_path: Path) -> None:
    """Titles, links, the clipboard, pictures and keys are nowhere, and no sequence is so long that it shows."""
    tricks = (
        "\x1b]52;c;c2VjcmV0\a",
        "\x1b]0;title\x1b\\",
        "\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\",
        "\x1bPq#0;2;0;0;0#0~~@@vv@@~~$-\x1b\\",
        "\x1b_Gf=100;AAAA\x1b\\",
        "\x1b[?2004h\x1b[200~\x1b[201~",
        "\x1b[" + "1;" * 100_000 + "m",
        "\x1b[99999999999999999999A\x1b[?5A\x1b[1;2;3;4A\x1b[<u\x1b[=c\x1b[!p\x1b[6n\x1b[c\x1b#8",
        "\x1b[9999b\x1b[9999L\x1b[9999S\x1b[H",
        "\u202e\u2066a\x00\x7f",
        "</script><b onload='x'>",
    )
    terminal = _written(tmp_path, *tricks)
    text = json.dumps(terminal, ensure_ascii=False)

    assert _screen(terminal) == ["a</script><b onload=", "'x'>"]
    assert not any(
        word in text for word in ("c2Vj", "title", "javascript", "vv@@", "AAAA", "2004", "1;1", "\\u00", "\u202e")
    )
    assert "link" in text


def test_a_recording_is_bounded(tmp_path: Path) -> None:
    """A terminal of any size, characters of any number on one, and work without end: it says where it stops."""
    header = {"version": 2, "width": 10**9, "height": 10**9}
    events = [[second, "o", "\x1b[H" + "e" + "\u0301" * 10_000 + "\x1b[2J" * 5_000] for second in range(100)]

    terminal, _ = read_terminal(_cast(tmp_path, *events, header=header), 0.0, most_work=10_000_000)

    assert terminal is not None
    assert (terminal["columns"], terminal["rows"]) == (500, 200)
    assert "it goes on after" in terminal["note"]
    assert "the terminal was larger than the 500 columns and 200 rows that are shown" in terminal["note"]


_PIECES = st.lists(
    st.one_of(st.text(max_size=20), st.sampled_from(_STRIKING), st.sampled_from("漢e\u0301👩\u200d\n\r\t\b"))
)
_EVENTS = st.one_of(
    st.tuples(st.floats(0, 10), st.just("o"), _PIECES.map("".join)),
    st.tuples(st.floats(), st.sampled_from(["o", "r", "i"]), st.text(max_size=9)),
    st.tuples(
        st.floats(0, 10), st.just("r"), st.tuples(st.integers(1, 40), st.integers(1, 9)).map("{0[0]}x{0[1]}".format)
    ),
)


@given(st.lists(_EVENTS, max_size=12), st.integers(1, 40), st.integers(1, 9))
def test_no_input_makes_it_fail(tmp_path_factory: Any, events: list[Any], columns: int, rows: int) -> None:
    """Rows, columns, lines and styles that are named are there, and moments only go forward."""
    folder = tmp_path_factory.mktemp("cast")
    terminal = _read(folder, *events, header={"version": 2, "width": columns, "height": rows})
    moments = [picture["at_ms"] for picture in terminal["pictures"]]

    assert moments == sorted(moments)
    for picture in terminal["pictures"]:
        assert all(
            0 <= row < terminal["rows"] and 0 <= place < len(terminal["lines"]) for row, place in picture["rows"]
        )
        if picture["cursor"] is not None:
            row, column = picture["cursor"]
            assert 0 <= row < terminal["rows"]
            assert 0 <= column < terminal["columns"]
    for line in terminal["lines"]:
        assert all(0 <= style < len(terminal["styles"]) for _, style, *_ in line)
        assert sum(len(text) for text, _, *width in line if not width) <= terminal["columns"] * 8
        assert not any(ord(character) < 32 for text, *_ in line for character in text)


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(tmp_path_factory: Any, noise: bytes) -> None:
    """A file that was damaged is a recording without what was damaged."""
    path = _cast(tmp_path_factory.mktemp("cast"), [0, "o", "x"])
    path.write_bytes(path.read_bytes() + noise)

    terminal, reason = read_terminal(path, 0.0)

    assert reason is None
    assert terminal is not None
