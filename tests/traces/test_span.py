"""A call as a span: named and marked as the conventions want it, and read back whole."""

from dataclasses import replace
from typing import Any

import pytest

from tachograph.traces import RunRecording, Usage, read_calls, read_spans

START = 1_795_000_000_000_000_000


@pytest.mark.parametrize(
    ("api", "provider", "name", "marks"),
    [
        ("chat_completions", "openai", "chat m", {"operation": "chat", "openai": "chat_completions"}),
        ("responses", "openai", "chat m", {"operation": "chat", "openai": "responses"}),
        ("messages", "anthropic", "chat m", {"operation": "chat", "openai": None}),
        ("completions", "openai", "text_completion m", {"operation": "text_completion", "openai": None}),
        ("embeddings", "openai", "embeddings m", {"operation": "embeddings", "openai": None}),
        ("count_tokens", "anthropic", "POST /v1/x", {"operation": None, "openai": None}),
        ("models", None, "POST /v1/x", {"operation": None, "openai": None}),
        (None, None, "POST /v1/x", {"operation": None, "openai": None}),
    ],
)
def test_a_call_of_each_api(
    run: RunRecording, new_request: Any, new_call: Any, *, api: str | None, provider: str | None, name: str, marks: Any
) -> None:
    """Operation and name are the conventions', `openai.api.type` has no other values than theirs, and all is read back."""
    request = new_request(
        api=api, provider=provider, model="m", path="/v1/x", previous_response_id="resp_0", unread="damaged body: x"
    )
    usage = Usage(
        source="provider",
        input_tokens=30,
        output_tokens=9,
        cache_read_tokens=20,
        cache_creation_tokens=4,
        reasoning_tokens=5,
    )
    opened = run.start_call(request, START, None)
    recorded = new_call(request, start_ns=START, run_id="the-run", sequence=1, usage=usage)
    said = replace(recorded.response, refused=True, service_tier="priority", system_fingerprint="fp_1")
    recorded = replace(recorded, response=said)
    run.end_call(opened, recorded)
    (call,) = read_calls(run.folder)
    assert replace(call, span_id="") == recorded
    announcement, span = list(read_spans(run.folder))[1:]
    assert span.name == name
    for found in (announcement.attributes, span.attributes):
        assert found.get("gen_ai.operation.name") == marks["operation"]
        assert found.get("openai.api.type") == marks["openai"]
        assert found["gen_ai.request.previous_response.id"] == "resp_0"
    tier = "openai.response.service_tier" if provider == "openai" else "tachograph.response.service_tier"
    assert span.attributes[tier] == "priority"
    assert sum(key.endswith("service_tier") for key in span.attributes) == 1


def test_what_was_not_said_has_no_attribute(run: RunRecording, new_request: Any, new_call: Any) -> None:
    """No refusal is no attribute, as is every member that is None."""
    request = new_request()
    run.end_call(run.start_call(request, START, None), new_call(request, start_ns=START, run_id="the-run", sequence=1))
    attributes = list(read_spans(run.folder))[-1].attributes
    absent = ("refused", "service_tier", "system_fingerprint", "previous_response.id", "unread")
    assert not [key for key in attributes if key.endswith(absent)]
