"""Bodies of a page: what is packed comes out again, to the character."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.pages import _body_table
from tachograph.scoring.pages._body_table import BodyTable, Placed

NOTHING = Placed(None, None, "")
Unpack = Callable[[dict[str, str]], list[str]]


@given(st.lists(st.tuples(st.text(max_size=30), st.integers(0, 10)), max_size=12))
def test_unpacked_they_are_as_they_were(unpack: Unpack, given_bodies: list[tuple[str, int]]) -> None:
    """Whatever they lean on, and whatever characters they are of: also those that are two units to a script."""
    table, placed, texts = BodyTable(), [NOTHING], [""]
    for text, like in given_bodies:
        base = like % len(placed)
        texts.append(texts[base][: len(text)] + text + texts[base][-len(text) :])
        placed.append(table.add(texts[-1], placed[base]))
    assert unpack(table.packed()) == texts[1:]
    assert [one.place for one in placed[1:]] == list(range(len(given_bodies)))
    assert all(one.note is None for one in placed)


def test_the_same_bodies_give_the_same_bytes() -> None:
    """No time of day is in them."""
    packed = []
    for _ in range(2):
        table = BodyTable()
        table.add("a" * 1000, NOTHING)
        packed.append(table.packed())
    assert packed[0] == packed[1]


def test_a_long_body_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch, unpack: Unpack) -> None:
    """What is not on the page is counted, and what leans on a cut body is right as far as it goes."""
    monkeypatch.setattr(_body_table, "_LONGEST", 10)
    table = BodyTable()
    first = table.add("0123456789abc", NOTHING)
    second = table.add("0123456789abcd", first)
    assert unpack(table.packed()) == ["0123456789", "0123456789"]
    assert first.note == "the last 3 characters are not on the page"
    assert second.note == "the last 4 characters are not on the page"


def test_a_page_has_a_limit(monkeypatch: pytest.MonkeyPatch, unpack: Unpack) -> None:
    """What has no room says why, and what is like something that is there still has: only what is new counts."""
    monkeypatch.setattr(_body_table, "_MOST", 10)
    table = BodyTable()
    first = table.add("01234567", NOTHING)
    refused = table.add("abcdefgh", NOTHING)
    like = table.add("01234567ab", first)
    assert (refused.place, refused.note) == (None, "the bodies of the calls before it are as much as a page takes")
    assert unpack(table.packed()) == ["01234567", "01234567ab"]
    assert like.place == 1
