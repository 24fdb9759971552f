"""A process that records: record_run.py STORE. Each line of its standard input is a command, answered by a line.

open RUN     open the run
call         announce a call and end it
start        announce a call and leave it
close        close the run; answers with the seal's hash, or `none`
limit BYTES  files may grow by this many bytes only beyond the journal's size; `limit none` lifts that
"""

import resource
import signal
import sys
from pathlib import Path

from tachograph.traces import Call, CallRequest, RunRecording, RunStore, StoreError, Timing, Usage

store = RunStore(Path(sys.argv[1]))
run: RunRecording
REQUEST = CallRequest(
    method="POST",
    path="/v1/chat/completions",
    query=None,
    server_address=None,
    server_port=None,
    api="chat_completions",
    provider="openai",
    model="a-model",
    streamed=False,
    session_id=None,
    body_hash=None,
    bytes=0,
    sent_body_hash=None,
    sent_bytes=None,
    head="\r\n".join(f"X-{number}: value" for number in range(5)),
)


def record_call() -> None:
    opened = run.start_call(REQUEST, 1_700_000_000_000_000_000, None)
    call = Call(
        run_id=run.run_id,
        span_id="",
        sequence=opened.sequence,
        attempt=1,
        outcome="completed",
        error_type=None,
        message=None,
        discarded=False,
        request=REQUEST,
        request_hash=None,
        response=None,
        usage=Usage(source="provider", input_tokens=1, output_tokens=2),
        timing=Timing(start_ns=1_700_000_000_000_000_000, end=5),
        bodies_lost=None,
    )
    run.end_call(opened, call)


def limit(size: str) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    journal = (run.folder / "trace.jsonl").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size == "none" else journal + int(size), hard))


def close() -> str:
    try:
        seal = run.close()
    except StoreError as error:
        return f"error {error}"
    return seal.head if seal else "none"


for line in sys.stdin:
    command, *words = line.split()
    answer = command
    if command == "open":
        run = store.open_run(words[0])
    elif command == "call":
        record_call()
    elif command == "start":
        run.start_call(REQUEST, 1_700_000_000_000_000_000, None)
    elif command == "limit":
        limit(words[0])
    elif command == "close":
        answer = close()
    sys.stdout.write(answer + "\n")
    sys.stdout.flush()
