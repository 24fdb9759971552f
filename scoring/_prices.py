"""What tokens cost by a price list: the one that comes with the package genai-prices, as it was when that was released.

The package can fetch newer prices. That is never started here, and what another part of the process may have fetched is not
looked at, so that the same record has the same price wherever it is scored.
"""

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from ..traces import Call, InputError
from ._usage import CallTokens

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, Provider

__all__ = ["Price", "PriceList", "bundled_prices", "is_own_server"]

_PACKAGE: Final = "genai_prices"
_NANOSECONDS: Final = 1_000_000_000
_EXACT: Final = Context(prec=60)
"""Prices are short decimals: none of their sums is rounded."""
_PROVIDERS: Final[Mapping[str, str]] = {
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gen_ai": "google",
    "x_ai": "x-ai",
}
"""Ids of the price list by values of `gen_ai.provider.name` that the list itself would not match, or match to another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a call cost by the list, in USD."""

    provider: str
    """Who sells it: the id in the list."""
    model: str
    """Its id in the list."""
    lower: Decimal
    """What it cost at least."""
    upper: Decimal | None
    """What it cost at most; None if not all of its tokens are known."""


class PriceList:
    """A list of prices, each with the days on which it holds."""

    def __init__(self, version: str, sha256: str, snapshot: "DataSnapshot") -> None:
        """Look into one snapshot of the list.

        Args:
            version: of the package that the list came with.
            sha256: of the list's data, so that a price can be computed again.
            snapshot: the list.
        """
        self.version = version
        self.sha256 = sha256
        self._providers = snapshot.providers
        self._snapshot = snapshot
        # A look goes through all sellers: each is done once for all calls of all runs.
        self._found: dict[tuple[str | None, str | None, str], tuple[Provider, ModelInfo] | str] = {}
        self._sold: dict[str, bool] = {}

    def price(self, call: Call, used: CallTokens) -> Price | str:
        """The price of a call at the moment it was made, at the standard tier; else why there is none."""
        name = (call.response.model if call.response else None) or call.request.model
        if name is None:
            return "the model is not known"
        address, path = call.request.server_address, call.request.path
        # Who answered, whatever dialect it speaks: the dialect's name is asked for only where the address is not known.
        url = None if address is None else f"https://{address}{path}"
        key = (url, call.request.provider if url is None else None, name)
        if key not in self._found:
            self._found[key] = self._find(*key)
        found = self._found[key]
        if isinstance(found, str):
            return found
        provider, model = found
        try:
            with localcontext(_EXACT):
                costs = _costs(model, provider, used, call)
        except ValueError as error:
            return f"the price list has no price for these tokens of {model.id}: {error}"
        upper = max(costs) if used.standing == "told" else None
        return Price(provider=provider.id, model=model.id, lower=min(costs), upper=upper)

    def is_sold(self, name: str) -> bool:
        """Whether anyone on the list sells a model of this name."""
        if name not in self._sold:
            names = (name, name.rpartition("/")[2])
            self._sold[name] = any(provider.find_model(one) for provider in self._providers for one in names)
        return self._sold[name]

    def _find(self, url: str | None, provider_name: str | None, name: str) -> "tuple[Provider, ModelInfo] | str":
        if url is None and provider_name is None:
            return "the record does not tell who sold it"
        known = None if provider_name is None else _PROVIDERS.get(provider_name, provider_name)
        try:
            provider = self._snapshot.find_provider(None, known, url)
        except LookupError:
            seller = provider_name if url is None else url.removeprefix("https://").partition("/")[0]
            return f"the price list does not know the seller {seller}"
        model = provider.find_model(name, all_providers=self._providers)
        return (provider, model) if model else f"the price list knows no model {name} of {provider.id}"


@cache
def bundled_prices() -> PriceList:
    """The price list of the installed package.

    Raises:
        InputError: the package is not installed.
    """
    try:
        from genai_prices import __version__, data  # noqa: PLC0415 - an extra, and slow to import
        from genai_prices.data_snapshot import DataSnapshot  # noqa: PLC0415
    except ImportError as error:
        raise InputError("no price list: install the extra, `pip install tachograph[prices]`") from error
    content = resources.files(_PACKAGE).joinpath("data.py").read_bytes()
    return PriceList(
        version=__version__,
        sha256=hashlib.sha256(content).hexdigest(),
        snapshot=DataSnapshot(providers=data.providers, from_auto_update=False),
    )


def is_own_server(address: str | None) -> bool:
    """Whether an address is of this machine or a private network: nobody lists prices for a server there."""
    if address is None:
        return False
    if address == "localhost":
        return True
    try:
        found = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    return found.is_loopback or found.is_private


def _costs(model: "ModelInfo", provider: "Provider", used: CallTokens, call: Call) -> list[Decimal]:
    """What a call may have cost, at the extremes of what was not told of caching."""
    from genai_prices import Usage  # noqa: PLC0415

    moment = datetime.fromtimestamp(call.timing.start_ns // _NANOSECONDS, UTC)
    rates = model.get_prices(moment)
    counts = _possible(used, reads=rates.cache_read_mtok is not None, writes=rates.cache_write_mtok is not None)
    return [model.calc_price(Usage(**count), provider, genai_request_timestamp=moment).total_price for count in counts]


def _possible(used: CallTokens, *, reads: bool, writes: bool) -> list[dict[str, int]]:
    """The counts that a call may have had, as far as reads and writes of a cache have prices of their own."""
    told = {
        "output_tokens": used.output,
        "output_reasoning_tokens": used.reasoning if used.output is not None else None,
    }
    fixed = {name: count for name, count in told.items() if count is not None}
    if used.input is None:
        return [fixed]
    most_read = used.input - (used.cache_write or 0) if reads else 0
    return [
        {**fixed, "input_tokens": used.input, "cache_read_tokens": read, "cache_write_tokens": written}
        for read in ({0, most_read} if used.cache_read is None else {used.cache_read})
        for written in ({0, used.input - read if writes else 0} if used.cache_write is None else {used.cache_write})
    ]
