"""What recording processes hold that is not on disk, as others see it."""

import asyncio

from tachograph.harness._drops import DropBoard


async def test_what_waits_is_told_and_what_died_stays_told() -> None:
    """Lines of a process that died are no more at stake but lost, for good."""
    board, waiting = DropBoard(2), [3]
    telling = asyncio.ensure_future(board.keep(1, lambda: waiting[0]))
    await asyncio.sleep(0)
    assert (board.unwritten, board.lost) == (3, 0)
    telling.cancel()
    board.lose(0)
    board.lose(1)
    assert (board.unwritten, board.lost) == (0, 3)
