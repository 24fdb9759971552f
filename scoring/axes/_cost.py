"""What the run cost by list prices, in USD: prices of the day of each call, from a price list that names its version."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from ...traces import Call, InputError
from .._axis_value import AxisValue, Bound, unmeasured
from .._prices import Price, PriceList, bundled_prices, is_own_server
from .._record import RunRecord
from .._usage import read_usage

__all__ = ["cost"]

_AXIS: Final = "cost"
_FORMULA: Final = "cost/list-price"
_VERSION: Final = 1
_UNIT: Final = "USD"
_PRICE_LIST: Final = "genai-prices"
_ASSUMPTIONS: Final = "standard tier; cache writes kept for the shortest time; no charges but for tokens"
_OWN: Final = "a server on this machine or a private network sells nothing by the token"


@dataclass(slots=True)
class _Bill:
    """What the calls of a run came to."""

    priced: list[Price] = field(default_factory=list)
    unpriced: Counter[str] = field(default_factory=Counter)
    """Calls without a price, by the reason."""
    own: int = 0
    """Calls to a server of one's own, for a model that nobody on the list sells."""
    refused: int = 0
    """Calls that no model answered: nobody charges for these."""

    @property
    def lower(self) -> Decimal:
        return sum((price.lower for price in self.priced), Decimal(0))

    @property
    def upper(self) -> Decimal | None:
        uppers = [price.upper for price in self.priced if price.upper is not None]
        return None if self.unpriced or len(uppers) < len(self.priced) else sum(uppers, Decimal(0))


def cost(record: RunRecord) -> AxisValue:
    """List price of the tokens that the agent's calls used, as USD.

    Partial, with a lower bound, if the tokens or the price of a call are not known; partial, with an upper bound, if only
    caching was not told. Not applicable if the model ran on a server of one's own: that costs something, yet nothing by the
    token, so 0 would be wrong, too. If nothing has a known price there is no value; never 0. Calls that were discarded are no
    part of it, as in `tokens`. Nothing is fetched: the price list is that of the installed package.
    """
    try:
        prices = bundled_prices()
    except InputError as error:
        return unmeasured(_AXIS, "missing", str(error), formula=_FORMULA, version=_VERSION, unit=_UNIT)
    bill = _bill([call for call in record.run.calls if not call.discarded], prices)
    details = {
        "usd_lower": float(bill.lower) if bill.priced else None,
        "usd_upper": _float(bill.upper) if bill.priced else None,
        "models": _models(bill.priced),
        "calls_priced": len(bill.priced),
        "calls_unpriced": dict(sorted(bill.unpriced.items())),
        "calls_own_server": bill.own,
        "calls_refused": bill.refused,
        "discarded": _discarded(record, prices),
        "agent_usd": record.agent.report.cost_usd if record.agent.report else None,
        "price_list": {"id": _PRICE_LIST, "version": prices.version, "sha256": prices.sha256},
        "assumptions": _ASSUMPTIONS,
    }
    value, bound, reason = _judge(bill, live=record.run.live)
    if value is None:
        is_own = bill.own > 0 and not bill.priced and not bill.unpriced
        status: Literal["not_applicable", "missing"] = "not_applicable" if is_own else "missing"
        return unmeasured(_AXIS, status, reason or "", formula=_FORMULA, version=_VERSION, unit=_UNIT, details=details)
    return AxisValue(
        axis=_AXIS,
        value=float(value),
        status="partial" if reason else "measured",
        bound=bound,
        unit=_UNIT,
        source=f"{_PRICE_LIST} {prices.version}",
        n=len(bill.priced),
        reason=reason,
        formula=_FORMULA,
        version=_VERSION,
        details=details,
    )


def _bill(calls: Sequence[Call], prices: PriceList) -> _Bill:
    bill = _Bill()
    for call in calls:
        used = read_usage(call)
        name = (call.response.model if call.response else None) or call.request.model
        if used.standing == "refused":
            bill.refused += 1
        elif is_own_server(call.request.server_address):
            if name is not None and not prices.is_sold(name):
                bill.own += 1
            else:
                bill.unpriced[f"{_OWN}, but {name or 'the model'} may come from one that does"] += 1
        elif used.standing not in ("told", "half_told"):
            bill.unpriced[f"no tokens to price: {used.reason}"] += 1
        else:
            price = prices.price(call, used)
            if isinstance(price, str):
                bill.unpriced[price] += 1
            else:
                bill.priced.append(price)
    return bill


def _judge(bill: _Bill, *, live: bool) -> tuple[Decimal | None, Bound, str | None]:
    """The value, how it stands to the true one, and why it is not the whole truth."""
    unknown = ", ".join(f"{reason} ({count})" for reason, count in sorted(bill.unpriced.items()))
    if bill.priced and bill.upper == bill.lower and not live:
        return bill.lower, "exact", None
    if bill.priced and bill.upper is not None and not live:
        return bill.upper, "upper", "how much of the input came from a cache was not told"
    if bill.lower > 0:
        why = unknown or ("the run is still being recorded" if live else "some calls told only a part of their tokens")
        return bill.lower, "lower", why
    if not (bill.own or bill.unpriced or bill.priced):
        return None, "exact", "no call was answered by a model" if bill.refused else "no call was recorded"
    return None, "exact", unknown or (_OWN if bill.own else "what is known of the calls has no price")


def _models(priced: Sequence[Price]) -> list[dict[str, Any]]:
    grouped: dict[tuple[str, str], list[Price]] = defaultdict(list)
    for price in priced:
        grouped[price.provider, price.model].append(price)
    return [
        {
            "provider": provider,
            "model": model,
            "calls": len(group),
            "usd_lower": float(_Bill(priced=group).lower),
            "usd_upper": _float(_Bill(priced=group).upper),
        }
        for (provider, model), group in sorted(grouped.items())
    ]


def _discarded(record: RunRecord, prices: PriceList) -> dict[str, Any]:
    bill = _bill([call for call in record.run.calls if call.discarded], prices)
    return {
        "calls": sum(call.discarded for call in record.run.calls),
        "usd": float(bill.lower) if bill.priced else None,
    }


def _float(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
