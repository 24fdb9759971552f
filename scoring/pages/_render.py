"""Documents as HTML files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from .._json import encode_json
from ._assets import load_asset

__all__ = ["ListedRun", "render_page", "render_run_list"]

_POLICY: Final = (
    "default-src 'none'; script-src {script}; style-src {style}; img-src data:; connect-src {connect}; base-uri 'none'; "
    "form-action 'none'"
)
"""Nothing is loaded, nothing leaves, and no script runs but the page's own."""
_UNSAFE: Final = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}
"""Characters that could end a script element or a line in it; in JSON they only stand within strings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRun:
    """A run in a list of them."""

    title: str
    href: str
    written: str
    """When something of it was recorded last."""
    status: str


def render_page(
    document: Mapping[str, Any], bodies: Mapping[str, Any] | None = None, *, follow: str | None = None
) -> bytes:
    """The page of a run, whole in one file.

    Args:
        document: of a `RunPage`.
        bodies: of the same `RunPage`; None: the page has none.
        follow: where, on the server that it comes from, a page of a run that goes on finds what is new: JSON with `document`
            and `bodies`. None: it asks nobody.
    """
    script, style = load_asset("page.js"), load_asset("page.css")
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=document["title"],
            policy=_policy(script.source, style.source, "'none'" if follow is None else "'self'"),
            follow=follow,
            script=script.text,
            style=style.text,
            document=_embedded(document),
            bodies=_embedded(bodies),
        )
        .encode()
    )


def render_run_list(title: str, runs: Iterable[ListedRun]) -> bytes:
    """A page with links to runs."""
    style = load_asset("page.css")
    policy = _policy("'none'", style.source, "'none'")
    page = _environment().get_template("runs.html")
    return page.render(title=title, policy=policy, style=style.text, runs=list(runs)).encode()


def _policy(script: str, style: str, connect: str) -> str:
    return _POLICY.format(script=script, style=style, connect=connect)


def _embedded(value: Any) -> str:
    return encode_json(value).decode().translate(_UNSAFE)


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
