"""What one call cost: known to the cent, or not told."""

from dataclasses import replace
from pathlib import Path

import pytest

from tachograph.scoring import call_cost
from tachograph.traces import Call, Usage, read_run
from tests.record_exported_run import record


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """1,000 tokens in and 100 out, at OpenAI's own address."""
    recorded = read_run(record(tmp_path)).calls[0]
    assert recorded.response is not None
    return replace(
        recorded,
        request=replace(recorded.request, server_address="api.openai.com", path="/v1/chat/completions"),
        response=replace(recorded.response, model="gpt-4o-2024-11-20"),
        usage=Usage(source="provider", input_tokens=1000, output_tokens=100, cache_read_tokens=0),
    )


def test_a_call_of_a_known_price(call: Call) -> None:
    """2.50 USD for a million tokens in, 10 USD for a million out."""
    assert call_cost(call) == 0.0035


def test_what_is_not_known_is_not_told(call: Call) -> None:
    """Neither on a server of one's own, nor of a model nobody sells, nor where the tokens were not told; never 0."""
    at_home = replace(call, request=replace(call.request, server_address="127.0.0.1"))
    assert call.response is not None
    unsold = replace(call, response=replace(call.response, model="a-model-of-nobodys"))
    untold = replace(call, usage=Usage(source="absent", reason="the stream told none"))
    assert [call_cost(one) for one in (at_home, unsold, untold)] == [None, None, None]
