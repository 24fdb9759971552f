"""The user's own rules of what is to be masked."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from ._errors import InputError
from ._scanner import RuleError, Scanner
from ._secret_rules import Rule

__all__ = ["read_rules"]


def read_rules(path: Path) -> tuple[Rule, ...]:
    """The rules of a user's TOML file: `[[rule]]` tables with `name` and `pattern`.

    A pattern is in Python's syntax. Its first group is masked, if it has one, else all that it matches.

    Args:
        path: the file.

    Raises:
        InputError: it cannot be read, or a rule cannot be used.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"--redact-rules {path}: cannot be read: {error}") from error
    rules = given.get("rule")
    if set(given) != {"rule"} or not isinstance(rules, list):
        raise InputError(f"--redact-rules {path}: must consist of [[rule]] tables, each with name and pattern")
    return tuple(_users_rule(f"--redact-rules {path}: rule {number}", rule) for number, rule in enumerate(rules, 1))


_KIND: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


def _users_rule(where: str, given: Any) -> Rule:
    if not isinstance(given, dict) or set(given) != {"name", "pattern"}:
        raise InputError(f"{where}: must have name and pattern, and nothing else")
    name, pattern = given["name"], given["pattern"]
    if not isinstance(name, str) or not _KIND.fullmatch(name):
        raise InputError(f"{where}: name {name!r} must be up to 40 letters, digits, '-', '_', '.'")
    if not isinstance(pattern, str):
        raise InputError(f"{where}: the pattern of {name} must be text")
    try:
        compiled = re.compile(pattern.encode())
        if compiled.search(b""):
            raise InputError(f"{where}: the pattern of {name} matches nothing at all, and so everywhere")
        rule = Rule(kind=name, pattern=compiled, group=min(1, compiled.groups), hint=pattern.encode())
        Scanner([rule])
    except re.error as error:
        raise InputError(f"{where}: the pattern of {name} is no regular expression: {error}") from error
    except RuleError as error:
        raise InputError(f"{where}: the pattern of {name} cannot be looked for by Hyperscan: {error}") from error
    return rule
