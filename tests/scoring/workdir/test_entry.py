"""When a file's ctime can be trusted."""

import pytest

from tachograph.scoring.workdir._entry import is_racy

SECOND = 10**9
START = 1_700_000_000 * SECOND


@pytest.mark.parametrize(
    ("before_start", "racy"),
    [
        (0, True),
        (-5, True),
        (19_999_999, True),
        (20_000_001, False),
        (SECOND + 1, False),
        (SECOND, True),
        (2 * SECOND - SECOND, True),
        (3 * SECOND, False),
    ],
)
def test_a_ctime_is_trusted_if_a_later_one_would_differ(before_start: int, *, racy: bool) -> None:
    """Two ticks of the slowest clock before the look began; two seconds if the file system seems to keep whole seconds."""
    assert is_racy(START - before_start, START) is racy
