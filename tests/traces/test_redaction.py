"""No secret is written, in whatever form and however it is cut; what is none stays byte for byte."""

import base64
import hashlib
import itertools
import json
import random
import string
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.trace import SpanContext

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor
else:
    from backports.zstd import ZstdCompressor

from tachograph.traces import GrowingBody, InputError, Redactor, read_rules, secrets_of_environment
from tachograph.traces import _names as names
from tachograph.traces._bodies import BodyCache, BodyPack
from tachograph.traces._body_reader import BodyReader
from tachograph.traces._kept_body import decompress
from tachograph.traces._otlp import encode_moment

PACKAGES = ("traces", "proxy", "scoring", "harness")
WORD = string.ascii_letters + string.digits


def random_word(length: int, seed: int, alphabet: str = WORD) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=length))


PEM = "\n".join(
    (
        "-----BEGIN RSA PRIVATE" + " KEY-----",
        *(random_word(64, seed, WORD + "+/") for seed in range(24)),
        random_word(30, 99) + "==",
        "-----END RSA PRIVATE" + " KEY-----",
    )
)
COMMON = {
    "anthropic-key": "sk-" + "ant-api03-" + random_word(93, 1) + "AA",
    "aws-access-key": "AKIA" + random_word(16, 2, string.ascii_uppercase + string.digits),
    "discord-token": "M" + random_word(23, 3) + "." + random_word(6, 4) + "." + random_word(27, 5),
    "github-token": "ghp_" + random_word(36, 6),
    "gitlab-token": "glpat-" + random_word(20, 7),
    "google-key": "AIza" + random_word(35, 8),
    "groq-key": "gsk_" + random_word(52, 9),
    "huggingface-token": "hf_" + random_word(34, 10),
    "json-web-token": "eyJ" + random_word(20, 11) + "." + random_word(40, 12) + "." + random_word(43, 13),
    "npm-token": "npm_" + random_word(36, 14),
    "openai-key": "sk-" + "proj-" + random_word(74, 15) + "T3BlbkFJ" + random_word(74, 16),
    "pypi-token": "pypi-AgEIcHlwaS5vcmc" + random_word(120, 17),
    "run-key": "tachograph-" + random_word(32, 18),
    "sendgrid-key": "SG." + random_word(22, 19) + "." + random_word(43, 20),
    "slack-token": "xoxb-" + "123456789012-1234567890123-" + random_word(24, 21, string.ascii_lowercase),
    "stripe-key": "sk_live_" + random_word(99, 22),
    "telegram-token": "123456789:" + random_word(35, 23),
}
LONG = random_word(200, 24, WORD + "+/=")
KNOWN = ('pa55"w\\ord/é+=x', random_word(40, 25, WORD + "+/"), LONG)


def in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def forms(secret: str) -> Iterator[bytes]:
    """A secret as it is, in JSON once and twice, in JSON as Go and PHP write it, in URLs, in base64."""
    escaped = in_json(secret)
    hard = escaped.replace("/", "\\/").replace("=", "\\u003d").replace("+", "\\u002B")
    for text in (secret, escaped, in_json(escaped), json.dumps(secret, ensure_ascii=False)[1:-1], hard, in_json(hard)):
        yield text.encode()
    yield urllib.parse.quote(secret, safe="").encode()
    yield from encoded(secret)


def encoded(secret: str) -> Iterator[bytes]:
    """In base64 at each alignment, as the password of Basic among others: what a secret alone decides."""
    for user, code in itertools.product(("", "u", "us", "user:"), (base64.b64encode, base64.urlsafe_b64encode)):
        yield code((user + secret + "; more").encode())


