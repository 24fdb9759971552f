"""What common secrets look like: the rules of detect-secrets, some for keys that are younger than it, and run keys.

A mask in the wrong place harms a record, too. Of detect-secrets those rules are taken that know a secret by its own form.
Left out are: assignments to names like `key` (a hash beside such a name is usually none); `Artifactory Credentials`, which
takes any word with `AP` before it; `NPM tokens`, which takes the rest of the line, in JSON that of the body; the AWS rule
for 40 characters between quotes, which JSON escapes (the one below knows them); and public IP addresses, which are no secret.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from ._known_secrets import in_base64

__all__ = ["RUN_KEY_PREFIX", "Rule", "common_rules"]

RUN_KEY_PREFIX: Final = "tachograph-"
"""What every run key begins with; 32 characters of URL-safe base64 follow."""

_TAKEN: Final[Mapping[str, str]] = {
    "AWS Access Key": "aws-access-key",
    "Azure Storage Account access key": "azure-storage-key",
    "Basic Auth Credentials": "url-password",
    "Cloudant Credentials": "cloudant-key",
    "Discord Bot Token": "discord-token",
    "GitHub Token": "github-token",
    "GitLab Token": "gitlab-token",
    "JSON Web Token": "json-web-token",
    "Mailchimp Access Key": "mailchimp-key",
    "OpenAI Token": "openai-key",
    "PyPI Token": "pypi-token",
    "SendGrid API Key": "sendgrid-key",
    "Slack Token": "slack-token",
    "SoftLayer Credentials": "softlayer-key",
    "Square OAuth Secret": "square-secret",
    "Stripe Access Key": "stripe-key",
    "Telegram Bot Token": "telegram-token",
    "Twilio API Key": "twilio-key",
}
"""Kinds by detect-secrets' name for them."""
_ASSIGNMENT: Final = r"(?:(?<=\W)|(?<=^))"
"""How detect-secrets begins a rule for an assignment."""
_NOT_TAKEN: Final = r"aws.{0,20}?"
_NO_WORD_AFTER: Final = r"(?!\w)"
_WITH_GROUP: Final = frozenset({"url-password", "cloudant-key", "softlayer-key"})

_WORDS: Final[Mapping[str, str]] = {
    "openai-key": r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,}|sk-[A-Za-z0-9]{48}",
    "anthropic-key": r"sk-ant-[a-z0-9]+-[A-Za-z0-9_-]{20,}",
    "openrouter-key": r"sk-or-v1-[0-9a-f]{64}",
    "google-key": r"AIza[A-Za-z0-9_-]{35}",
    "huggingface-token": r"hf_[A-Za-z0-9]{34}",
    "groq-key": r"gsk_[A-Za-z0-9]{48}",
    "xai-key": r"xai-[A-Za-z0-9]{70,}",
    "perplexity-key": r"pplx-[A-Za-z0-9]{48}",
    "github-token": r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    "npm-token": r"npm_[A-Za-z0-9]{36}",
}
"""Keys by kind that detect-secrets 1.5 does not know, in the forms of gitleaks' default rules and of GitHub's list of
supported secret scanning patterns. They are words: nothing that could belong to them stands before, and there is a digit
in them, so that `task-admin-…` is none.
"""
_RUN_KEY: Final = RUN_KEY_PREFIX + r"[A-Za-z0-9_-]{32}"
_RUN_KEY_IN_BASE64: Final = "|".join(
    part.decode() + r"[A-Za-z0-9+/_-]{42,43}" for part in in_base64(RUN_KEY_PREFIX.encode())
)
_AWS_SECOND_KEY: Final = r"aws_?secret_?(?:access_?)?key(?:_id)?\W{1,20}?([A-Za-z0-9/+]{40})(?!\w)"

_BREAK: Final = r"(?:\s|\\{1,7}[nrt])"
_BASE64_LINE: Final = r"[A-Za-z0-9+/=]"
_PRIVATE_KEY_MARK: Final = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|Private-Lines: \d"
_PRIVATE_KEY: Final = (
    rf"(?:-----BEGIN [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----|Private-Lines: \d+)"
    rf"(?:{_BREAK}+[A-Z][A-Za-z-]{{2,20}}: [^\r\n\"\\]{{1,100}})*"  # headers, as in RFC 1421 and RFC 4880
    rf"(?:{_BREAK}+{_BASE64_LINE}{{30,}})+"
    rf"(?:{_BREAK}+{_BASE64_LINE}{{1,76}}(?={_BREAK}|-----|\"|'|\\|\Z)){{0,2}}"
    rf"(?:{_BREAK}*-----END [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----)?"
)
"""From its first line to its last, or as far as there is base64. A first line alone, as in a program's text, is no key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one kind of secret looks like."""

    kind: str
    """What the mask says."""
    pattern: re.Pattern[bytes]
    """What the secret stands in."""
    group: int = 0
    """Which group of it is the secret; 0: all of it."""
    hint: bytes
    """An expression that the text matches wherever the pattern does, and ends no later."""
    is_word: bool = False
    """Nothing that could belong to it stands before it, and there is a digit in it."""
    is_password: bool = False
    """It counts only if it is no ordinary word: examples are full of `user:password@`."""


def _rule(kind: str, pattern: str, flags: int = 0, hint: str | None = None, **others: Any) -> Rule:
    # What may not follow shortens no match, so that the scan need not know of it.
    hint = (hint or pattern).replace(_NO_WORD_AFTER, "")
    return Rule(kind=kind, pattern=re.compile(pattern.encode(), flags), hint=hint.encode(), **others)


@cache
def common_rules() -> tuple[Rule, ...]:
    """The rules that always hold. Loading detect-secrets takes a tenth of a second, once."""
    own = [_rule(kind, pattern, is_word=True) for kind, pattern in _WORDS.items()]
    return (
        *own,
        _rule("run-key", _RUN_KEY),
        _rule("run-key", _RUN_KEY_IN_BASE64),
        _rule("aws-secret-key", _AWS_SECOND_KEY, re.IGNORECASE, group=1),
        _rule("private-key", _PRIVATE_KEY, hint=_PRIVATE_KEY_MARK),
        *_rules_of_detect_secrets(),
    )


def _rules_of_detect_secrets() -> Iterator[Rule]:
    plugins = importlib.import_module("detect_secrets.plugins")
    for module in pkgutil.iter_modules(plugins.__path__):
        for plugin in vars(importlib.import_module(f"detect_secrets.plugins.{module.name}")).values():
            kind, known = _TAKEN.get(getattr(plugin, "secret_type", "")), getattr(plugin, "denylist", ())
            if kind is not None and isinstance(known, (list, tuple)):
                yield from (_adapted(kind, one.pattern, one.flags) for one in known if _is_taken(one.pattern))


def _is_taken(pattern: str) -> bool:
    return not pattern.startswith((_ASSIGNMENT, _NOT_TAKEN))


def _adapted(kind: str, pattern: str, flags: int) -> Rule:
    # The rule for JSON Web Tokens leaves the signature to a reluctant `*?`, which takes nothing.
    return _rule(
        kind,
        pattern.removesuffix("?") if pattern.endswith("*?") else pattern,
        flags & ~re.UNICODE,
        group=int(kind in _WITH_GROUP),
        is_word=kind == "discord-token",
        is_password=kind == "url-password",
    )
