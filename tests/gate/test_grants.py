"""What permissions still stand for."""

from typing import Any

import pytest

from werkzeugkoppler.gate.grants import Grant, Grants, Scope


def once(id: str, *costs: str) -> Grant:
    return Grant(id, Scope.THIS_CALL, frozenset(costs))


def always(id: str, *costs: str) -> Grant:
    return Grant(id, Scope.THIS_SESSION, frozenset(costs))


def grants(*given: Grant) -> Grants:
    """A turn's permissions after these were given, in their order."""
    all_of_them = Grants()
    for grant in given:
        all_of_them.add(grant)
    return all_of_them


@pytest.mark.contract("OW-62")
def test_a_permission_for_one_call_is_used_up() -> None:
    given = grants(once("a", "deploy"))
    assert given.use(["deploy"]) == (once("a", "deploy"),)
    assert given.use(["deploy"]) is None


@pytest.mark.contract("OW-62")
def test_the_newest_permission_for_one_call_is_used_first() -> None:
    given = grants(once("old", "deploy"), once("new", "deploy"))
    assert [used.id for _ in range(2) for used in given.use(["deploy"]) or ()] == ["new", "old"]


@pytest.mark.contract("OW-62")
def test_a_permission_for_the_conversation_is_never_used_up_and_spares_the_others() -> None:
    given = grants(always("a", "deploy"), once("b", "deploy"))
    assert given.use(["deploy"]) == given.use(["deploy"]) == (always("a", "deploy"),)
    assert given.end() == (once("b", "deploy"),)


@pytest.mark.contract("OW-62")
def test_a_permission_for_something_else_is_none() -> None:
    given = grants(once("a", "git_push"), always("b", "http_fetch"))
    assert given.use(["deploy"]) is None


@pytest.mark.contract("OW-62")
def test_several_permissions_cover_together_what_a_call_needs_or_none_is_used() -> None:
    given = grants(once("a", "deploy"))
    assert given.use(["deploy", "git_push"]) is None
    given.add(once("b", "git_push", "http_fetch"))
    assert {used.id for used in given.use(["deploy", "git_push"]) or ()} == {"a", "b"}


@pytest.mark.contract("OW-62")
def test_one_permission_for_all_that_is_left_spares_several() -> None:
    given = grants(once("both", "deploy", "git_push"), once("one", "deploy"), always("c", "http_fetch"))
    used = given.use(["http_fetch", "deploy", "git_push"])
    assert [grant.id for grant in used or ()] == ["c", "both"]
    assert given.end() == (once("one", "deploy"),)


def test_a_call_that_needs_nothing_uses_nothing() -> None:
    given = grants(once("a", "deploy"))
    assert given.use([]) == ()
    assert given.end() == (once("a", "deploy"),)


@pytest.mark.contract("OW-62")
def test_only_what_is_for_the_conversation_outlives_the_turn() -> None:
    given = grants(always("a", "deploy"), once("b", "deploy"))
    assert given.kept == {always("a", "deploy")}
    assert given.end() == (once("b", "deploy"),) and given.end() == ()
    assert Grants(given.kept).use(["deploy"]) == (always("a", "deploy"),)


@pytest.mark.contract("OW-65")
@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("this_call", Scope.THIS_CALL),
        ("this_session", Scope.THIS_SESSION),
        ("persistent", Scope.THIS_SESSION),
        ("forever", Scope.THIS_CALL),
        (None, Scope.THIS_CALL),
        ([], Scope.THIS_CALL),
    ],
)
def test_no_scope_is_longer_than_the_conversation(asked: Any, meant: Scope) -> None:
    assert Scope.of(asked) is meant
