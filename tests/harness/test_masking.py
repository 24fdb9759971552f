"""What a terminal shows and what is logged holds no secret, however it comes; whole runs leave none in their folder."""

import base64
import json
import logging
import random
import string
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachograph.harness._masking import MaskingFormatter, TerminalMask
from tachograph.scoring import SNAPSHOT_NAMES
from tachograph.scoring.workdir import read_snapshot
from tachograph.traces import BodyReader, Redactor, read_run, verify

PYTHON_TASK = Path(__file__).parents[2] / "examples" / "tasks" / "mutations" / "python-error-negated"


def random_word(length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=length))


KNOWN = "kN0wn/" + random_word(20, 1) + "+="
GITHUB = "ghp_" + random_word(36, 2)
LINES = [random_word(64, seed) for seed in range(3, 12)]
PEM = "\r\n".join(("-----BEGIN RSA PRIVATE" + " KEY-----", *LINES, "-----END RSA PRIVATE" + " KEY-----"))
COLOUR = "\x1b[1;32m"
REDACTOR = Redactor([KNOWN])
shown = st.sampled_from(
    [
        "hello ",
        "world\r\n",
        f"{COLOUR}ok\x1b[0m ",
        "\x1b]0;a title\x07",
        "é€😀 ",
        KNOWN,
        KNOWN[:9] + COLOUR + KNOWN[9:],
        f"{GITHUB} ",
        f"{GITHUB[:12]}\x1b[7m{GITHUB[12:]} ",
        f"\r\n{PEM}\r\n",
        "-----BEGIN nothing\r\n",
        "x" * 5000,
    ]
)


@given(parts=st.lists(shown, max_size=8), cuts=st.lists(st.integers(0, 20_000), max_size=12))
@settings(max_examples=300, deadline=None)
def test_no_secret_is_shown(parts: list[str], cuts: list[int]) -> None:
    """Wherever two reads cut it, and though it changes colour midway; the rest of what was shown is all there."""
    data = " ".join(parts).encode()
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    mask = TerminalMask(REDACTOR)
    out = b"".join(mask.feed(data[start:end]) for start, end in zip([0, *ends], ends, strict=False)) + mask.flush()
    for secret in (KNOWN, GITHUB, *LINES, KNOWN[9:], GITHUB[12:]):
        assert secret.encode() not in out
    if b"[masked" not in out:
        assert out == data


@given(
    parts=st.lists(st.sampled_from(["hello ", "world\r\n", f"{COLOUR}ok\x1b[0m", "é€", "x" * 5000, "\x1b[", "\x1b"]))
)
def test_all_else_is_shown(parts: list[str]) -> None:
    """What is no secret comes out as it went in."""
    mask = TerminalMask(REDACTOR)
    assert b"".join(mask.feed(part.encode()) for part in parts) + mask.flush() == "".join(parts).encode()


def test_lines_are_shown_at_once() -> None:
    """Only the last word waits for what follows it: who kills the recorder loses no more than that."""
    mask = TerminalMask(REDACTOR)
    assert mask.feed(b"one two\r\nthree fo") == b"one two\r\nthree "
    assert mask.feed(b"ur\r\n") == b"four\r\n"


def test_logs_are_masked() -> None:
    """A message and its traceback are told without their secrets."""
    formatter = MaskingFormatter(logging.Formatter("%(message)s"), REDACTOR)
    error = ValueError(f"not {KNOWN}")
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "key %s", (GITHUB,), (ValueError, error, None))
    text = formatter.format(record)
    assert "key [masked github-token]" in text
    assert "ValueError: not [masked known-secret]" in text


