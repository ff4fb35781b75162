"""The permissions that a conversation takes along."""

from typing import Any

import pytest

from werkzeugkoppler.gate.grants import Grant, Scope
from werkzeugkoppler.turn.consents import Consents
from werkzeugkoppler.turn.history import History, digested
from werkzeugkoppler.turn.store import Bounds, Store

HELLO = {"role": "user", "content": "Hello?"}
YES = {"role": "assistant", "content": "Yes."}
MORE = {"role": "user", "content": "And now?"}


def grant(id: str, *costs: str) -> Grant:
    return Grant(id, Scope.THIS_SESSION, frozenset(costs))


def asked(*messages: dict[str, Any], owner: bytes = b"me") -> History:
    return digested(messages, owner)


@pytest.fixture
def consents() -> Consents:
    return Consents(Store(lambda: 0.0), Bounds(100, 100_000, 60))


@pytest.mark.contract("OW-62")
def test_a_conversation_that_goes_on_has_its_permissions(consents: Consents) -> None:
    consents.keep(asked(HELLO), YES, {grant("a", "deploy")})
    assert consents.of(asked(HELLO, YES, MORE)) == {grant("a", "deploy")}
    assert consents.of(asked(HELLO, YES, MORE, YES, HELLO)) == {grant("a", "deploy")}


@pytest.mark.contract("OW-62", "OW-64")
@pytest.mark.parametrize(
    "other",
    [
        asked(HELLO),
        asked(MORE, YES, MORE),
        asked(HELLO, {**YES, "content": "No."}, MORE),
        asked(YES, HELLO),
    ],
)
def test_another_conversation_has_none_of_them(consents: Consents, other: History) -> None:
    consents.keep(asked(HELLO), YES, {grant("a", "deploy")})
    assert consents.of(other) == frozenset()


def test_the_latest_answer_says_what_there_is(consents: Consents) -> None:
    consents.keep(asked(HELLO), YES, {grant("a", "deploy")})
    consents.keep(asked(HELLO, YES, MORE), YES, {grant("a", "deploy"), grant("b", "git_push")})
    assert len(consents.of(asked(HELLO, YES, MORE, YES, MORE))) == 2
    assert len(consents.of(asked(HELLO, YES, MORE))) == 1


@pytest.mark.contract("OW-62")
def test_of_two_conversations_with_the_same_words_both_have_what_both_were_given(consents: Consents) -> None:
    consents.keep(asked(HELLO), YES, {grant("a", "deploy", "git_push")})
    consents.keep(asked(HELLO), YES, {grant("b", "deploy", "http_fetch"), grant("c", "shell_exec")})
    assert consents.of(asked(HELLO, YES)) == {grant("b", "deploy")}
    consents.keep(asked(HELLO), YES, set())
    consents.keep(asked(HELLO), YES, {grant("d", "deploy")})
    assert consents.of(asked(HELLO, YES)) == frozenset()


@pytest.mark.contract("OW-62")
def test_a_turn_that_was_given_nothing_counts_as_well(consents: Consents) -> None:
    consents.keep(asked(HELLO), YES, set())
    consents.keep(asked(HELLO), YES, {grant("a", "deploy")})
    assert consents.of(asked(HELLO, YES)) == frozenset()


@pytest.mark.contract("OW-62", "OW-64")
def test_somebody_else_with_the_same_words_has_none_of_them() -> None:
    store, bounds = Store(lambda: 0.0), Bounds(100, 100_000, 60)
    Consents(store, bounds).keep(asked(HELLO), YES, {grant("a", "deploy")})
    assert Consents(store, bounds).of(asked(HELLO, YES, owner=b"you")) == frozenset()
