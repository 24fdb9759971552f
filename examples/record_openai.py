"""Record what a program of your own asks, without a proxy: the openai SDK over a transport that records.

OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=… python record_openai.py MODEL
"""

import sys
from pathlib import Path

import httpx2
import openai

from tachograph.proxy import RecordingTransport
from tachograph.traces import read_run


def main(model: str) -> None:
    with RecordingTransport(store="runs", run="openai-example") as transport:
        client = openai.OpenAI(http_client=httpx2.Client(transport=transport))
        stream = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "Say hello."}],
            stream=True,
            stream_options={"include_usage": True},
        )
        for chunk in stream:
            for choice in chunk.choices:
                print(choice.delta.content or "", end="", flush=True)
        print()
        answer = client.responses.create(model=model, input="Say goodbye.")
        print(answer.output_text)
    for call in read_run(Path("runs/openai-example")).calls:
        tokens = f"{call.usage.input_tokens} tokens in, {call.usage.output_tokens} out ({call.usage.source})"
        print(f"{call.request.api}: {call.outcome}, {tokens}")


if __name__ == "__main__":
    main(*sys.argv[1:])
