"""SQL over local runs, without a server: DuckDB in this process, over what was read of the journals."""

from ._query import Rows, query

__all__ = ["Rows", "query"]
