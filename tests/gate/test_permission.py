"""What a model's request for permission asks for."""

import json
from typing import Any

import pytest

from werkzeugkoppler.gate.grants import Scope
from werkzeugkoppler.gate.permission import (
    Asked,
    answer,
    description,
    parameters,
    read,
    read_text,
    spelled_out,
)

NEEDED = {"actions__publish": ["deploy"], "actions__push": ["git_write", "git_push"]}


@pytest.mark.contract("OW-61")
@pytest.mark.parametrize(
    ("arguments", "costs"),
    [
        ({"category": "deploy"}, ("deploy",)),
        ({"category": ["deploy", "git_push"]}, ("deploy", "git_push")),
        ({"action": "actions__push: the tag"}, ("git_write", "git_push")),
        ({"action": "actions__push", "category": "git_push"}, ("git_push",)),
        ({"action": "push the tag"}, ()),
        ({"action": " "}, ()),
        ({"category": [1]}, ()),
        ({"category": "depoly"}, ()),
        ({"category": ["git_*", "depoly"]}, ("git_write", "git_push")),
        ({"category": "*"}, ("deploy", "git_write", "git_push")),
        ({"category": "[" * 10_000}, ()),
        ({"category": ["a"] * 1000 + ["deploy"]}, ()),
        ({"action": 1, "category": ""}, ()),
    ],
)
def test_what_has_to_be_allowed_is_the_category_or_what_the_tool_needs(
    arguments: dict[str, Any], costs: tuple[str, ...]
) -> None:
    assert read(arguments, NEEDED).costs == costs


def test_the_only_thing_that_any_tool_needs_is_meant_without_words() -> None:
    assert read({}, {"actions__publish": ["deploy"], "actions__undo": ["deploy"]}).costs == ("deploy",)


def test_a_request_is_for_one_call_unless_it_says_more() -> None:
    assert read({}, {}) == Asked((), Scope.THIS_CALL)
    assert read({"scope": "this_session", "operator_note": "once"}, {}) == Asked((), "this_session", "once")
    assert read({"scope": None, "operator_note": 1}, {}) == Asked((), Scope.THIS_CALL)


@pytest.mark.parametrize("arguments", ["", "{", "[]", "1"])
def test_what_is_no_object_asks_for_nothing_and_is_shown_as_it_is(arguments: str) -> None:
    assert read_text(arguments, NEEDED).costs == ()
    assert spelled_out(arguments, NEEDED) == arguments


def test_what_is_asked_for_by_its_name_is_that_alone() -> None:
    needed = {"one": ["deploy", "deploy:prod"]}
    assert read({"category": "deploy"}, needed).costs == ("deploy",)
    assert read({"category": "dep*"}, needed).costs == ("deploy", "deploy:prod")


def test_a_category_that_is_unknown_is_shown_as_it_was_written() -> None:
    assert json.loads(spelled_out('{"category": "depoly"}', NEEDED))["category"] == "depoly"


@pytest.mark.contract("OW-61")
def test_an_operator_sees_all_that_is_asked_for() -> None:
    shown = json.loads(spelled_out('{"action": "actions__push", "reasoning": "ü"}', NEEDED))
    assert shown == {
        "action": "actions__push",
        "reasoning": "ü",
        "category": ["git_write", "git_push"],
        "scope": "this_call",
    }
    assert json.loads(spelled_out('{"category": "deploy", "scope": "persistent"}', NEEDED)) == {
        "category": "deploy",
        "scope": "persistent",
    }


@pytest.mark.contract("OW-61")
def test_the_tool_says_what_can_be_asked_for() -> None:
    assert "deploy, git_push" in description(["deploy", "git_push"])
    assert parameters(["deploy"])["properties"]["category"]["enum"] == ["deploy"]
    assert parameters([])["properties"]["scope"]["enum"] == ["this_call", "this_session", "persistent"]


@pytest.mark.contract("OW-61")
def test_the_result_has_the_four_members_of_the_contract() -> None:
    assert answer(Scope.THIS_CALL, None, "g") == {
        "granted": True,
        "scope_granted": "this_call",
        "operator_note": None,
        "grant_id": "g",
    }
    denied = {"granted": False, "scope_granted": None, "operator_note": "no", "grant_id": None}
    assert answer(None, "no", None) == denied
