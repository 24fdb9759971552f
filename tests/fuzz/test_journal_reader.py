"""Journals of any content: a record that somebody damaged, or made up, is read as far as it can be, and never trusted."""

import os
from contextlib import suppress

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tachograph.traces import RunStore, TachographError, read_calls, read_run, read_spans, verify

SETTINGS = settings(
    max_examples=int(os.environ.get("TACHOGRAPH_FUZZ_EXAMPLES", "300")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The lines of a run that was closed."""
    store = RunStore(tmp_path_factory.mktemp("runs"))
    recording = store.open_run("run", {"tachograph.cell.id": "a/b/c/d#run1"})
    for name in ("agent", "check"):
        with recording.span(name, name, attributes={"tachograph.check.passed": True}):
            pass
    recording.close("completed")
    return (store.folder / "run" / "trace.jsonl").read_bytes().splitlines(keepends=True)


@st.composite
def damages(draw: st.DrawFn, lines: list[bytes]) -> bytes:
    """The lines in any order, some left out or twice, some of their members or bytes replaced."""
    chosen = draw(st.lists(st.sampled_from(lines), max_size=len(lines) + 2))
    said = [_altered(draw, orjson.loads(line)) if draw(st.booleans()) else line for line in chosen]
    data = bytearray(b"".join(said))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 30))] = draw(st.binary(max_size=4))
    return bytes(data)


def _altered(draw: st.DrawFn, document: object) -> bytes:
    """The document with the value of one member, somewhere in it, replaced by any other."""
    places: list[tuple[object, object]] = []
    _collect(document, places)
    container, key = draw(st.sampled_from(places))
    container[key] = draw(VALUES)  # type: ignore[index]
    return orjson.dumps(document) + b"\n"


def _collect(document: object, places: list[tuple[object, object]]) -> None:
    pairs = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in pairs:
        places.append((document, key))
        _collect(value, places)


@given(st.data())
@SETTINGS
def test_any_journal(tmp_path_factory: pytest.TempPathFactory, journal: list[bytes], data: st.DataObject) -> None:
    """Reading it gives what can be read, or one of our own errors; only the run as it was is called sealed."""
    content = data.draw(st.one_of(damages(journal), st.binary(max_size=200)))
    folder = tmp_path_factory.getbasetemp() / "run"
    folder.mkdir(exist_ok=True)
    (folder / "trace.jsonl").write_bytes(content)
    for read in (lambda: list(read_calls(folder)), lambda: list(read_spans(folder)), lambda: read_run(folder)):
        with suppress(TachographError):
            read()
    try:
        state = verify(folder).state
    except TachographError:
        return
    assert state != "sealed" or content == b"".join(journal)
