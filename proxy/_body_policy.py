"""What the record may say of bodies, where they are not kept."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ..traces import Amendment, Call, CallRequest
from ._settings import BodyPolicy

__all__ = ["LOST", "told_of_amendment", "told_of_call", "told_of_request"]

LOST: Final[Mapping[BodyPolicy, str]] = {"hash": "--bodies hash", "none": "--bodies none"}
"""Why bodies are not in the run's folder."""


def told_of_request(policy: BodyPolicy, request: CallRequest) -> CallRequest:
    """A request without what must not be told of its body."""
    return request if policy != "none" else replace(request, body_hash=None, sent_body_hash=None)


def told_of_call(policy: BodyPolicy, call: Call) -> Call:
    """A call without what must not be told of its bodies."""
    if policy != "none":
        return call
    response = call.response and replace(call.response, body_hash=None, delivered_body_hash=None)
    return replace(call, request=told_of_request(policy, call.request), response=response, request_hash=None)


def told_of_amendment(policy: BodyPolicy, amendment: Amendment) -> Amendment:
    """An amendment without what must not be told of bodies."""
    return amendment if policy != "none" else replace(amendment, response_body_hash=None, delivered_body_hash=None)