CANARIES = {
    name: f"canary-{name}-{random_word(28, seed)}+/="
    for seed, name in enumerate(("upstream", "token", "password", "argument"), 100)
}
AGENT = """
import json, os, sys, urllib.request as u
told = {'home': os.environ['HOME'], 'argv': sys.argv[1:]}
text = open('secrets.txt').read()
body = json.dumps({'model': 'm', 'messages': [{'role': 'user', 'content': text + json.dumps(told)}]}).encode()
headers = {'Authorization': 'Bearer ' + os.environ['OPENAI_API_KEY'], 'X-Api-Key': sys.argv[1], 'X-Note': text.split()[0]}
request = u.Request(os.environ['OPENAI_BASE_URL'] + '/chat/completions?token=' + u.quote(sys.argv[1]), body, headers)
print(u.build_opener(u.ProxyHandler({})).open(request).read().decode())
print(text, sys.argv, os.environ['OPENAI_API_KEY'])
open('left.txt', 'w').write(text + os.environ['OPENAI_API_KEY'])
sys.stdout.write(text.split()[1][:20])
sys.stdout.flush()
sys.stdout.write(text.split()[1][20:])
"""


def traces_of(secret: str) -> Iterator[bytes]:
    escaped = json.dumps(secret)[1:-1]
    for text in (
        secret,
        escaped,
        json.dumps(escaped)[1:-1],
        escaped.replace("/", "\\/"),
        urllib.parse.quote(secret, ""),
    ):
        yield text.encode()
    for before in ("", "a", "ab"):
        yield base64.b64encode((before + secret).encode())[4:-4]


def all_bytes(store: Path) -> bytes:
    """All that lies in the store, bodies and snapshots unpacked."""
    found = [path.read_bytes() for path in store.rglob("*") if path.is_file()]
    for run in (path.parent for path in store.glob("*/trace.jsonl")):
        reader = BodyReader(run / "bodies")
        found += [reader.get(digest) for digest in reader]
        for name in (name for names in SNAPSHOT_NAMES.values() for name in names if (run / name).exists()):
            seen = read_snapshot(run / name)
            contents = (seen.content(path) for path in seen.paths)
            found += [content for content in contents if isinstance(content, bytes)]
    return b"\n".join(found)


def test_a_run_leaves_no_secret(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """Keys of the environment, of argv, of files and of answers: after a run none lies in the store, and none was printed."""
    (tmp_path / "agent.py").write_text(AGENT)
    planted = " ".join((CANARIES["token"], CANARIES["password"], GITHUB))
    upstream = rule_upstream(lambda _: f"I know {planted} and {CANARIES['upstream']}")
    options = ["--task", PYTHON_TASK, "--upstream", upstream.url, "--model", "m", "--store", "runs"]
    setup = f"printf '%s' '{planted}' > secrets.txt; python3 {tmp_path}/agent.py '{CANARIES['argument']}'; echo {GITHUB} >&2"
    done = tachograph(
        "run",
        *options,
        "--",
        "sh",
        "-c",
        setup,
        TACHOGRAPH_UPSTREAM_KEY=CANARIES["upstream"],
        MY_TOKEN=CANARIES["token"],
        DB_PASSWORD=CANARIES["password"],
        OTHER_API_KEY=CANARIES["argument"],
    )
    assert "not graded" not in done.stdout, done.stderr
    (journal,) = (tmp_path / "runs").glob("*/trace.jsonl")
    run = read_run(journal.parent)
    assert len(run.calls) == 1
    assert len(upstream.calls) == 1
    assert CANARIES["token"] in json.dumps(upstream.calls[0].request)
    assert verify(journal.parent).state == "sealed"
    data = all_bytes(tmp_path / "runs") + done.stdout.encode() + done.stderr.encode()
    assert b"[masked known-secret]" in data
    assert b"[masked run-key]" in data
    for secret in (*CANARIES.values(), GITHUB):
        for trace in traces_of(secret):
            assert trace not in data, (secret, trace)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ('[[rule]]\nname = "a"\npattern = "("\n', "rule 1: the pattern of a is no regular expression"),
        (None, "cannot be read"),
    ],
)
def test_a_bad_file_of_rules_is_refused(tachograph: Any, tmp_path: Path, rules: str | None, message: str) -> None:
    """Before anything is recorded, in one line."""
    if rules is not None:
        (tmp_path / "rules.toml").write_text(rules)
    done = tachograph("serve", "--upstream", "http://127.0.0.1:9/v1", "--redact-rules", "rules.toml")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
