"""What one call cost."""

from ..traces import Call, InputError
from ._prices import bundled_prices, is_own_server
from ._usage import read_usage

__all__ = ["call_cost"]


def call_cost(call: Call) -> float | None:
    """What a call cost by the price list that the axis `cost` uses, USD.

    None if that is not known to the cent: no price, tokens or caching not told, a server of one's own, or no list installed.
    """
    if is_own_server(call.request.server_address):
        return None
    used = read_usage(call)
    if used.standing != "told":
        return None
    try:
        price = bundled_prices().price(call, used)
    except InputError:
        return None
    return float(price.lower) if not isinstance(price, str) and price.lower == price.upper else None