def traces_of(secret: str) -> list[bytes]:
    """What must be found nowhere: a secret in each form, without what its neighbours decide."""
    core = [code[4 + len(code) // 4 : -12 - len(code) // 4] for code in encoded(secret)]
    plain = [secret.encode(), in_json(secret).encode(), urllib.parse.quote(secret, safe="").encode()]
    return [trace for trace in (*plain, *core) if len(trace) >= 8]


REDACTOR = Redactor(KNOWN)
ordinary = st.sampled_from(
    [
        b'{"messages":[{"role":"user","content":"',
        b'"}],"stream":true}',
        b"def task(self) -> None:\\n    return {}\\n",
        b"The quick brown fox jumps over the lazy dog. ",
        b'data: {"choices":[{"index":0,"delta":{"content":"x y"}}]}\n\n' * 40,
        b" %s of 100%; \\u00e9t\\u00e9 C:\\\\Users\\\\me \\/ https:\\/\\/example.com\\/a?b=c%20d ",
        b" 0123456789abcdef0123456789abcdef01234567 ",
        " é€😀 ".encode(),
        b"\x00\xff\xfe\x1b[0m",
        b" x" * 3000,
    ]
)
planted = st.sampled_from([form for secret in KNOWN for form in forms(secret)]) | st.sampled_from(
    [secret.encode() for secret in COMMON.values()] + [PEM.encode(), in_json(PEM).encode()]
)


def pieces_of(data: bytes, cuts: list[float]) -> Iterator[bytes]:
    places = sorted({0, len(data), *(int(cut * len(data)) for cut in cuts)})
    for start, end in itertools.pairwise(places):
        yield data[start:end]


def stored(folder: Path, data: bytes, cuts: list[float]) -> tuple[bytes, bytes]:
    """What is read of a body that was stored as a request, and as a response in pieces."""
    redactor = REDACTOR
    read = []
    for name in ("request", "response"):
        pack = BodyPack(folder / name, BodyCache(), redactor)
        growing = pack.new_response()
        for piece in pieces_of(data, cuts):
            growing.add(piece)
        if name == "request":
            pack.put_request(data, growing.sha256)
        else:
            pack.put_response(growing)
        pack.close()
        read.append(BodyReader(folder / name).get(growing.sha256))
    return read[0], read[1]


@given(
    parts=st.lists(ordinary | planted.map(lambda secret: b' "' + secret + b'" '), max_size=12),
    cuts=st.lists(st.floats(0, 1), max_size=6),
)
@settings(max_examples=300)
def test_no_secret_is_stored(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], cuts: list[float]) -> None:
    """Wherever in a body a secret stands, in whatever form, and however the body is cut, it is found in no form on disk."""
    data = b"".join(parts)
    for read in stored(tmp_path_factory.mktemp("bodies"), data, cuts):
        for secret in (*KNOWN, *COMMON.values(), *PEM.split("\n")[1:-1]):
            for trace in traces_of(secret):
                assert trace not in read
        planted_here = any(b' "' in part for part in parts)
        assert (read == data) or planted_here


@given(parts=st.lists(ordinary, max_size=30), cuts=st.lists(st.floats(0, 1), max_size=10))
@settings(max_examples=150)
def test_what_is_no_secret_stays_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], cuts: list[float]
) -> None:
    """A mask in the wrong place harms the record."""
    data = b"".join(parts)
    assert stored(tmp_path_factory.mktemp("bodies"), data, cuts) == (data, data)


def test_this_projects_own_text_stays_as_it_is() -> None:
    """Thousands of lines of source and prose, as agents send them, hold no secret."""
    root = Path(__file__).parents[2]
    texts = [root / "README.md", *root.glob("docs/*.md")]
    for path in (*texts, *(path for package in PACKAGES for path in (root / package).rglob("*.py"))):
        text = path.read_text(encoding="utf-8")
        for form in (text, json.dumps({"messages": [{"content": text}]})):
            assert [one.kind for one in REDACTOR.find(form.encode())] == [], path


@pytest.mark.parametrize("kind", COMMON)
def test_each_common_secret_is_masked_by_its_kind(kind: str) -> None:
    """The mask says what was there, and takes nothing beside it."""
    for before, after in (("", ""), ("key=", " and"), ('{\\"a\\":\\"', '\\"}'), ("\\n", "\\n"), ("Bearer ", "\r\n")):
        assert REDACTOR.mask_text(f"{before}{COMMON[kind]}{after}") == f"{before}[masked {kind}]{after}"


@pytest.mark.parametrize("secret", KNOWN)
def test_a_known_secret_is_masked_in_every_form(secret: str) -> None:
    """As it is, escaped, in URLs and in base64."""
    for form in forms(secret):
        masked = REDACTOR.mask(b'"%b"' % form)
        assert set(masked.counts) == {"known-secret"}
        for trace in traces_of(secret):
            assert trace not in masked.data


@given(secret=st.text(st.characters(exclude_categories=()), min_size=8, max_size=300))
@settings(max_examples=100)
def test_any_secret_can_be_known(secret: str) -> None:
    """Whatever characters a key consists of, it can be looked for, and is found."""
    redactor = Redactor([secret])
    raw = secret.encode("utf-8", "surrogatepass")
    assert secret not in redactor.mask_text(f"<{secret}>") or secret in "<[masked known-secret]>"
    assert redactor.find(raw)
    assert redactor.find(json.dumps(secret).encode())


