"""A body comes back byte for byte, costs what is new in it, and no damage to one passes unnoticed."""

import random
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor
else:
    from backports.zstd import ZstdCompressor

from tachograph.traces import BodyReader, GrowingBody, Redactor, StoreError
from tachograph.traces._bodies import PACK_HEADER, PACK_NAME, BodyCache, BodyPack, _Kept
from tachograph.traces._kept_body import decompress

REDACTOR = Redactor()


def hash_of(body: bytes) -> str:
    return sha256(body).hexdigest()


def put(folder: Path, *bodies: bytes, cache: BodyCache | None = None) -> None:
    pack = BodyPack(folder, cache or BodyCache(), REDACTOR)
    for body in bodies:
        pack.put_request(body, hash_of(body))
    pack.close()


def check(folder: Path, bodies: list[bytes]) -> None:
    reader = BodyReader(folder)
    assert set(reader) == set(map(hash_of, bodies))
    assert reader.gaps == []
    for body in bodies:
        assert reader.get(hash_of(body)) == body


blocks = st.binary(max_size=50) | st.sampled_from([b"abc" * 400, b"{}" * 300, bytes(1000), b'\n{"sha256":"' * 100])


@st.composite
def histories(draw: st.DrawFn) -> list[bytes]:
    """Bodies that grow at the end or in the middle, shrink, begin anew or come again."""
    bodies = [b""]
    for _ in range(draw(st.integers(1, 12))):
        body = draw(st.sampled_from(bodies))
        at, end = sorted(draw(st.tuples(*[st.integers(0, len(body))] * 2)))
        bodies.append(draw(st.sampled_from([body, b"", body[:at] + draw(blocks) + body[end:], body + draw(blocks)])))
    return bodies


@given(
    bodies=histories(),
    as_response=st.lists(st.booleans(), min_size=13, max_size=13),
    budget=st.sampled_from([0, 3000, 2**26]),
)
@settings(max_examples=150)
def test_bodies_come_back_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], as_response: list[bool], budget: int
) -> None:
    """Whatever was stored, in whatever order and with whatever was forgotten meanwhile, is read again, in any order."""
    folder = tmp_path_factory.mktemp("run") / "bodies"
    pack = BodyPack(folder, BodyCache(budget), REDACTOR)
    for body, response in zip(bodies, as_response, strict=False):
        if response:
            growing = pack.new_response()
            growing.add(body)
            pack.put_response(growing)
        else:
            pack.put_request(body, hash_of(body))
    pack.close()
    check(folder, bodies)
    check(folder, bodies[::-1])


def test_random_bytes_cost_no_more_than_they_are(tmp_path: Path) -> None:
    """What cannot be compressed is kept nevertheless, at its own size."""
    body = random.Random(1).randbytes(2**20)
    put(tmp_path / "bodies", body)
    check(tmp_path / "bodies", [body])
    assert (tmp_path / "bodies" / PACK_NAME).stat().st_size < len(body) + 500


def test_a_body_is_stored_once(tmp_path: Path) -> None:
    """A retry or the same answer again takes no room."""
    put(tmp_path / "bodies", b"x" * 1000, b"x" * 1000)
    check(tmp_path / "bodies", [b"x" * 1000])
    assert (tmp_path / "bodies" / PACK_NAME).read_bytes().count(b'{"sha256":"') == 1


def test_a_body_that_comes_again_after_long(tmp_path: Path) -> None:
    """What is known of the bodies of a long run is bounded: one that is forgotten is stored twice, and read all the same."""
    bodies = [b"%d" % number for number in range(5000)]
    put(tmp_path, *bodies, bodies[0], bodies[4999])
    check(tmp_path, bodies)
    heads = (tmp_path / PACK_NAME).read_bytes().count(b'{"sha256":"')
    assert heads == len(bodies) + 1


@given(
    body=st.binary(max_size=60_000) | st.just(b"data: x\n\n" * 9000), cuts=st.lists(st.integers(0, 60_000), max_size=20)
)
def test_a_growing_body_is_the_same_however_it_is_cut(body: bytes, cuts: list[int]) -> None:
    """Chunks come as the network cuts them: hash, length and bytes are those of the whole."""
    growing = GrowingBody(ZstdCompressor(), REDACTOR, Path(tempfile.gettempdir()))
    ends = sorted({min(cut, len(body)) for cut in cuts} | {len(body)})
    for start, end in zip([0, *ends], ends, strict=False):
        growing.add(body[start:end])
    assert (growing.sha256, growing.length) == (hash_of(body), len(body))
    assert decompress(growing.kept().stored) == body
    growing.add(b"more")
    assert decompress(growing.kept().stored) == body + b"more"


