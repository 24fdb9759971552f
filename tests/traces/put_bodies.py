"""A process that stores bodies: put_bodies.py FOLDER NAME COUNT."""

import sys
from hashlib import sha256
from pathlib import Path

from tachograph.traces import Redactor
from tachograph.traces._bodies import BodyCache, BodyPack

folder, name, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
pack = BodyPack(folder, BodyCache(), Redactor())
for number in range(count):
    body = b"%d of %d, " % (number, name) * 50
    pack.put_request(body, sha256(body).hexdigest())
pack.close()
