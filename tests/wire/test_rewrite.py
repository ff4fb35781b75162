"""Text is changed only where a value changed."""

import json
from typing import Any

import pytest

from werkzeugkoppler.wire.rewrite import aligned, rewritten, rewritten_event
from werkzeugkoppler.wire.sse import SseReader

ODD = ' { "a" : 1.0e2 ,\n\t"b":[ 1.0,{"x" : null, "y":1e400} ], "c":"\\u00e9 é", "t":1,"t":2.50 } '
"""An object as no serializer would write it."""

CHANGES: dict[str, tuple[dict[str, Any], str, str]] = {
    "a value": ({"c": "d"}, '"\\u00e9 é"', '"d"'),
    "a number that is equal": ({"a": 100}, "1.0e2", "100"),
    "true for one": ({"b": [True, {"x": None, "y": float("inf")}]}, "1.0,", "true,"),
    "a member within an array": ({"b": [1.0, {"x": 5, "y": float("inf")}]}, "null", "5"),
    "an array that grows": (
        {"b": [1.0, {"x": None, "y": float("inf")}, {"x": 1, "y": float("inf")}]},
        "",
        "",
    ),
    "a new member": ({"d": [1]}, " } ", ' ,"d":[1]} '),
    "an object for a number": ({"a": {"z": 1}}, "1.0e2", '{"z":1}'),
    "an empty array": ({"b": []}, '[ 1.0,{"x" : null, "y":1e400} ]', "[]"),
}


def test_what_does_not_change_stays_as_it_was_written() -> None:
    values = json.loads(ODD)
    assert rewritten(ODD, values, values) == ODD
    assert rewritten(ODD, values, json.loads(ODD)) == ODD


@pytest.mark.parametrize(("changes", "before", "after"), CHANGES.values(), ids=CHANGES)
def test_what_changes_is_written_anew(changes: dict[str, Any], before: str, after: str) -> None:
    values = json.loads(ODD)
    text = rewritten(ODD, values, values | changes)
    assert json.loads(text) == values | changes
    if before not in ("", " } "):
        assert text == ODD.replace(before, after, 1)


def test_members_are_left_out_and_added() -> None:
    assert rewritten('{"a": 1.0, "b": 2}', {"a": 1.0, "b": 2}, {"a": 1.0, "c": 3}) == '{"a": 1.0,"c":3}'


def test_of_a_key_that_stands_twice_both_are_changed() -> None:
    assert rewritten('{"a":1,"a":2}', {"a": 2}, {"a": 3}) == '{"a":3,"a":3}'


def test_items_of_an_array_are_known_again_when_others_go() -> None:
    text = '[ {"i":0,"n":1.0}, {"i":1, "n":1e5}, 7 ]'
    old = json.loads(text)
    assert rewritten(text, old, [old[1] | {"i": 0}]) == '[{"i":0, "n":1e5}]'
    assert rewritten(text, old, [old[2], old[1]]) == '[7,{"i":1, "n":1e5}]'


def test_an_event_keeps_what_stands_beside_its_data() -> None:
    (event,) = SseReader().feed(b'event: x\n: note\ndata: {"a": 1.0,\ndata:  "b": 2}\n\n')
    said = json.loads(event.data)
    assert rewritten_event(event, said, said) == event.raw
    assert rewritten_event(event, said, said | {"b": 3}) == (
        b'event: x\n: note\ndata: {"a": 1.0,\ndata:  "b": 3}\n\n'
    )


@pytest.mark.parametrize(
    ("edited", "text"),
    [
        ([{"i": 0, "n": 1.0}, {"i": 1, "n": 1e5}, 7], '[ {"i":0,"n":1.0}, {"i":1, "n":1e5}, 7 ]'),
        ([{"i": 0, "n": 1.0}, {"i": 2, "n": 1e5}, 7], '[ {"i":0,"n":1.0}, {"i":2, "n":1e5}, 7 ]'),
        ([{"i": 1, "n": 1e5}], '[{"i":1, "n":1e5}]'),
    ],
)
def test_a_text_that_somebody_edited_elsewhere_stays_as_it_was_where_they_did_not(
    edited: list[Any], text: str
) -> None:
    written = '[ {"i":0,"n":1.0}, {"i":1, "n":1e5}, 7 ]'
    old = json.loads(written)
    new = json.loads(json.dumps(edited))
    assert rewritten(written, old, aligned(old, new)) == text