def test_a_long_stream_is_held_compressed() -> None:
    """Many streams are open at a time: one holds little beyond what compression leaves of it."""
    growing = GrowingBody(ZstdCompressor(), REDACTOR, Path(tempfile.gettempdir()))
    for _ in range(100_000):
        growing.add(b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n')
    assert len(growing._masked._latest) < 17 * 1024
    assert sum(map(len, growing._masked._frames)) < growing.length / 50


def test_a_long_response_is_read_in_linear_time(tmp_path: Path) -> None:
    """A response of many frames comes back; decoding them one by one from one buffer would copy it for each."""
    pack = BodyPack(tmp_path / "bodies", BodyCache(), REDACTOR)
    growing = pack.new_response()
    part = random.Random(2).randbytes(2**16)
    for _ in range(512):
        growing.add(part)
    pack.put_response(growing)
    pack.close()
    assert BodyReader(tmp_path / "bodies").get(growing.sha256) == part * 512


def conversation(calls: int, start: int, step: int) -> list[bytes]:
    """An agent's requests: instructions and tools, then messages, of which each call adds some. Words, not noise."""
    chance = random.Random(3)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz_", k=chance.randint(2, 11))) for _ in range(3000)]

    def text(size: int) -> str:
        said = ""
        while len(said) < size:
            said += chance.choice(words) + " "
        return said[:size]

    messages = [{"role": "system", "content": text(start)}]
    tools = [{"name": text(10), "description": text(200)} for _ in range(8)]
    bodies = []
    for _ in range(calls):
        bodies.append(orjson.dumps({"model": "m", "messages": messages, "tools": tools, "stream": True}))
        messages.append({"role": "user", "content": text(step)})
    return bodies


def test_a_growing_conversation_costs_little(tmp_path: Path) -> None:
    """200 calls of a conversation that begins with 20 KB and grows by 600 bytes a call: below 2,000 bytes of disk a call.

    They send 80 KB a call on average. The messages stand in the middle of the body, between model and tools; these words
    compress to half; each 33rd body is kept whole.
    """
    bodies = conversation(200, 18_000, 570)
    put(tmp_path / "bodies", *bodies)
    check(tmp_path / "bodies", bodies)
    a_call = (tmp_path / "bodies" / PACK_NAME).stat().st_size / len(bodies)
    assert a_call < 2000


def test_side_conversations_do_not_cost_the_main_one(tmp_path: Path) -> None:
    """Helpers of an agent begin with the same instructions as it does: each conversation leans on its own."""
    main, side, third = conversation(40, 18_000, 570), conversation(40, 3_000, 100), conversation(40, 9_000, 300)
    alone = 0
    for number, bodies in enumerate((main, side, third)):
        put(tmp_path / f"alone{number}", *bodies)
        alone += (tmp_path / f"alone{number}" / PACK_NAME).stat().st_size
    mixed = [body for together in zip(main, side, third, strict=True) for body in together]
    put(tmp_path / "mixed", *mixed)
    check(tmp_path / "mixed", mixed)
    assert (tmp_path / "mixed" / PACK_NAME).stat().st_size < alone * 1.1


def test_no_chain_is_longer_than_it_may_be(tmp_path: Path) -> None:
    """A damaged record costs at most the 32 bodies that lean on it, and a body is read from at most 33 records."""
    bodies = conversation(100, 5000, 600)
    put(tmp_path / "bodies", *bodies)
    reader = BodyReader(tmp_path / "bodies")
    lengths = [len(reader._chain(hash_of(body))) for body in bodies]
    assert max(lengths) == 33
    assert lengths.count(1) == 4


def test_the_cache_stays_within_its_budget() -> None:
    """Two hundred open runs hold no more than the budget, and the run that was used longest ago goes first."""
    chance = random.Random(4)
    cache = BodyCache(100_000)
    folder = Path("run")

    def held() -> int:
        return sum(len(kept.body) for bodies in cache._runs.values() for kept in bodies)

    for number in range(3000):
        run = folder / str(chance.randrange(50))
        known = cache.of(str(run))
        replaced = chance.choice([None, *known])
        cache.add(str(run), _Kept(str(number), bytes(chance.choice([0, 100, 3000, 30_000, 150_000])), 0), replaced)
        assert held() == cache._size <= 100_000
    for number in range(60):
        cache.forget(str(folder / str(number)))
    assert cache._size == held() == 0


def test_a_body_larger_than_the_budget_is_stored(tmp_path: Path) -> None:
    """It is only not held to compare with."""
    bodies = [bytes([number]) * 5000 for number in range(5)]
    put(tmp_path / "bodies", *bodies, cache=BodyCache(1000))
    check(tmp_path / "bodies", bodies)


def test_a_torn_last_record_is_tolerated(tmp_path: Path) -> None:
    """Cut off at any byte, by a kill in the middle of a write: what was whole before is there, and nothing else."""
    bodies = [b"first" * 200, b"second" * 150 + random.Random(5).randbytes(300), b""]
    put(tmp_path / "whole", *bodies)
    data = (tmp_path / "whole" / PACK_NAME).read_bytes()
    whole = [(len(data[: data.index(hash_of(body).encode())]) - len(b'{"sha256":"')) for body in bodies]
    ends = [*whole[1:], len(data)]
    folder = tmp_path / "cut"
    folder.mkdir()
    for cut in range(len(data)):
        (folder / PACK_NAME).write_bytes(data[:cut])
        reader = BodyReader(folder)
        there = [body for body, end in zip(bodies, ends, strict=True) if end <= cut]
        assert list(reader) == list(map(hash_of, there))
        for body in there:
            assert reader.get(hash_of(body)) == body
        assert reader.gaps == ([] if cut in (0, len(PACK_HEADER), *ends) else [(reader.gaps[0][0], cut)])


def test_a_writer_goes_on_after_a_torn_record(tmp_path: Path) -> None:
    """A worker was killed in the middle of a write, and others go on: no body of theirs is lost, however it was torn."""
    first, torn, later = b"first" * 200, random.Random(6).randbytes(900), b"later" * 300
    put(tmp_path / "whole", first, torn)
    data = (tmp_path / "whole" / PACK_NAME).read_bytes()
    start = data.index(hash_of(torn).encode()) - len(b'{"sha256":"')
    folder = tmp_path / "torn"
    folder.mkdir()
    for cut in range(start + 1, len(data)):
        (folder / PACK_NAME).write_bytes(data[:cut])
        put(folder, later)
        reader = BodyReader(folder)
        assert list(reader) == [hash_of(first), hash_of(later)]
        assert reader.get(hash_of(later)) == later
        assert reader.gaps == [(start, cut)]
        with pytest.raises(StoreError, match="gap"):
            reader.get(hash_of(torn))


@given(where=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
@settings(max_examples=400)
def test_damage_is_a_store_error(tmp_path_factory: pytest.TempPathFactory, where: float, change: int) -> None:
    """With any byte altered, each body is either as it was or refused with a reason, and the others are not lost."""
    folder = tmp_path_factory.mktemp("run") / "bodies"
    bodies = [random.Random(number).randbytes(200) * 5 for number in range(4)]
    put(folder, *bodies)
    data = bytearray((folder / PACK_NAME).read_bytes())
    data[int(where * len(data))] ^= change
    (folder / PACK_NAME).write_bytes(data)
    lost = 0
    if data.startswith(b'{"tachograph.bodies":') and data[:22] > PACK_HEADER[:22]:
        return  # it claims to be of another version, and is refused
    reader = BodyReader(folder)
    for body in bodies:
        try:
            assert reader.get(hash_of(body)) == body
        except StoreError:
            lost += 1
        except KeyError:
            # Its name was altered: there is a body that nobody asks for.
            assert len(reader) == 4
            lost += 1
    assert lost <= 1


@pytest.mark.parametrize(
    "fields",
    [
        {"stored": -5},
        {"stored": "7"},
        {"stored": 2**60},
        {"stored": None},
        {"prefix": -1},
        {"prefix": 1.5},
        {"suffix": []},
        {"base": 7},
        {"base": ["a"]},
        {"sha256": 7},
    ],
    ids=str,
)
def test_a_senseless_record_is_passed_over(tmp_path: Path, fields: dict[str, object]) -> None:
    """Whatever a record's head says, the reader neither fails nor runs for ever, and finds the next record."""
    body = b"body" * 100
    put(tmp_path / "bodies", body)
    path = tmp_path / "bodies" / PACK_NAME
    data = path.read_bytes()
    head = {"sha256": "f" * 64, "bytes": 3, "stored": 3}
    path.write_bytes(PACK_HEADER + orjson.dumps(head | fields) + b"\nabc\n" + data[len(PACK_HEADER) :])
    reader = BodyReader(tmp_path / "bodies")
    assert list(reader) == [hash_of(body)]
    assert reader.get(hash_of(body)) == body
    assert len(reader.gaps) == 1


def test_two_writers_that_lean_on_each_others_bodies_make_no_circle(tmp_path: Path) -> None:
    """Two processes may store the same two bodies, each the other way round: both are read."""
    one = random.Random(7).randbytes(2000)
    other = one + b"and more"
    packs = [BodyPack(tmp_path / "bodies", BodyCache(), REDACTOR) for _ in range(2)]
    packs[0].put_request(one, hash_of(one))
    packs[1].put_request(other, hash_of(other))
    packs[0].put_request(other, hash_of(other))
    packs[1].put_request(one, hash_of(one))
    for pack in packs:
        pack.close()
    check(tmp_path / "bodies", [one, other])


def test_several_processes_share_a_pack(tmp_path: Path) -> None:
    """Workers of one proxy store bodies of one run at once: all are there."""
    script = Path(__file__).with_name("put_bodies.py")
    writers = [subprocess.Popen([sys.executable, script, tmp_path / "bodies", str(name), "200"]) for name in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    bodies = [b"%d of %d, " % (number, name) * 50 for name in range(3) for number in range(200)]
    check(tmp_path / "bodies", bodies)


def test_a_newer_pack_is_refused(tmp_path: Path) -> None:
    """What a newer version wrote is not misread."""
    put(tmp_path / "bodies", b"x")
    path = tmp_path / "bodies" / PACK_NAME
    path.write_bytes(path.read_bytes().replace(b'{"tachograph.bodies":2}', b'{"tachograph.bodies":3}'))
    with pytest.raises(StoreError, match=r"bodies\.pack: written by a newer tachograph \(format 3\)"):
        BodyReader(tmp_path / "bodies")


def test_a_run_without_bodies_has_none(tmp_path: Path) -> None:
    """No pack is no error; a body that was never stored is a KeyError."""
    reader = BodyReader(tmp_path / "bodies")
    assert len(reader) == 0
    with pytest.raises(KeyError):
        reader.get("f" * 64)


def test_bodies_are_their_owners_only(tmp_path: Path) -> None:
    """What an agent and its model say may be secret."""
    put(tmp_path / "bodies", b"x")
    assert (tmp_path / "bodies").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "bodies" / PACK_NAME).stat().st_mode & 0o777 == 0o600


def test_bodies_read_in_turns(tmp_path: Path) -> None:
    """As a journal names them: requests that lean on one another, with other bodies between them, in any order and again."""
    source = random.Random(5)
    requests = [source.randbytes(2000)]
    for _ in range(40):
        requests.append(requests[-1] + source.randbytes(200))
    others = [source.randbytes(300) for _ in requests]
    bodies = [body for pair in zip(requests, others, strict=True) for body in pair]
    put(tmp_path, *bodies)
    check(tmp_path, bodies)
    reader = BodyReader(tmp_path)
    for body in source.sample(bodies, len(bodies)) + bodies[::-1]:
        assert reader.get(hash_of(body)) == body
        assert reader.get(hash_of(body)) == body


def test_few_large_bodies_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of a run with large bodies takes the memory of a few, never of all, and of one at least."""
    monkeypatch.setattr("tachograph.traces._body_reader._HELD_BYTES", 2500)
    bodies = [bytes([number]) * 1000 for number in range(10)]
    put(tmp_path, *bodies, b"x" * 5000)
    reader = BodyReader(tmp_path)
    for body in bodies:
        reader.get(hash_of(body))
    assert list(reader._latest.values()) == bodies[-2:]
    reader.get(hash_of(b"x" * 5000))
    assert list(reader._latest.values()) == [b"x" * 5000]
