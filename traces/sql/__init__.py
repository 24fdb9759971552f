"""SQL over local runs, without a server."""
