"""Any JSON object, however it is written, is read as the standard reader reads it, and edited as meant."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from werkzeugkoppler.wire.jsontext import JsonObject, array_items, dumps

SPACE = st.text(" \t\r\n", max_size=2)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(), max_size=8)
"""Halves of surrogate pairs too: JSON can write them."""
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def spelled(draw: st.DrawFn, values: st.SearchStrategy[Any] = VALUES) -> str:
    """The text of a value, as some serializer may write it."""
    indent = draw(st.none() | st.integers(0, 2))
    return json.dumps(draw(values), ensure_ascii=draw(st.booleans()), indent=indent)


@st.composite
def objects(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """An object's text with white space anywhere, and its members' values as they are written."""
    members = draw(st.dictionaries(TEXTS, spelled(), max_size=5))
    parts = [
        f"{draw(SPACE)}{json.dumps(key, ensure_ascii=draw(st.booleans()))}{draw(SPACE)}:{draw(SPACE)}{value}"
        for key, value in members.items()
    ]
    body = f"{draw(SPACE)},".join(parts)
    return f"{draw(SPACE)}{{{body}{draw(SPACE)}}}{draw(SPACE)}", members


@given(objects())
def test_an_object_is_read_as_the_standard_reader_reads_it(written: tuple[str, dict[str, str]]) -> None:
    text, members = written
    read = JsonObject.parse(text)
    assert read.values == json.loads(text)
    assert {key: read.raw(key) for key in members} == members
    assert not members or read.edited({}) == text


@given(objects(), st.dictionaries(TEXTS, st.none() | spelled(), max_size=4), st.data())
def test_an_edit_changes_what_it_names_and_nothing_else(
    written: tuple[str, dict[str, str]], changes: dict[str, str | None], data: st.DataObject
) -> None:
    text, members = written
    if members:
        own = data.draw(st.dictionaries(st.sampled_from(list(members)), st.none() | spelled(), max_size=3))
        changes = changes | own
    edited = JsonObject.parse(JsonObject.parse(text).edited(changes))
    meant = {key: value for key, value in (members | changes).items() if value is not None}
    assert {key: edited.raw(key) for key in edited.values} == meant
    assert list(edited.values) == list(meant)
    assert json.loads(edited.text) == {key: json.loads(value) for key, value in meant.items()}


@given(st.lists(spelled(), max_size=6), SPACE, SPACE)
def test_the_items_of_an_array_are_found_as_they_were_written(
    items: list[str], before: str, after: str
) -> None:
    body = f"{after},{before}".join(items)
    assert array_items(f"{before}[{before}{body}{after}]{after}") == items


@given(VALUES)
def test_what_is_written_is_read_back_and_can_be_sent(value: Any) -> None:
    text = dumps(value)
    assert json.loads(text.encode()) == value
    assert "\n" not in text


@given(st.text(st.sampled_from('{}[]",:\\u0eE+-.1 \n\tnulltruefalse'), max_size=30) | spelled())
def test_what_the_standard_reader_refuses_is_refused(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        expected = None
    try:
        assert JsonObject.parse(text).values == expected
    except TypeError:
        assert not isinstance(expected, dict)
    except ValueError as error:
        assert expected is None or "twice" in str(error) or "is not JSON" in str(error)
