"""Read recorded runs, one after the other: how long their calls took, and what they cost in tokens.

python read_runs.py runs
"""

import sys
from pathlib import Path

from tachograph.traces import RunStore, read_calls


def main(store: str) -> None:
    for folder in RunStore(Path(store)).run_folders():
        for call in read_calls(folder):
            seconds = "-" if call.timing.end is None else f"{call.timing.end / 1e9:.2f} s"
            tokens = "unknown" if call.usage.output_tokens is None else call.usage.output_tokens
            print(
                f"{folder.name} #{call.sequence} {call.outcome}: {seconds}, {tokens} tokens out, from {call.usage.source}"
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
