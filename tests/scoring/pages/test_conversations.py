"""Which request goes on from which."""

from typing import Any

from tachograph.scoring.pages._conversations import Asked, Conversations
from tachograph.scoring.pages._message_table import MessageTable
from tachograph.scoring.transcript import Message


class Talk:
    """Asks with texts; a text in capitals is an instruction."""

    def __init__(self) -> None:
        table = MessageTable()
        self.read: list[str] = []
        self._said: list[str] = []
        self._conversations = Conversations(table.places_of, lambda place: not self._said[place].isupper())

    def ask(self, name: str, *texts: str) -> Asked:
        self._said += [text for text in dict.fromkeys(texts) if text not in self._said]
        return self._conversations.ask(name, list(texts), self._messages_of)

    def _messages_of(self, entry: Any) -> tuple[Message, ...]:
        self.read.append(entry)
        return (Message(role="user", text=entry),)

    def texts(self, asked: Asked) -> list[str]:
        return [self._said[place] for place in asked.added]


def test_a_conversation_that_grows() -> None:
    """Of each request only what is new is told, and read: the rest is known."""
    talk = Talk()
    first = talk.ask("1", "SYSTEM", "a")
    second = talk.ask("2", "SYSTEM", "a", "b", "c")
    assert (first.since, first.kept, first.dropped, talk.texts(first)) == (None, 0, 0, ["SYSTEM", "a"])
    assert (second.since, second.kept, second.dropped, talk.texts(second)) == ("1", 2, 0, ["b", "c"])
    assert talk.read == ["SYSTEM", "a", "b", "c"]


def test_two_conversations_in_turns() -> None:
    """Sub-agents ask in between: each goes on from its own last request."""
    talk = Talk()
    talk.ask("a1", "SYSTEM", "a")
    other = talk.ask("b1", "SYSTEM", "x")
    assert other.since is None
    assert talk.ask("a2", "SYSTEM", "a", "b").since == "a1"
    assert talk.ask("b2", "SYSTEM", "x", "y").since == "b1"
    assert talk.ask("a3", "SYSTEM", "a", "b", "c").since == "a2"


def test_what_was_left_out_is_counted() -> None:
    """A shortened history: what is kept, how much is gone, what was put in its place."""
    talk = Talk()
    talk.ask("1", "SYSTEM", "a", "b", "c", "d")
    asked = talk.ask("2", "SYSTEM", "a", "summary")
    assert (asked.since, asked.kept, asked.dropped, talk.texts(asked)) == ("1", 2, 3, ["summary"])


def test_the_same_again_adds_nothing() -> None:
    """A retry."""
    talk = Talk()
    talk.ask("1", "SYSTEM", "a")
    asked = talk.ask("2", "SYSTEM", "a")
    assert (asked.since, asked.kept, asked.dropped, asked.added) == ("1", 2, 0, ())


def test_instructions_alone_are_no_conversation() -> None:
    """Two questions under the same instructions have nothing to do with one another."""
    talk = Talk()
    talk.ask("1", "SYSTEM", "a")
    assert talk.ask("2", "SYSTEM", "b").since is None


def test_an_entry_that_is_written_otherwise_and_says_the_same() -> None:
    """Some agents move a mark for the provider's cache from message to message: that changes nothing."""
    conversations = Conversations(MessageTable().places_of, lambda _: True)

    def messages_of(entry: Any) -> tuple[Message, ...]:
        return (Message(role="user", text=entry["text"]),)

    conversations.ask("1", [{"text": "a"}, {"text": "b", "cache": True}], messages_of)
    asked = conversations.ask("2", [{"text": "a"}, {"text": "b"}, {"text": "c", "cache": True}], messages_of)
    assert (asked.since, asked.kept, asked.dropped, asked.added) == ("1", 2, 0, (2,))


def test_few_are_remembered() -> None:
    """A run of thousands of single questions holds the latest of them only."""
    talk = Talk()
    for number in range(20):
        talk.ask(f"{number}", f"question {number}")
    assert talk.ask("late", "question 0", "more").since is None
    assert talk.ask("soon", "question 19", "more").since == "19"


def test_requests_in_which_nothing_is_said() -> None:
    """Embeddings between two calls push no conversation out."""
    talk = Talk()
    talk.ask("1", "a")
    assert all(talk.ask(f"e{number}").since is None for number in range(20))
    assert talk.ask("2", "a", "b").since == "1"
    assert talk.read == ["a", "b"]
