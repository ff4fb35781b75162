"""JSON objects are edited where they were meant to change, and nowhere else."""

import json
from typing import Any

import pytest

from werkzeugkoppler.wire.jsontext import JsonObject, array_items, dumps

ODD = ' { "a" : 1.0e2 ,\n\t"b":[ 1,{"x" : null} ], "ä\\u00e4":"\\ud83d\\ude00" } '
"""An object as no serializer would write it."""


@pytest.mark.parametrize("text", ["{}", " { } ", '{"a":1}', ODD, '{"a":{"a":1},"b":{"a":1}}'])
def test_an_object_says_what_the_standard_reader_says(text: str) -> None:
    assert JsonObject.parse(text).values == json.loads(text)


@pytest.mark.parametrize("text", ["{}", " { } ", '{"a":1}', ODD])
def test_an_object_without_changes_stays_as_it_was_written(text: str) -> None:
    if text.strip(" {}"):
        assert JsonObject.parse(text).edited({}) == text
    assert json.loads(JsonObject.parse(text).edited({})) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a"',
        '{"a":',
        '{"a":1',
        '{"a":1,',
        '{"a":1,}',
        "{a:1}",
        "{,}",
        '{"a" 1}',
        '{"a":1 "b":2}',
        '{"a":1} x',
        "[1] x",
        '{"a":NaN}',
        '{"a":-Infinity}',
        "nothing",
        '{"a":"\n"}',
    ],
)
def test_what_is_no_json_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        JsonObject.parse(text)


@pytest.mark.parametrize("text", ["[]", "null", '"{}"', "1", " true "])
def test_json_that_is_no_object_is_told_apart(text: str) -> None:
    with pytest.raises(TypeError, match="object"):
        JsonObject.parse(text)


def test_a_key_that_stands_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="'a' stands twice, the second time at character 8"):
        JsonObject.parse('{"a":1, "\\u0061":2}')


def test_a_lenient_reader_takes_what_the_standard_reader_takes() -> None:
    text = '{"a":1, "a":NaN, "b":-Infinity}'
    parsed = JsonObject.parse(text, lenient=True)
    assert (str(parsed.values), parsed.raw("a")) == (str(json.loads(text)), "NaN")
    assert parsed.edited({}) == text


def test_nesting_without_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        JsonObject.parse('{"a":' + "[" * 200_000)


def test_a_value_is_given_as_it_was_written() -> None:
    parsed = JsonObject.parse(ODD)
    assert parsed.raw("a") == "1.0e2"
    assert parsed.raw("b") == '[ 1,{"x" : null} ]'
    assert parsed.raw("c") is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"a": "2"}, '{ "a": 2, "b": [1] ,"c":3}'),
        ({"b": "2"}, '{ "a": 1.0, "b": 2 ,"c":3}'),
        ({"a": None}, '{ "b": [1] ,"c":3}'),
        ({"b": None}, '{ "a": 1.0 ,"c":3}'),
        ({"c": None}, '{ "a": 1.0, "b": [1]}'),
        ({"a": None, "b": None}, '{ "c":3}'),
        ({"d": "4"}, '{ "a": 1.0, "b": [1] ,"c":3,"d":4}'),
        ({"d": None}, '{ "a": 1.0, "b": [1] ,"c":3}'),
        ({"a": None, "b": None, "c": None}, "{}"),
        ({"a": None, "b": None, "c": None, "ä": "1"}, '{"\\u00e4":1}'),
    ],
)
def test_only_what_changes_is_written_anew(changes: dict[str, str | None], expected: str) -> None:
    assert JsonObject.parse('{ "a": 1.0, "b": [1] ,"c":3}').edited(changes) == expected


def test_a_member_is_added_to_an_empty_object() -> None:
    assert JsonObject.parse(" { } ").edited({"a": "1", "b": "2"}) == '{"a":1,"b":2}'


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("[]", []),
        (" [ ] ", []),
        ("[1]", ["1"]),
        (' [ {"a" : 1.0} ,\n[1, 2],"x,]" ] ', ['{"a" : 1.0}', "[1, 2]", '"x,]"']),
    ],
)
def test_the_items_of_an_array_are_given_as_they_were_written(text: str, items: list[str]) -> None:
    assert array_items(text) == items


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, "ä€😀"]}, '{"a":[1,"ä€😀"]}'),
        ({"half": "\ud83d"}, '{"half":"\\ud83d"}'),
    ],
)
def test_any_value_is_written_so_that_it_can_be_sent(value: Any, text: str) -> None:
    assert dumps(value) == text
    assert json.loads(dumps(value).encode()) == value
