"""The same with the anthropic SDK, and asyncio: two streams, recorded into one run.

ANTHROPIC_BASE_URL=http://127.0.0.1:8080 ANTHROPIC_API_KEY=… python record_anthropic.py MODEL
"""

import asyncio
import sys
from pathlib import Path

import anthropic
import httpx2

from tachograph.proxy import AsyncRecordingTransport
from tachograph.traces import read_run


async def ask(client: anthropic.AsyncAnthropic, model: str, question: str) -> str:
    messages: list[anthropic.types.MessageParam] = [{"role": "user", "content": question}]
    async with client.messages.stream(model=model, max_tokens=64, messages=messages) as stream:
        return await stream.get_final_text()


async def main(model: str) -> None:
    async with AsyncRecordingTransport(store="runs", run="anthropic-example") as transport:
        client = anthropic.AsyncAnthropic(http_client=httpx2.AsyncClient(transport=transport))
        print(await ask(client, model, "Say hello."))
        print(await ask(client, model, "Say goodbye."))
    for call in read_run(Path("runs/anthropic-example")).calls:
        tokens = f"{call.usage.input_tokens} tokens in, {call.usage.output_tokens} out ({call.usage.source})"
        print(f"{call.request.api}: {call.outcome}, {tokens}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
