"""The axis `cost`: list prices of what is known, and no price for what is not."""

import hashlib
import subprocess
import sys
from importlib import metadata, resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring._record import AgentFacts, AgentReport, RunRecord
from tachograph.scoring.axes import cost
from tachograph.traces import Call, Run, SpanRecord, call_from_span

_NAMES = {
    "input": "gen_ai.usage.input_tokens",
    "output": "gen_ai.usage.output_tokens",
    "read": "gen_ai.usage.cache_read.input_tokens",
    "written": "gen_ai.usage.cache_creation.input_tokens",
    "source": "tachograph.usage.source",
    "status": "http.response.status_code",
    "discarded": "tachograph.call.discarded",
    "model": "gen_ai.response.model",
    "asked": "gen_ai.request.model",
    "server": "server.address",
    "provider": "gen_ai.provider.name",
}
_NEW_YEAR = 1_767_225_600
"""2026-01-01, Unix time."""


def call(number: int = 1, *, at: int = _NEW_YEAR, **told: Any) -> Call:
    """By default a call to gpt-4o at its maker: 2.5, 1.25 and 10 USD a million of input, cached input and output."""
    members = {"model": "gpt-4o", "server": "api.openai.com", "provider": "openai", "read": 0, **told}
    attributes = {_NAMES[name]: value for name, value in members.items() if value is not None}
    start_ns = (at + number) * 1_000_000_000
    span = SpanRecord(
        trace_id="0" * 31 + "1",
        span_id=f"{number:016x}",
        parent_id=None,
        name="chat",
        start_ns=start_ns,
        end_ns=start_ns + 500,
        attributes={"gen_ai.operation.name": "chat", "url.path": "/v1/chat/completions", **attributes},
        status_code=0,
        status_message="",
        resource={},
        scope="",
        scope_attributes={},
    )
    return call_from_span(span)


def record(*calls: Call, live: bool = False, **members: Any) -> RunRecord:
    run = Run(
        run_id="r",
        status="completed",
        live=live,
        sealed=True,
        start_ns=1,
        end_ns=2,
        attributes={},
        calls=calls,
        spans=(),
    )
    return RunRecord(run=run, **members)


def test_tokens_times_list_price() -> None:
    """600 uncached, 400 cached and 50 output tokens of gpt-4o: (600 * 2.5 + 400 * 1.25 + 50 * 10) / 1e6 USD."""
    found = cost(record(call(input=1000, read=400, output=50)))
    assert found.value == (600 * 2.5 + 400 * 1.25 + 50 * 10) / 1e6
    assert (found.status, found.bound, found.unit, found.n) == ("measured", "exact", "USD", 1)
    assert found.details["models"] == [
        {"provider": "openai", "model": "gpt-4o", "calls": 1, "usd_lower": 0.0025, "usd_upper": 0.0025}
    ]


