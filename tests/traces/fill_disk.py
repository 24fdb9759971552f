"""A process whose journal may not grow beyond a size: fill_disk.py PATH LIMIT FREED. Says what happened, as JSON.

It writes 20 lines under the limit, then 3 more; with FREED `yes` the limit is lifted before these. The limit is the
kernel's (RLIMIT_FSIZE): a write beyond it fails with EFBIG, after having written what still fitted.
"""

import json
import logging
import resource
import signal
import sys
from pathlib import Path

import orjson

from tachograph.traces import StoreError
from tachograph.traces._journal import Journal
from tachograph.traces._tracing import make_envelope

path, limit, freed = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "yes"
logged: list[str] = []


class Keep(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        logged.append(f"{record.levelname}: {record.getMessage()}")


logging.getLogger("tachograph").addHandler(Keep())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
journal = Journal(path, make_envelope())


def append(number: int) -> bool:
    span = {"traceId": "a" * 32, "spanId": "b" * 16, "name": f"line {number}", "attributes": []}
    return journal.append(orjson.dumps(span), announces_call=True) is not None


written = [append(number) for number in range(20)]
unwritten, on_disk = journal.unwritten, path.read_bytes()
if freed:
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
written_later = [append(number) for number in range(20, 23)]
error = None
try:
    journal.close()
except StoreError as failure:
    error = str(failure)
report = {
    "written": written,
    "unwritten": unwritten,
    "whole_lines_only": on_disk.endswith(b"\n"),
    "written_later": written_later,
    "error": error,
    "logged": logged,
}
sys.stdout.write(json.dumps(report))
