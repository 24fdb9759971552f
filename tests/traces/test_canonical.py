"""The canonical form is that of RFC 8785, and its hash is equal for requests that ask the same."""

import json
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from tachograph.traces import VOLATILE_MEMBERS, canonical_json, canonical_request_hash

SAFE = 2**53 - 1
texts = st.text(st.characters(exclude_categories=["Cs"]))
keys = texts | st.sampled_from(["a", "\x00", "\x1f", "\x7f", '"', "\\", "é", "\ufb33", "\U0001f600", "\u2028", ""])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-SAFE, SAFE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.sampled_from([0.0, -0.0, 1.0, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, SAFE, -SAFE, 333333333.33333329])
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5), max_leaves=25
)


@given(documents)
@example({"\U0001f600": 1, "\ufb33": 2, "é": 3})
@example({"temperature": 0.7, "n": 1, "messages": [{"content": "\x00\x1f\x7f\u2028/"}]})
def test_the_canonical_form_is_the_rfcs(document: Any) -> None:
    """The fast way and the slow way give the same bytes as the reference package, for any JSON."""
    assert canonical_json(document) == rfc8785.dumps(document)


@given(st.integers(2**53, 10**300) | st.integers(-(10**300), -(2**53)))
def test_large_integers_are_the_doubles_that_other_readers_see(number: int) -> None:
    """By the RFC numbers are doubles: an integer beyond 2^53 is written as the one that it is read as, wherever it stands."""
    for document in ({"n": number}, [number], {"a": [{"b": number}], "t": 0.5}, number):
        as_double = json.loads(json.dumps(document), parse_int=float)
        assert canonical_json(document) == rfc8785.dumps(as_double)


requests = st.dictionaries(
    st.sampled_from(["model", "messages", "temperature", "tools", "seed"]), documents, min_size=1
)


@given(requests, documents, st.sampled_from(sorted(VOLATILE_MEMBERS)))
def test_volatile_members_do_not_change_the_hash(request: dict[str, Any], value: Any, member: str) -> None:
    """What differs between runs and asks nothing of the model does not keep two calls apart."""
    assert canonical_request_hash(request | {member: value}) == canonical_request_hash(request)


@given(requests, documents, st.sampled_from(["model", "messages", "stream", "anything"]))
def test_any_other_member_changes_the_hash(request: dict[str, Any], value: Any, member: str) -> None:
    """Two requests have one hash only if all their lasting members are the same."""
    changed = request | {member: value}
    same = rfc8785.dumps(changed) == rfc8785.dumps(request)
    assert (canonical_request_hash(changed) == canonical_request_hash(request)) is same


@pytest.mark.parametrize("member", sorted(VOLATILE_MEMBERS))
def test_only_members_at_the_top_are_volatile(member: str) -> None:
    """The name of a tool's parameter or a member of a message is part of the question."""
    assert canonical_request_hash({"messages": [{member: 1}]}) != canonical_request_hash({"messages": [{}]})


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reordered(value[name]) for name in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(requests)
def test_the_order_of_members_does_not_change_the_hash(request: dict[str, Any]) -> None:
    """JSON objects have no order; agents write theirs in whichever."""
    assert canonical_request_hash(reordered(request)) == canonical_request_hash(request)


@given(requests)
def test_the_spelling_of_a_request_does_not_change_the_hash(request: dict[str, Any]) -> None:
    """Escapes, spaces and the way a number is written are not part of the question."""
    spelled = json.loads(json.dumps(request, ensure_ascii=True, indent=2))
    assert canonical_request_hash(spelled) == canonical_request_hash(request)


def test_the_order_of_a_list_changes_the_hash() -> None:
    """The order of messages is part of the question."""
    assert canonical_request_hash({"messages": [1, 2]}) != canonical_request_hash({"messages": [2, 1]})


@pytest.mark.parametrize(
    "request_",
    [
        None,
        [],
        "text",
        7,
        {"n": float("inf")},
        {"a": [float("nan")]},
        {"n": 10**400},
        {"a": "\ud800"},
        {"\ud800": 1},
    ],
    ids=repr,
)
def test_what_has_no_canonical_form_has_no_hash(request_: Any) -> None:
    """None, and no error: the agent's request is none of the recorder's business."""
    assert canonical_request_hash(request_) is None


def test_deep_nesting_has_a_hash_or_none() -> None:
    """Orjson writes less deep than it reads. A deep request is hashed as long as Python can, and never breaks a call."""
    deep = orjson.loads(b'{"a":' * 300 + b"1" + b"}" * 300)
    assert canonical_json(deep) == rfc8785.dumps(deep)
    deepest = orjson.loads(b'{"a":' * 1023 + b"1" + b"}" * 1023)
    assert canonical_request_hash(deepest) is None


def test_a_known_hash_stays_as_it_is() -> None:
    """Hashes are compared across runs and versions: this one may never change."""
    request = {"model": "m", "temperature": 0.70, "messages": [{"role": "user", "content": "é\U0001f600"}], "user": "u"}
    expected = b'{"messages":[{"content":"\xc3\xa9\xf0\x9f\x98\x80","role":"user"}],"model":"m","temperature":0.7}'
    assert canonical_json({name: request[name] for name in request if name != "user"}) == expected
    assert canonical_request_hash(request) == "8d6a74a3eaca626c7df07631d4ac167efc10855e35f6a9ab69aaed5dd9e6c10a"
