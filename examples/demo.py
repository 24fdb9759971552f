"""The demo: a small real agent, a small real model on this machine, a few tasks, several attempts; nothing is scripted.

It only calls the command line, and shows each command that it calls.
"""

import shlex
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
STORE = Path("demo-runs")
ATTEMPTS = 3
TACHOGRAPH = [sys.executable, "-m", "tachograph.harness"]
AGENT = [sys.executable, str(EXAMPLES / "agent.py"), "--check", "python3 -B -m unittest", "{prompt}"]


def main() -> int:
    for task in sorted((EXAMPLES / "tasks" / "demo").iterdir()):
        upstream = ["--upstream", "local", "--store", str(STORE), "--attempts", str(ATTEMPTS)]
        status = call("run", "--task", str(task), *upstream, "--sweep", "demo", "--", *AGENT)
        if status > 1:
            return status
    call("runs", "--store", str(STORE))
    newest = max(STORE.glob("*/trace.jsonl"), key=lambda journal: journal.stat().st_mtime).parent
    call("calls", str(newest))
    call("verify", str(newest))
    call("score", str(newest))
    return call("score", str(STORE))


def call(*arguments: str) -> int:
    print(f"\n$ tachograph {shlex.join(arguments)}".replace(f"{Path.cwd()}/", ""), flush=True)
    return subprocess.run([*TACHOGRAPH, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