def test_price_list_is_named_so_that_a_price_can_be_computed_again() -> None:
    """Version and hash are those of the package that is installed."""
    content = resources.files("genai_prices").joinpath("data.py").read_bytes()
    version = metadata.version("genai-prices")
    found = cost(record(call(input=10, output=5)))
    assert found.source == f"genai-prices {version}"
    assert found.details["price_list"] == {
        "id": "genai-prices",
        "version": version,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_price_is_that_of_the_day_of_the_call() -> None:
    """A million input tokens of o3 cost 10 USD until the day of June 2025 from which they cost 2."""
    before, after = 1_749_470_400, 1_749_556_800  # noon of 9 and 10 June 2025, UTC
    found = [cost(record(call(at=at, model="o3", input=1_000_000, output=0))).value for at in (before, after)]
    assert found == [10.0, 2.0]


@pytest.mark.parametrize(
    ("told", "status", "reason"),
    [
        ({"model": "a-model"}, "missing", "knows no model a-model of openai"),
        ({"model": None}, "missing", "the model is not known"),
        ({"server": "llm.example.org"}, "missing", "does not know the seller llm.example.org"),
        ({"server": None, "provider": None}, "missing", "does not tell who sold it"),
        ({"server": "127.0.0.1"}, "missing", "gpt-4o may come from one that does"),
        ({"server": "127.0.0.1", "model": "tiny.gguf"}, "not_applicable", "sells nothing by the token"),
        ({"input": None, "output": None, "source": "absent"}, "missing", "no tokens to price"),
        ({"input": 5, "read": 6}, "missing", "6 cached tokens of 5 input tokens"),
        ({"input": None, "output": None, "source": "absent", "status": 401}, "missing", "no call was answered"),
    ],
)
def test_what_has_no_price_costs_none_and_not_nothing(told: dict[str, Any], status: str, reason: str) -> None:
    """Unknown models, sellers and tokens have no cost, which is not a cost of 0; a model of one's own has no price at all."""
    found = cost(record(call(**{"input": 1000, "output": 50, **told})))
    assert (found.value, found.status) == (None, status)
    assert reason in (found.reason or "")
    assert found.details["usd_lower"] is None


def test_no_calls_cost_none() -> None:
    """A run of which no call was recorded may have cost anything."""
    assert (cost(record()).value, cost(record()).reason) == (None, "no call was recorded")


def test_one_unpriced_call_makes_a_lower_bound() -> None:
    """The priced calls are the least that the run cost."""
    found = cost(record(call(1, input=1000, output=50), call(2, input=1000, output=50, model="a-model")))
    assert (found.value, found.status, found.bound, found.n) == (0.003, "partial", "lower", 1)
    assert found.reason == "the price list knows no model a-model of openai (1)"


def test_caching_that_was_not_told_makes_an_upper_bound() -> None:
    """All the input may have come from a cache, or none of it: the value is the dearer, the details have both."""
    found = cost(record(call(input=1000, output=50, read=None)))
    assert (found.value, found.status, found.bound) == (0.003, "partial", "upper")
    assert (found.details["usd_lower"], found.details["usd_upper"]) == (0.00175, 0.003)


def test_cache_writes_are_dearer_where_the_seller_says_so() -> None:
    """Claude Sonnet 4.5: 3 USD a million of input, 3.75 of cache writes, 0.3 of cache reads, 15 of output."""
    told: dict[str, Any] = {"server": "api.anthropic.com", "model": "claude-sonnet-4-5", "provider": "anthropic"}
    found = cost(record(call(input=1000, read=200, written=300, output=10, **told)))
    assert found.value == pytest.approx((500 * 3 + 200 * 0.3 + 300 * 3.75 + 10 * 15) / 1e6, rel=1e-12)


def test_refused_and_discarded_calls_cost_nothing() -> None:
    """Nobody charges for a 429; what the recorder itself had asked for stands apart."""
    refused = call(1, input=None, output=None, source="absent", status=429)
    found = cost(record(refused, call(2, input=1000, output=50), call(3, input=1000, output=50, discarded=True)))
    assert (found.value, found.status, found.details["calls_refused"]) == (0.003, "measured", 1)
    assert found.details["discarded"] == {"calls": 1, "usd": 0.003}


def test_server_goes_before_dialect() -> None:
    """Whoever speaks OpenAI's dialect is not OpenAI: the address says who sold it."""
    told: dict[str, Any] = {
        "model": "openai/gpt-4o",
        "provider": "openai",
        "server": "openrouter.ai",
        "input": 10,
        "output": 1,
    }
    assert cost(record(call(**told))).details["models"][0]["provider"] == "openrouter"


def test_agent_says_what_it_paid() -> None:
    """The agent's own account stands beside, never in place of the list price."""
    said = AgentFacts(report=AgentReport(cost_usd=0.5))
    found = cost(record(agent=said))
    assert (found.value, found.details["agent_usd"]) == (None, 0.5)


def test_without_the_package_there_is_no_value_and_no_exception() -> None:
    """The price list is an extra: without it the cost is missing, and says how to get it."""
    script = (
        "import sys; sys.modules['genai_prices'] = None\n"
        "from tachograph.scoring._record import RunRecord\n"
        "from tachograph.scoring.axes._cost import cost\n"
        "from tachograph.traces import Run\n"
        "run = Run(run_id='r', status='completed', live=False, sealed=True, start_ns=1, end_ns=2, attributes={}, calls=(),"
        " spans=())\n"
        "found = cost(RunRecord(run=run))\n"
        "print(found.status, found.value, found.reason)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "missing None no price list: install the extra, `pip install tachograph[prices]`\n"


def test_prices_fetched_by_others_are_not_looked_at() -> None:
    """A price list that other code of the process has put in its place changes no cost, and none is fetched here."""
    script = (
        "import socket\n"
        "def refuse(*_): raise AssertionError('the network was used')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "import threading\n"
        "from tachograph.scoring._prices import bundled_prices\n"
        "from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot\n"
        "set_custom_snapshot(DataSnapshot(providers=[], from_auto_update=True))\n"
        "print(bundled_prices().is_sold('gpt-4o'), threading.active_count())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True 1\n"


counts = st.none() | st.integers(0, 5000)
calls_told = st.lists(
    st.fixed_dictionaries(
        {
            "input": counts,
            "output": counts,
            "read": counts,
            "written": counts,
            "model": st.sampled_from(["gpt-4o", "a-model", "gpt-4o-mini"]),
            "discarded": st.sampled_from([None, True]),
        }
    ),
    max_size=6,
)


@given(calls_told, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_bounds_hold(told: list[dict[str, Any]], shuffler: Any) -> None:
    """The same calls in any order cost the same, and the value lies within its own bounds."""
    calls = [call(number, **members) for number, members in enumerate(told, 1)]
    found = cost(record(*calls))
    shuffler.shuffle(calls)
    assert cost(record(*calls)) == found
    if found.value is not None:
        upper = found.details["usd_upper"]
        assert found.details["usd_lower"] <= found.value
        assert upper is None or found.value <= upper
        assert (found.bound == "exact") == (found.details["usd_lower"] == upper)
