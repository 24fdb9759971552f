"""Masking the secrets in a span, whatever attribute they stand in."""

import logging
from typing import Any, Final

from . import _names as names
from ._redaction import Redactor

__all__ = ["masked_span"]

_logger = logging.getLogger("tachograph.spans")

_PLAIN: Final = frozenset(
    {
        names.SPAN_KIND,
        names.RUN_ID,
        names.CALL_OUTCOME,
        names.USAGE_SOURCE,
        names.REQUEST_HASH,
        names.REQUEST_BODY_HASH,
        names.REQUEST_SENT_HASH,
        names.RESPONSE_BODY_HASH,
        names.RESPONSE_DELIVERED_HASH,
        names.MESSAGE_BODY_HASH,
        names.BODIES_MASKED,
    }
)
"""Attributes whose text nobody else has a say in."""


def masked_span(encoded: dict[str, Any], data: bytes, redactor: Redactor) -> dict[str, Any]:
    """A span, encoded as OTLP/JSON, with its secrets masked; itself if there are none.

    Args:
        encoded: the span.
        data: the same as JSON. Most hold no secret, which takes one look at it.
        redactor: knows what is one.
    """
    try:
        if not redactor.find(data):
            return encoded
        attributes = [
            attribute if attribute["key"] in _PLAIN else redactor.mask_values(attribute)
            for attribute in encoded["attributes"]
        ]
        masked: dict[str, Any] = {**redactor.mask_values({**encoded, "attributes": None}), "attributes": attributes}
    except Exception:  # the call must be recorded (law 2), and no secret of it (law 4)
        _logger.exception("a span could not be searched for secrets: its texts are left out")
        return _without_texts(encoded)
    return masked


def _without_texts(encoded: dict[str, Any]) -> dict[str, Any]:
    """The span without what others said, but for hashes and words of this project's."""
    plain = [
        attribute
        for attribute in encoded["attributes"]
        if attribute["key"] in _PLAIN or not {"stringValue", "arrayValue", "kvlistValue"} & attribute["value"].keys()
    ]
    if any(attribute["key"] == names.BODIES_LOST for attribute in encoded["attributes"]):
        plain.append({"key": names.BODIES_LOST, "value": {"stringValue": "they could not be searched for secrets"}})
    status = {key: value for key, value in encoded.get("status", {}).items() if key != "message"}
    left = {key: value for key, value in encoded.items() if key not in ("name", "status", "events", "attributes")}
    if "links" in left:
        left["links"] = [{key: value for key, value in link.items() if key != "traceState"} for link in left["links"]]
    return {
        **left,
        "name": "[masked]",
        **({"status": status} if status else {}),
        "droppedAttributesCount": len(encoded["attributes"]) - len(plain),
        "attributes": plain,
    }
