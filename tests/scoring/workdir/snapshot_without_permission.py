"""A process that may not see everything: snapshot_without_permission.py BEFORE ROOT. Says what it saw, as JSON.

BEFORE is the file of an earlier snapshot. Root may read everything; it becomes nobody first.
"""

import json
import os
import sys
from pathlib import Path

from tachograph.scoring.workdir import diff, read_snapshot, snapshot

before = read_snapshot(Path(sys.argv[1]))
if os.geteuid() == 0:
    os.setuid(65534)
after = snapshot(sys.argv[2])
sys.stdout.write(
    json.dumps(
        {
            "paths": list(after),
            "errors": dict(after.errors),
            "hashes": {entry.path: entry.sha256 for entry in after.values() if entry.type == "file"},
            "changes": {change.path: [change.operation, change.lines_added] for change in diff(before, after).changes},
        }
    )
)