def test_json_stays_json() -> None:
    """A mask in a JSON text leaves JSON, so that a transcript can be read."""
    for secret in (*KNOWN, *COMMON.values(), PEM):
        for text in (f"a {secret} b", secret, f"{secret}\nnext", json.dumps({"key": secret})):
            body = json.dumps({"messages": [{"content": text}, {"content": json.dumps([text])}]}).encode()
            masked = REDACTOR.mask(body)
            assert masked.counts
            read = json.loads(masked.data)
            assert "[masked " in read["messages"][0]["content"]
            assert "[masked " in json.loads(read["messages"][1]["content"])[0]


@pytest.mark.parametrize(
    "text",
    [
        "task-proj-configuration-endpoint-name-that-goes-on",
        "the task-admin-endpoint-1234567890-of-this-service",
        'MARK = "-----BEGIN RSA PRIVATE' + ' KEY-----"  # no key follows',
        "postgres://postgres:postgres@localhost/test",
        "http://{host}:{port}@x",
        "0123456789abcdef0123456789abcdef01234567",
        "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "not-needed",
    ],
)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    """Words, examples and hashes are none."""
    assert REDACTOR.mask_text(text) == text


@given(cuts=st.lists(st.floats(0, 1), max_size=5), size=st.integers(1, 40), before=st.integers(0, 400))
@settings(max_examples=60)
def test_a_secret_told_in_many_events_is_masked(cuts: list[float], size: int, before: int) -> None:
    """A stream tells a secret some characters an event: who reads the events one after the other has no secret."""

    def event(text: str) -> bytes:
        return b"data: %b\n\n" % json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode()

    secret = COMMON["openai-key"]
    told = [secret[start : start + size] for start in range(0, len(secret), size)]
    stream = b"".join(map(event, [*["word "] * before, "it is ", *told, " indeed", *[" word"] * before]))
    growing = new_growing(REDACTOR)
    for piece in pieces_of(stream, cuts):
        growing.add(piece)
    read = decompress(growing.kept().stored)
    said = "".join(
        json.loads(line[6:])["choices"][0]["delta"]["content"] for line in read.split(b"\n\n") if line.strip()
    )
    assert said == "word " * before + "it is [masked openai-key] indeed" + " word" * before


def new_growing(redactor: Redactor) -> GrowingBody:
    return GrowingBody(ZstdCompressor(), redactor, Path(tempfile.gettempdir()))


def test_secrets_of_the_environment() -> None:
    """Variables named as secrets are known, if their values can be told from text; of many parts, the random ones."""
    found = secrets_of_environment(
        {
            "MY_API_KEY": "x9-abc" * 3,
            "DB_PASSWORD": "hunter2-and-0-more",
            "SHORT_KEY": "abc1",
            "PLAIN_TOKEN": "not-needed",
            "SSH_KEY": "/home/me/.ssh/id_rsa",
            "KEYBOARD": "qwertz-99-abcdef",
            "GOOGLE_CREDENTIALS": json.dumps({"type": "service_account", "private_key": PEM}),
        }
    )
    assert found[:2] == ["x9-abc" * 3, "hunter2-and-0-more"]
    assert PEM.split("\n")[1] in found
    assert not {"abc1", "not-needed", "/home/me/.ssh/id_rsa", "qwertz-99-abcdef", "service_account"} & set(found)


def test_hashes_in_spans_are_never_masked() -> None:
    """A hash may look like a token, as any word of 64 characters may; what is bound by it must be found."""
    digest = "0" * 56 + "12345678"
    attributes = {
        names.REQUEST_BODY_HASH: digest,
        names.BODIES_MASKED: (f"{digest}:{digest}",),
        "said": COMMON["npm-token"],
    }
    parent = SpanContext(1, 2, is_remote=False)
    span = json.loads(encode_moment("call.start", parent, attributes, 0, Redactor([digest])))
    values = {attribute["key"]: attribute["value"] for attribute in span["attributes"]}
    assert values[names.REQUEST_BODY_HASH] == {"stringValue": digest}
    assert values[names.BODIES_MASKED] == {"arrayValue": {"values": [{"stringValue": f"{digest}:{digest}"}]}}
    assert values["said"] == {"stringValue": "[masked npm-token]"}


def test_what_is_learnt_is_masked_from_then_on() -> None:
    """A key that an agent presents is known from then on; words are not."""
    redactor = Redactor()
    key = random_word(24, 50)
    assert redactor.mask_text(key) == key
    for learnt in (key, "anything", "not-needed"):
        redactor.learn(learnt)
    assert redactor.mask_text(f"{key} anything not-needed") == "[masked known-secret] anything not-needed"


def test_a_flood_of_keys_is_bounded() -> None:
    """An agent that makes up a key for every call costs no more than some."""
    redactor = Redactor()
    keys = [random_word(24, seed) for seed in range(100)]
    for key in keys:
        redactor.learn(key)
    assert redactor.mask_text(keys[-1]) == "[masked known-secret]"
    assert len(redactor._learnt) == 64


