"""What an agent is told of a call that the proxy does not make."""

from dataclasses import dataclass

__all__ = ["Refusal", "RefusedError"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call is not made."""

    status: int
    """Of the answer, HTTP."""
    code: str
    """In a word, as `error.code` of OpenAI's errors."""
    message: str
    """For the person who set the agent up: what happened, and what to do."""


class RefusedError(Exception):
    """A call is not made."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Take what the agent is told."""
        super().__init__(message)
        self.refusal = Refusal(status, code, message)
