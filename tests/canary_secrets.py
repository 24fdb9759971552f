"""Secrets of many kinds, made up for one test, each for a place of its own; and the forms in which one may be written."""

import base64
import json
import secrets
import string
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass

LETTERS = string.ascii_letters + string.digits
RULE = '[[rule]]\nname = "acme-key"\npattern = "acme_[0-9a-f]{24}"\n'


def word(length: int, letters: str = LETTERS) -> str:
    return "".join(secrets.choice(letters) for _ in range(length))


def private_key() -> str:
    lines = [word(64) for _ in range(6)]
    return "\n".join(("-----BEGIN RSA PRIVATE" + " KEY-----", *lines, "-----END RSA PRIVATE" + " KEY-----"))


def make_secrets() -> dict[str, str]:
    """A secret for each place, of another kind each."""
    known = {place: f"{word(12)}/{word(14)}+=" for place in KNOWN}
    return known | {
        "body": "sk-proj-" + word(40) + "1",
        "escaped twice": "AKIA" + word(16, string.ascii_uppercase + string.digits),
        "private key": private_key(),
        "gzip": f"eyJ{word(20)}.eyJ{word(40)}.{word(43)}",
        "key header": word(40),
        "cookie": word(40),
        "query": word(30),
        "stream": f"sk-ant-api03-{word(60)}1",
        "chunks": "ghp_" + word(36),
        "zstd": "glpat-" + word(20),
        "refuse": f"xoxb-{word(12, string.digits)}-{word(24, string.ascii_lowercase)}",
        "header": "npm_" + word(35) + "1",
        "socket": "gsk_" + word(47) + "1",
        "terminal": "AIza" + word(34) + "1",
        "coloured terminal": "hf_" + word(33) + "1",
        "written file": "sk_live_" + word(24),
        "check": f"SG.{word(22)}.{word(43)}",
        "argument of the agent": f"https://user:{word(24)}@db.example/x",
        "rule": "acme_" + secrets.token_hex(12),
    }


KNOWN = {
    "upstream key": "TACHOGRAPH_UPSTREAM_KEY",
    "environment": "MY_SERVICE_TOKEN",
    "percent-encoded": "DB_PASSWORD",
    "base64": "OTHER_API_KEY",
    "upstream header": "GATEWAY_SECRET",
}
"""Places of secrets that stand in the recorder's environment, by their variables."""
ONLY_PRESENTED = {"key header", "cookie", "query"}
"""Places of secrets that look like nothing, and are known to be secret by where an agent presents them."""
MARKED_ELSEWHERE = {"upstream key", "upstream header", "rule"}
"""Places whose secret goes with the text of another one."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A secret, and the mark of the text that it stands in."""

    place: str
    secret: str
    mark: str

    @property
    def text(self) -> str:
        return f"{self.mark} {self.secret}"

    @property
    def core(self) -> str:
        """What must not be seen of it: of a URL and a private key the part that is secret."""
        return self.secret.split("user:")[-1].split("@")[0].split("\n")[1 if "\n" in self.secret else 0]

    def forms(self) -> Iterator[bytes]:
        """It and its halves, plain, and as they are written in JSON, in URLs and in base64."""
        half = len(self.core) // 2
        for text in (self.core, self.core[:half], self.core[half:]) if half >= 12 else (self.core,):
            yield text.encode()
        escaped = json.dumps(self.core)[1:-1]
        for text in (
            escaped,
            json.dumps(escaped)[1:-1],
            escaped.replace("/", "\\/"),
            urllib.parse.quote(self.core, ""),
        ):
            yield text.encode()
        for before in ("", "a", "ab"):
            inner = base64.b64encode((before + self.core).encode())[4:-4]
            yield inner
            yield inner.translate(bytes.maketrans(b"+/", b"-_"))
