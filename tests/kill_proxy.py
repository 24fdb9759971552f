"""A proxy to be killed: kill_proxy.py UPSTREAM STORE RUN. Says its port when it serves."""

import asyncio
import sys
from pathlib import Path

import uvloop

from tachograph.proxy import Proxy, ProxySettings, UpstreamAddress


async def main(upstream: str, store: str, run: str) -> None:
    settings = ProxySettings(upstream=UpstreamAddress.parse(upstream), store=Path(store), default_run=run)
    async with Proxy(settings) as proxy:
        sys.stdout.write(f"{proxy.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


uvloop.run(main(*sys.argv[1:]))
