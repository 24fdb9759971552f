"""Reading runs back from where they were sent: a Collector's files, a ClickHouse server, or the folders they were made in."""

from ._open import open_runs
from ._source import HEAD_ATTRIBUTES, RunHead, RunSource

__all__ = ["HEAD_ATTRIBUTES", "RunHead", "RunSource", "open_runs"]
