"""What two texts have in common: what counting character by character gives."""

from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.pages._common import common_prefix, common_suffix

TEXTS = st.text("ab", max_size=20)


@given(TEXTS, TEXTS)
def test_the_longest_common_beginning(one: str, other: str) -> None:
    """Exactly as many as are the same, and no more."""
    length = common_prefix(one, other)
    assert one[:length] == other[:length]
    assert length in (len(one), len(other)) or one[length] != other[length]
    assert common_prefix(list(one), list(other)) == length


@given(TEXTS, TEXTS, st.integers(0, 20))
def test_the_longest_common_end(one: str, other: str, limit: int) -> None:
    """As the beginning, up to the limit."""
    limit = min(limit, len(one), len(other))
    length = common_suffix(one, other, limit)
    assert one[len(one) - length :] == other[len(other) - length :]
    assert length == limit or one[-length - 1] != other[-length - 1]
