"""A large body is not held: most of what is kept of it lies in an unnamed file until it is put."""

import gzip
import hashlib
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachograph.traces import BodyReader, GrowingBody, Redactor, UnsearchableError
from tachograph.traces._bodies import BodyCache, BodyPack

MIB = 2**20
SECRET = b"sk-" + b"proj-" + b"4Fq9TzXb7LmK2wVs8RdN" * 3
HERE = Path(__file__).parent


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def pack_in(folder: Path) -> BodyPack:
    redactor = Redactor()
    redactor.learn(SECRET.decode())
    return BodyPack(folder / "bodies", BodyCache(), redactor)


def grow(body: GrowingBody, data: bytes, step: int = 60_000) -> GrowingBody:
    for start in range(0, len(data), step):
        body.add(data[start : start + step])
    return body


def spilled_files(folder: Path) -> list[int]:
    """Bytes of this process's open files in a folder that have no name any more."""
    links = list(Path("/proc/self/fd").iterdir())
    named = [(link, str(link.readlink())) for link in links if link.is_symlink()]
    return [link.stat().st_size for link, name in named if name.startswith(str(folder)) and name.endswith("(deleted)")]


@pytest.mark.parametrize("size", [MIB // 2, 3 * MIB, 20 * MIB])
def test_a_spilled_body_comes_back_whole(tmp_path: Path, size: int) -> None:
    """Held or spilled, the bytes are those that came; what is held stays below 2 MiB; no file is left."""
    pack = pack_in(tmp_path)
    body = grow(pack.new_response(), noise(size))
    assert sum(map(len, body._masked._frames)) < 2 * MIB
    assert bool(spilled_files(tmp_path)) == (size > 2 * MIB)
    pack.put_response(body)
    read = BodyReader(tmp_path / "bodies")
    assert read.get(body.sha256) == noise(size)
    assert not read.gaps
    assert [path.name for path in (tmp_path / "bodies").iterdir()] == ["bodies.pack"]
    del body
    assert not spilled_files(tmp_path), "the file outlives its body"


def test_a_spilled_body_may_go_on_after_it_was_put(tmp_path: Path) -> None:
    """Bytes behind the end come after the body was put: both bodies are there, each by its hash."""
    pack = pack_in(tmp_path)
    body = grow(pack.new_response(), noise(4 * MIB))
    pack.put_response(body)
    first = body.sha256
    grow(body, noise(3 * MIB))
    pack.put_response(body)
    read = BodyReader(tmp_path / "bodies")
    assert read.get(first) == noise(4 * MIB)
    assert read.get(body.sha256) == noise(4 * MIB) + noise(3 * MIB)


@given(places=st.lists(st.integers(0, 3 * MIB), min_size=1, max_size=6), step=st.integers(5000, 200_000))
@settings(max_examples=8, deadline=None)
def test_secrets_are_masked_in_what_is_spilled(
    tmp_path_factory: pytest.TempPathFactory, places: list[int], step: int
) -> None:
    """Wherever a secret stands in a large body, it is neither in the file that is spilled nor in the pack."""
    folder = tmp_path_factory.mktemp("run")
    clear = noise(3 * MIB).hex().encode()[: 3 * MIB]
    data = clear
    for place in sorted(places, reverse=True):
        data = data[:place] + b' "' + SECRET + b'" ' + data[place:]
    pack = pack_in(folder)
    body = grow(pack.new_response(), data, step)
    kept = pack.put_response(body)
    read = BodyReader(folder / "bodies").get(body.sha256)
    assert body.sha256 == hashlib.sha256(data).hexdigest()
    assert kept == hashlib.sha256(read).hexdigest()
    assert SECRET not in read


def test_a_stream_with_a_secret_is_not_spilled(tmp_path: Path) -> None:
    """A stream is masked at its end, since its events share a secret: until then it is on no disk."""
    pack = pack_in(tmp_path)
    body = grow(pack.new_response(), b'data: {"content":"' + SECRET + b'"}\n\n')
    for number in range(60):
        grow(body, b'data: {"content":"%b"}\n\n' % noise(50_000 + number).hex().encode())
    assert not spilled_files(tmp_path)
    pack.put_response(body)
    assert SECRET not in BodyReader(tmp_path / "bodies").get(body.sha256)


def test_an_encoded_body_is_spilled_as_it_came(tmp_path: Path) -> None:
    """Of a body with a content coding the coded bytes are kept, unless it holds a secret; then it lies on no disk before."""
    pack = pack_in(tmp_path)
    for data, is_clear in ((noise(4 * MIB), True), (b'"' + SECRET + b'" ' + noise(3 * MIB + 1), False)):
        coded = gzip.compress(data)
        body = pack.new_response()
        body.decode("gzip")
        grow(body, coded)
        if is_clear:
            assert spilled_files(tmp_path)
        pack.put_response(body)
        read = BodyReader(tmp_path / "bodies")
        assert (read.get(body.sha256) == coded) == is_clear
        assert (read.masked(body.sha256) is None) == is_clear
        assert SECRET not in read.get(body.sha256)
        del body


def test_a_large_request_is_kept_in_frames(tmp_path: Path) -> None:
    """A request that is too large to be compared with others comes back all the same, its secrets masked."""
    pack = pack_in(tmp_path)
    for data in (noise(17 * MIB), noise(17 * MIB) + b' "' + SECRET + b'"'):
        digest = hashlib.sha256(data).hexdigest()
        pack.put_request(data, digest)
        read = BodyReader(tmp_path / "bodies").get(digest)
        assert (read == data) == (SECRET not in data)
        assert SECRET not in read


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """The kernel's limit to the size of files of this process: a write beyond it fails, as on a full disk."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_body_that_cannot_be_spilled_is_not_kept_and_goes_on(tmp_path: Path) -> None:
    """Where there is no room for a spilled body, taking its bytes goes on, hash and length are true, and the reason is told."""
    pack = pack_in(tmp_path)
    with file_limit(MIB):
        body = grow(pack.new_response(), noise(8 * MIB))
        assert not body._masked._frames, "what will not be kept is still held"
        with pytest.raises(OSError, match="too large") as failed:
            pack.put_response(body)
    assert not isinstance(failed.value, UnsearchableError)
    assert (body.sha256, body.length) == (hashlib.sha256(noise(8 * MIB)).hexdigest(), 8 * MIB)
    small = grow(pack.new_response(), b"small")
    pack.put_response(small)
    assert BodyReader(tmp_path / "bodies").get(small.sha256) == b"small"


def test_a_pack_that_has_no_room_for_a_spilled_body_stays_whole(tmp_path: Path) -> None:
    """A spilled body that fits into its own file and not into the pack is taken back: no torn record is left."""
    pack = pack_in(tmp_path)
    first = grow(pack.new_response(), noise(3 * MIB))
    pack.put_response(first)
    with file_limit(6 * MIB):
        second = grow(pack.new_response(), noise(5 * MIB))
        with pytest.raises(OSError, match="too large"):
            pack.put_response(second)
    read = BodyReader(tmp_path / "bodies")
    assert (list(read), read.gaps) == ([first.sha256], [])


def test_nothing_is_left_of_a_spilled_body_after_a_kill(tmp_path: Path) -> None:
    """The file has no name: the kernel frees it with the process that is killed."""
    program = (
        "import os, signal, sys; from pathlib import Path; from tachograph.traces import Redactor;"
        "from tachograph.traces._bodies import BodyCache, BodyPack;"
        "body = BodyPack(Path(sys.argv[1]) / 'bodies', BodyCache(), Redactor()).new_response();"
        "[body.add(os.urandom(60000)) for _ in range(80)];"
        "assert body._masked._spill.size > 2**20; os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program, tmp_path], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert [path.name for path in (tmp_path / "bodies").iterdir()] == ["bodies.pack"]
    assert (tmp_path / "bodies" / "bodies.pack").stat().st_size == 0


def test_a_long_stream_with_a_secret_is_let_go_of(tmp_path: Path) -> None:
    """A stream that is masked at its end has to be held until then: there is a limit to that, and it is told."""
    pack = pack_in(tmp_path)
    body = grow(pack.new_response(), b'data: {"content":"' + SECRET + b'"}\n\n')
    event = b'data: {"content":"%b"}\n\n' % noise(30_000).hex().encode()
    for _ in range(66 * MIB // len(event)):
        body.add(event)
    assert not body._masked._frames
    assert not spilled_files(tmp_path)
    with pytest.raises(UnsearchableError, match="holds secrets"):
        pack.put_response(body)
