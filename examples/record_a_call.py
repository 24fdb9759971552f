"""Record a call inside an asyncio program of your own: start a proxy, open a run, ask through it, read what was recorded.

python record_a_call.py http://127.0.0.1:8080/v1 MODEL
"""

import asyncio
import json
import sys
import urllib.request
from pathlib import Path

from tachograph.proxy import Proxy, ProxySettings, UpstreamAddress
from tachograph.traces import read_run


def ask(url: str, key: str, question: object) -> str:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(question).encode(), headers)
    with urllib.request.urlopen(request) as response:
        return str(json.load(response)["choices"][0]["message"]["content"])


async def main(upstream: str, model: str) -> None:
    settings = ProxySettings(upstream=UpstreamAddress.parse(upstream), store=Path("runs"))
    async with Proxy(settings) as proxy:
        endpoint = proxy.open_run("example")
        question = {"model": model, "messages": [{"role": "user", "content": "Say hello."}]}
        print(await asyncio.to_thread(ask, endpoint.url, endpoint.key, question))
        seal = proxy.close_run("example")
    (call,) = read_run(Path("runs/example")).calls
    print(f"{call.outcome}: {call.usage.input_tokens} tokens in, {call.usage.output_tokens} out ({call.usage.source})")
    print(f"sealed {seal.head}" if seal else "not sealed")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
