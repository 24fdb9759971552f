"""Numbers of many calls, as a fold over the journals of a store: what a monitoring system reads."""

from ._export_lag import ExportLag, export_lags
from ._fold import MetricsFold
from ._numbers import Histogram, Labels
from ._store_follower import StoreFollower, journal_sizes

__all__ = ["ExportLag", "Histogram", "Labels", "MetricsFold", "StoreFollower", "export_lags", "journal_sizes"]
