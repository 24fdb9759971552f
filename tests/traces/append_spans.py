"""A process that appends to a journal: append_spans.py PATH NAME COUNT.

It says that it is ready and begins when it is told to by a line on its standard input. Every third line announces a call.
"""

import os
import sys
from pathlib import Path

import orjson

from tachograph.traces._journal import Journal
from tachograph.traces._tracing import make_envelope

path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
journal = Journal(path, make_envelope())
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.readline()
for number in range(count):
    span = {"traceId": "a" * 32, "spanId": "b" * 16, "name": f"{name} {number}", "attributes": []}
    journal.append(orjson.dumps(span), announces_call=number % 3 == 0)
    os.sched_yield()  # the others are to write in between, on a machine with one core, too
journal.close()
