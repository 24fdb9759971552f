"""A page's document as one HTML file."""

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from .._json import encode_json
from ._assets import load_asset

__all__ = ["render_page"]

_POLICY: Final = (
    "default-src 'none'; script-src {script}; style-src {style}; img-src data:; base-uri 'none'; form-action 'none'"
)
"""Nothing is loaded, nothing leaves, and no script runs but the page's own."""
_UNSAFE: Final = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}
"""Characters that could end a script element or a line in it; in JSON they only stand within strings."""


def render_page(document: Mapping[str, Any], bodies: Mapping[str, Any] | None = None) -> bytes:
    """The page of a run, whole in one file.

    Args:
        document: of a `RunPage`.
        bodies: of the same `RunPage`; None: the page has none.
    """
    script, style = load_asset("page.js"), load_asset("page.css")
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=document["title"],
            policy=_POLICY.format(script=script.source, style=style.source),
            script=script.text,
            style=style.text,
            document=_embedded(document),
            bodies=_embedded(bodies),
        )
        .encode()
    )


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
