"""A process that may not read: read_without_permission.py FOLDER. Says what each reader raised, as JSON.

Root may read everything; it becomes nobody first.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tachograph.traces import BodyReader, JournalFollower, RunStore, is_live, read_calls, read_run, read_spans, verify

folder = Path(sys.argv[1])
if os.geteuid() == 0:
    os.setuid(65534)


def failure(read: Callable[[], object]) -> str:
    try:
        read()
    except Exception as error:  # noqa: BLE001  that is the question
        return f"{type(error).__name__}: {error}"
    return "none"


sys.stdout.write(
    json.dumps(
        {
            "read_run": failure(lambda: read_run(folder)),
            "read_calls": failure(lambda: list(read_calls(folder))),
            "read_spans": failure(lambda: list(read_spans(folder))),
            "verify": failure(lambda: verify(folder)),
            "follower": failure(lambda: JournalFollower(folder).new_spans()),
            "bodies": failure(lambda: BodyReader(folder / "bodies")),
            "store": failure(lambda: list(RunStore(folder.parent).run_folders())),
            "live": failure(lambda: is_live(folder)),
        }
    )
)
