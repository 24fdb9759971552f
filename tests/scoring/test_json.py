"""JSON of a record: whatever text it holds, and always the same bytes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring._json import encode_json

texts = st.text(st.characters(exclude_categories=()))
values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner) | st.tuples(inner),
)


@given(values)
def test_any_text_can_be_written(value: Any) -> None:
    """Names of files and words of models are any text, halves of characters among it."""
    assert encode_json(value) == encode_json(value)
    json.loads(encode_json(value))


def test_bytes_that_are_no_text_are_shown() -> None:
    """In hexadecimal; all else is as it was."""
    assert json.loads(encode_json({"caf\udce9": ["é", "\ud800"]})) == {"caf\\xe9": ["é", "\\ud800"]}


@given(st.dictionaries(texts, st.integers(-9, 9)))
def test_order_does_not_matter(value: dict[str, int]) -> None:
    """Equal values make equal bytes."""
    assert encode_json(dict(reversed(value.items()))) == encode_json(value)
