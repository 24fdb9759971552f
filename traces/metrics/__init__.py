"""Numbers of many calls, as a fold over the journals of a store: what a monitoring system reads."""

from ._fold import MetricsFold
from ._numbers import Histogram, Labels
from ._store_follower import StoreFollower, journal_sizes

__all__ = ["Histogram", "Labels", "MetricsFold", "StoreFollower", "journal_sizes"]
