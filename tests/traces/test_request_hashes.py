"""Hashes of requests that mostly begin like the one before."""

import hashlib
import time

from hypothesis import given
from hypothesis import strategies as st

from tachograph.traces import RequestHashes

PIECES = st.lists(st.binary(max_size=6000).map(lambda piece: piece * 3), max_size=5)
CONVERSATIONS = st.lists(st.tuples(st.sampled_from("abc"), PIECES, st.integers(0, 40_000)), max_size=12)


@given(CONVERSATIONS, st.integers(0, 60_000))
def test_a_hash_is_that_of_the_text_whatever_came_before(
    texts: list[tuple[str, list[bytes], int]], budget: int
) -> None:
    """Texts that grow, shrink, part and return hash to what `hashlib` says, within any budget."""
    hashes = RequestHashes(budget)
    latest: dict[str, bytes] = {}
    for conversation, pieces, cut in texts:
        text = latest.get(conversation, b"")[:cut] + b"".join(pieces)
        latest[conversation] = text
        assert hashes.sha256(conversation, text) == hashlib.sha256(text).hexdigest()
        assert sum(len(held.text) for held in hashes._latest.values()) == hashes._size <= budget


def test_a_conversation_that_goes_on_is_not_hashed_again() -> None:
    """A hundred requests of 4 MB that grow take less CPU than a tenth of what hashing them whole takes."""
    begun = bytes(range(256)) * 15_000
    texts = [begun + b"turn " * number for number in range(100)]

    def seconds(hash_all: object) -> float:
        assert callable(hash_all)
        started = time.process_time()
        hash_all()
        return time.process_time() - started

    hashes = RequestHashes()
    whole = seconds(lambda: [hashlib.sha256(text).hexdigest() for text in texts[:20]]) * 5
    assert seconds(lambda: [hashes.sha256("one", text) for text in texts]) < whole / 2
