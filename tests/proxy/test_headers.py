"""Which headers pass, which are exchanged, and what of them may be written down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.proxy._headers import (
    MASK,
    Head,
    fields_of,
    forwarded,
    presented_run_keys,
    recorded_head,
    recorded_query,
    replaced,
    with_key,
    without_keys,
    without_protocol_keys,
    without_query_keys,
)

HOP_BY_HOP = ["Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect"]
names = st.text("abcXYZ-_019", min_size=1).filter(lambda name: name.lower() != "te")
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FFF, exclude_characters="\x7f"))
heads = st.lists(st.tuples(names.map(str.encode), values.map(str.encode)))


@given(heads, st.lists(st.tuples(st.sampled_from(HOP_BY_HOP), st.integers(0, 30)), max_size=4))
def test_all_pass_but_the_hop_by_hop_ones(head: list[tuple[bytes, bytes]], dropped: list[tuple[str, int]]) -> None:
    """In their order and case, duplicates and empty ones too; hop-by-hop ones in any case do not."""
    mixed = list(head)
    for name, place in dropped:
        mixed.insert(place, ((name.upper() if place % 2 else name.lower()).encode(), b"x-none"))
    assert forwarded(tuple(mixed)) == head


def test_headers_that_connection_names_are_hop_by_hop() -> None:
    """RFC 9110, section 7.6.1: a sender names its own ones."""
    head: Head = (
        (b"connection", b"close, X-One"),
        (b"Connection", b" x-two ,"),
        (b"x-ONE", b"1"),
        (b"X-Two", b"2"),
        (b"X-Three", b"3"),
        (b"Host", b"h"),
    )
    assert forwarded(head, frozenset({b"host"})) == [(b"X-Three", b"3")]


def test_what_frames_a_body_is_for_all() -> None:
    """A sender that calls the length of its body hop-by-hop would have its body taken for the next request."""
    head: Head = (
        (b"Connection", b"content-length, Content-Type"),
        (b"Content-Length", b"5"),
        (b"Content-Type", b"a/b"),
    )
    assert forwarded(head) == list(head[1:])


def test_what_is_not_utf_8_does_not_raise() -> None:
    """Bytes of a header are any bytes."""
    head: Head = ((b"X-Name", b"caf\xe9"), (b"X-\xff", b"v"))
    assert forwarded(head) == list(head)
    assert list(fields_of(head)) == ["x-name", "x-\xff"]
    assert recorded_head(head) == "X-Name: caf\\xe9\r\nX-\\xff: v"


@pytest.mark.parametrize(
    ("headers", "query", "keys"),
    [
        ({}, None, []),
        ({"Authorization": ""}, "", []),
        ({"Authorization": "Bearer k-1"}, None, ["k-1"]),
        ({"AUTHORIZATION": "bearer  k-1 "}, None, ["k-1"]),
        ({"Authorization": "k-1"}, None, ["k-1"]),
        ({"Authorization": "Bearer other-k-1"}, None, []),
        ({"x-api-key": "k-1"}, None, ["k-1"]),
        ({"API-KEY": "k-1"}, None, ["k-1"]),
        ({"X-Goog-Api-Key": "k-1"}, None, ["k-1"]),
        ({"X-Other": "k-1"}, "other=k-1", []),
        ({"Authorization": "Bearer own", "x-api-key": "k-2"}, None, ["k-2"]),
        ({"Authorization": "Bearer k-1", "x-api-key": "k-2"}, "key=k-3", ["k-1", "k-2", "k-3"]),
        ({"Sec-WebSocket-Protocol": "realtime, openai-insecure-api-key.k-1"}, None, ["k-1"]),
        ({"Sec-WebSocket-Protocol": "k-1"}, None, []),
        ({}, "a=1&key=k-1", ["k-1"]),
        ({}, "API%5FKEY=k%2D1&x", ["k-1"]),
    ],
)
def test_run_keys_that_an_agent_presents(headers: dict[str, str], query: str | None, keys: list[str]) -> None:
    """From wherever agents put a key, in any case of letters, without the scheme; others are none of our business."""
    head = tuple((name.encode(), value.encode()) for name, value in headers.items())
    assert list(presented_run_keys(fields_of(head), query, "k-")) == keys


def test_a_key_said_twice_in_a_header_is_seen() -> None:
    """A header that stands twice has two values."""
    head = ((b"Authorization", b"Bearer own"), (b"authorization", b"Bearer k-1"))
    assert list(presented_run_keys(fields_of(head), None, "k-")) == ["k-1"]


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        (None, None),
        ("", ""),
        ("a=1&b", "a=1&b"),
        ("key=own", "key=own"),
        ("key=k-1", None),
        ("a=%2F&Key=k%2D1&b=", "a=%2F&b="),
        ("other=k-1", "other=k-1"),
    ],
)
def test_run_keys_are_taken_out_of_a_query(query: str | None, rest: str | None) -> None:
    """And nothing else of it is changed."""
    assert without_query_keys(query, "k-") == rest


def test_run_keys_are_taken_out_of_subprotocols() -> None:
    """What else is offered stays; a header that offers nothing more goes."""
    name, key = b"Sec-Websocket-Protocol", b"openai-insecure-api-key.k-1"
    assert without_protocol_keys([(name, b"realtime, " + key), (b"X", key)], "k-") == [(name, b"realtime"), (b"X", key)]
    assert without_protocol_keys([(name, key)], "k-") == []
    own = [(name, b"realtime,openai-insecure-api-key.own")]
    assert without_protocol_keys(own, "k-") == own


def test_a_key_takes_the_place_of_those_presented() -> None:
    """In the same headers, spelled as they were; in `Authorization` if there are none."""
    headers = [(b"A", b"1"), (b"AUTHORIZATION", b"Bearer x"), (b"B", b"2"), (b"X-Api-Key", b"x")]
    expected = [(b"A", b"1"), (b"AUTHORIZATION", b"Bearer k"), (b"B", b"2"), (b"X-Api-Key", b"k")]
    assert with_key(headers, "k") == expected
    assert with_key([], "k") == [(b"Authorization", b"Bearer k")]


def test_keys_are_taken_out_by_how_they_begin() -> None:
    """Others stay."""
    headers = [(b"authorization", b"Bearer p-1"), (b"x-api-key", b"own"), (b"api-key", b"p-2"), (b"X", b"p-3")]
    assert without_keys(headers, "p-") == [(b"x-api-key", b"own"), (b"X", b"p-3")]


def test_one_header_is_replaced_where_it_stands() -> None:
    """In its own spelling; what is not there comes last."""
    headers = [(b"content-LENGTH", b"1"), (b"X", b"2")]
    assert replaced(headers, b"Content-Length", b"9") == [(b"content-LENGTH", b"9"), (b"X", b"2")]
    assert replaced(headers, b"Y", b"3") == [*headers, (b"Y", b"3")]


def test_a_head_is_looked_up_in_lower_case() -> None:
    """White space around values does not count; of several lines with one name all count (RFC 9110, section 5.3)."""
    assert fields_of(((b"A", b"1 "), (b"B", b""), (b"a", b"2"))) == {"a": "1, 2", "b": ""}


def test_secrets_are_masked_in_a_recorded_head() -> None:
    """Keys and cookies, in any case; what is not secret stays as it was on the wire."""
    secret = [
        b"Authorization",
        b"X-API-KEY",
        b"api-key",
        b"x-goog-api-key",
        b"Proxy-Authorization",
        b"cookie",
        b"Set-Cookie",
    ]
    head: Head = (*((name, b"s3cret") for name in secret), (b"Accept", b"*/*"))
    expected = [f"{name.decode()}: {MASK}" for name in secret] + ["Accept: */*"]
    assert recorded_head(head).split("\r\n") == expected


@pytest.mark.parametrize(
    ("query", "recorded"),
    [
        ("", None),
        ("a=1&b=%2F&&c", "a=1&b=%2F&&c"),
        ("key=s&a=1", f"key={MASK}&a=1"),
        ("API_KEY=s", f"API_KEY={MASK}"),
        ("api%5Fkey=s&x=key=s", f"api%5Fkey={MASK}&x=key=s"),
        ("access_token=a=b", f"access_token={MASK}"),
        ("key", "key"),
        ("key=", f"key={MASK}"),
    ],
)
def test_secrets_are_masked_in_a_recorded_query(query: str, recorded: str | None) -> None:
    """By the name of the member, however it is encoded; all else stays byte for byte."""
    assert recorded_query(query) == recorded
