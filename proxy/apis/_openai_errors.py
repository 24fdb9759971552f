"""Errors as OpenAI's APIs tell them, which nearly every client understands."""

import orjson

__all__ = ["openai_error"]


def openai_error(status: int, code: str, message: str) -> bytes:  # noqa: ARG001  the status is said in the head only
    """A body that tells an error of the proxy's own."""
    return orjson.dumps({"error": {"message": message, "type": "tachograph_error", "param": None, "code": code}})