def test_the_users_rules(tmp_path: Path) -> None:
    """What users add is masked, by its name; its group if it has one."""
    path = tmp_path / "rules.toml"
    path.write_text(
        "[[rule]]\nname = \"ticket\"\npattern = 'TICKET-[0-9]{4}'\n"
        "[[rule]]\nname = \"pin\"\npattern = 'pin is ([0-9]{4})'\n"
        "[[rule]]\nname = \"looking\"\npattern = '(?<=<)[a-z]{5}(?=>)'\n"
    )
    redactor = Redactor(rules=read_rules(path))
    said = redactor.mask_text("TICKET-1234, the pin is 9876, <abcde> abcde")
    assert said == "[masked ticket], the pin is [masked pin], <[masked looking]> abcde"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rule]\n", "cannot be read"),
        ("rule = 1\n", r"must consist of \[\[rule\]\] tables"),
        ('[[rule]]\nname = "a"\n', "rule 1: must have name and pattern"),
        ('[[rule]]\nname = "a]"\npattern = "x"\n', "must be up to 40 letters"),
        ('[[rule]]\nname = "a"\npattern = 7\n', "must be text"),
        ('[[rule]]\nname = "a"\npattern = "(x"\n', "pattern of a is no regular expression"),
        ('[[rule]]\nname = "a"\npattern = "x*"\n', "matches nothing at all"),
        ('[[rule]]\nname = "a"\npattern = "(?i:x)(?#c)\\\\Ay{1,40000}"\n', "pattern of a cannot be looked for"),
    ],
)
def test_a_bad_rule_is_a_clear_error(tmp_path: Path, text: str, message: str) -> None:
    """It says which one, and why."""
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_rules(path)


def test_a_conversation_with_a_secret_still_shares(tmp_path: Path) -> None:
    """Masking is the same each time: a conversation that repeats a secret costs what is new in it, and reads back whole."""
    pack = BodyPack(tmp_path / "bodies", BodyCache(), REDACTOR)
    text = random_word(20_000, 70, WORD + " ") + f" {COMMON['github-token']} "
    bodies = [(text + "turn " * number).encode() for number in range(8)]
    digests = []
    for body in bodies:
        growing = pack.new_response()
        growing.add(body)
        digests.append(growing.sha256)
        pack.put_request(body, growing.sha256)
    pack.close()
    reader = BodyReader(tmp_path / "bodies")
    for body, digest in zip(bodies, digests, strict=True):
        assert reader.get(digest) == body.replace(COMMON["github-token"].encode(), b"[masked github-token]")
        about = reader.masked(digest)
        assert about is not None
        assert about.counts == {"github-token": 1}
    assert (tmp_path / "bodies" / "bodies.pack").stat().st_size < 20_000


@settings(max_examples=60)
@given(
    secret=st.sampled_from(sorted(COMMON.values())),
    before=st.integers(0, 30_000),
    behind=st.integers(0, 30_000),
    known=st.floats(0, 1),
)
def test_a_secret_that_grows_from_one_request_to_the_next_is_masked(
    tmp_path_factory: pytest.TempPathFactory, secret: str, before: int, behind: int, known: float
) -> None:
    """Only what is new in a request is searched: a secret of which the request before held a part is found all the same."""
    text, rest = random_word(before, 1, WORD + " "), random_word(behind, 2, WORD + " ")
    cut = int(known * len(secret))
    folder = tmp_path_factory.mktemp("run") / "bodies"
    pack = BodyPack(folder, BodyCache(), REDACTOR)
    for body in (f"{text} {secret[:cut]} {rest}".encode(), whole := f"{text} {secret} {rest}".encode()):
        pack.put_request(body, hashlib.sha256(body).hexdigest())
    pack.close()
    assert secret.encode() not in BodyReader(folder).get(hashlib.sha256(whole).hexdigest())


def test_what_is_learnt_later_is_masked_in_what_was_searched_before(tmp_path: Path) -> None:
    """A secret that the beginning of a conversation holds, and that is only known now, is masked from the next request on."""
    redactor = Redactor()
    secret = random_word(40, 5)
    pack = BodyPack(tmp_path / "bodies", BodyCache(), redactor)
    bodies = [f"the word is {secret} {'go on ' * (9000 + turn)}".encode() for turn in range(3)]
    for body in bodies:
        pack.put_request(body, hashlib.sha256(body).hexdigest())
        redactor.learn(secret)
    pack.close()
    reader = BodyReader(tmp_path / "bodies")
    kept = [reader.get(hashlib.sha256(body).hexdigest()) for body in bodies]
    assert [secret.encode() in body for body in kept] == [True, False, False]
