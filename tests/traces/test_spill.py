"""A body that is too long to be held goes to a file without a name, and comes back like any other."""

import random
import sys
from hashlib import sha256
from pathlib import Path

import pytest

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor
else:
    from backports.zstd import ZstdCompressor

from tachograph.traces import BodyReader, GrowingBody, Redactor, UnsearchableError
from tachograph.traces._bodies import BodyCache, BodyPack
from tachograph.traces._kept_body import _MOST_HELD
from tachograph.traces._spill import Spill

SECRET = "ghp_" + "Ab3" * 12
LONG = 2 * _MOST_HELD + 12_345


def incompressible(size: int) -> bytes:
    return random.Random(1).randbytes(size)


def grown(pack: BodyPack, body: bytes) -> GrowingBody:
    growing = pack.new_response()
    for start in range(0, len(body), 100_000):
        growing.add(body[start : start + 100_000])
    return growing


@pytest.mark.parametrize("start", [b"", b"data: "], ids=["bytes", "events"])
def test_a_long_body_comes_back(tmp_path: Path, start: bytes) -> None:
    """Byte for byte, between others; little of it is held while it grows, and no file of it is left."""
    pack = BodyPack(tmp_path / "bodies", BodyCache(), Redactor())
    body = start + incompressible(LONG)
    before, growing, after = grown(pack, b"before"), grown(pack, body), grown(pack, b"after")
    assert sum(map(len, growing._masked._frames)) <= _MOST_HELD
    assert growing._masked.spilled is not None
    assert growing._masked.spilled.length > _MOST_HELD
    for each in (before, growing, after):
        assert pack.put_response(each) is None
    growing.add(b"and more")
    assert pack.put_response(growing) is None
    pack.close()
    reader = BodyReader(tmp_path / "bodies")
    for whole in (b"before", body, b"after", body + b"and more"):
        assert reader.get(sha256(whole).hexdigest()) == whole
    assert [path.name for path in (tmp_path / "bodies").iterdir()] == ["bodies.pack"]


def test_secrets_of_a_long_body_are_masked(tmp_path: Path) -> None:
    """In what went to the file as in what was held; the hash of what is kept is that of all of it."""
    pack = BodyPack(tmp_path / "bodies", BodyCache(), Redactor())
    middle = incompressible(LONG)
    body = f"{SECRET} ".encode() + middle + f" {SECRET} ".encode()
    growing = grown(pack, body)
    kept = pack.put_response(growing)
    pack.close()
    masked = b"[masked github-token] " + middle + b" [masked github-token] "
    assert kept == sha256(masked).hexdigest()
    assert BodyReader(tmp_path / "bodies").get(sha256(body).hexdigest()) == masked


def test_a_body_that_the_disk_does_not_take_is_lost_with_a_word(tmp_path: Path) -> None:
    """Its length and its hash are known all the same."""
    body = incompressible(LONG)
    growing = GrowingBody(ZstdCompressor(), Redactor(), tmp_path / "not there")
    growing.add(body)
    assert (growing.length, growing.sha256) == (LONG, sha256(body).hexdigest())
    with pytest.raises(UnsearchableError, match="the disk took no more of it: No such file or directory"):
        growing.kept()


def test_a_spill_is_gone_when_nobody_needs_it(tmp_path: Path) -> None:
    """Its descriptor is closed with it, whether or not its bytes were wanted."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    spill = Spill(tmp_path)
    spill.add(b"a")
    spill.add(bytes(3 * 2**20))
    assert b"".join(spill.pieces()) == b"a" + bytes(3 * 2**20)
    assert list(tmp_path.iterdir()) == []
    del spill
    assert len(list(Path("/proc/self/fd").iterdir())) == before
