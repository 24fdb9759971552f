"""Which API a request is made to, what its question says, and how each API's clients are told of an error."""

from typing import Any

import orjson
import pytest

from tachograph.proxy.apis import (
    CHAT_COMPLETIONS,
    COMPLETIONS,
    COUNT_TOKENS,
    EMBEDDINGS,
    MESSAGES,
    MODELS,
    RESPONSES,
    Api,
    api_of,
)

ALL = (CHAT_COMPLETIONS, COMPLETIONS, COUNT_TOKENS, EMBEDDINGS, MESSAGES, MODELS, RESPONSES)


@pytest.mark.parametrize(
    ("method", "path", "api"),
    [
        ("POST", "/v1/chat/completions", CHAT_COMPLETIONS),
        ("POST", "/v1/openai/deployments/gpt/chat/completions", CHAT_COMPLETIONS),
        ("POST", "/v1/responses", RESPONSES),
        ("POST", "/v1/v1/messages", MESSAGES),
        ("POST", "/v1/messages/count_tokens", COUNT_TOKENS),
        ("POST", "/v1/completions", COMPLETIONS),
        ("POST", "/v1/embeddings", EMBEDDINGS),
        ("GET", "/v1/models", MODELS),
        ("GET", "/v1/responses", None),
        ("GET", "/v1/responses/resp_1", None),
        ("POST", "/v1/responses/compact", None),
        ("POST", "/v1/responses/resp_1/cancel", None),
        ("POST", "/v1/messages/batches", None),
        ("POST", "/v1/models", None),
        ("GET", "/v1/chat/completions", None),
        ("POST", "/v1/rerank", None),
    ],
)
def test_the_api_of_a_request(method: str, path: str, api: Api | None) -> None:
    """By method and the end of the path: prefixes are the upstream's affair."""
    assert api_of(method, path) is api


@pytest.mark.parametrize("api", [CHAT_COMPLETIONS, COMPLETIONS, MESSAGES, RESPONSES], ids=lambda api: api.name)
@pytest.mark.parametrize(
    ("body", "model", "streamed"),
    [
        (b'{"model":"m","stream":true}', "m", True),
        (b'{"model":"m","stream":false}', "m", False),
        (b'{"model":7,"stream":1}', None, False),
        (b"[]", None, False),
        (b"", None, False),
        (b'{"model":"m"', None, False),
    ],
)
def test_model_and_stream(api: Api, body: bytes, model: str | None, *, streamed: bool) -> None:
    """Only the body's `stream` tells; of what is no object nothing is known."""
    question = api.read_question(body)
    assert (question.model, question.streamed) == (model, streamed)


@pytest.mark.parametrize(
    ("body", "previous", "conversation"),
    [
        ({"previous_response_id": "resp_1"}, "resp_1", None),
        ({"conversation": "conv_1"}, None, "conv_1"),
        ({"conversation": {"id": "conv_2"}}, None, "conv_2"),
        ({"previous_response_id": None, "conversation": None}, None, None),
        ({"previous_response_id": 1, "conversation": [1]}, None, None),
    ],
)
def test_the_chain_of_a_conversation(body: dict[str, Any], previous: str | None, conversation: str | None) -> None:
    """What a request to Responses goes on from is told by its body."""
    question = RESPONSES.read_question(orjson.dumps(body))
    assert (question.previous_response_id, question.conversation_id) == (previous, conversation)


def test_usage_is_asked_for_in_chat_completions_only() -> None:
    """Other APIs tell it by themselves, or have no sure way to be asked."""
    body = b'{"model":"m","stream":true}'
    assert [api.name for api in ALL if api.read_question(body).wants_usage_asked_for] == ["chat_completions"]


def test_arguments_that_are_nested_too_deeply_are_no_fault() -> None:
    """What can be parsed and not be written again is a tool call all the same."""
    nested = b'{"a":' * 500 + b"1" + b"}" * 500
    block = b'{"type":"tool_use","id":"t","name":"f","input":%b}' % nested
    reader = MESSAGES.whole_reader()
    reader.feed(b'{"content":[%b],"usage":{"input_tokens":1}}' % block)
    answer = reader.finish()
    assert [(call.name, call.arguments_bytes) for call in answer.tool_calls] == [("f", 0)]
    assert answer.tokens is not None


@pytest.mark.parametrize("api", ALL, ids=lambda api: api.name)
@pytest.mark.parametrize("status", [400, 401, 404, 502, 503])
def test_an_error_of_the_proxys_own_is_read_as_one(api: Api, status: int) -> None:
    """Each API's own reader finds an error, with its message, in the shape of that API's errors."""
    body = api.error_body(status, "some_code", "what happened")
    reader = api.whole_reader()
    reader.feed(body)
    answer = reader.finish()
    assert (answer.error_type is not None, answer.message) == (True, "what happened")
    assert ("type" in orjson.loads(body)) == (api.provider == "anthropic")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (404, "not_found_error"), (503, "api_error")],
)
def test_errors_in_anthropics_shape(status: int, kind: str) -> None:
    """Its clients choose their exception by the status, and show type and message."""
    said = orjson.loads(MESSAGES.error_body(status, "some_code", "m"))
    assert said == {"type": "error", "error": {"type": kind, "message": "m"}}
