"""A prompt that is no longer the beginning of the next is found, with who changed it."""

import json
from functools import partial
from typing import Any

import pytest

from tests.turn.test_store import Clock
from werkzeugkoppler.turn import history
from werkzeugkoppler.turn.prefix import Break, PrefixGuard, Prompt, first_break, prompt_of
from werkzeugkoppler.turn.prompt import compose
from werkzeugkoppler.turn.store import Bounds, Store
from werkzeugkoppler.wire.chat import parse_request

QUESTION = {"role": "user", "content": "Hi?"}
ANSWER = {"role": "assistant", "content": "Hello."}
NEXT = {"role": "user", "content": "And?"}
TOOLS = '[{"type":"function","function":{"name":"a"}}]'


def prompt(*messages: str, **overrides: Any) -> Prompt:
    values: dict[str, Any] = {"model": "m", "tools": TOOLS, "init_count": 1, "asked_count": 2}
    return Prompt(messages=messages, **(values | overrides))


def breaks(old: Prompt, new: Prompt) -> Break:
    found = first_break(old, new)
    assert found is not None
    return found


def test_a_prompt_that_only_grew_is_fine() -> None:
    assert first_break(prompt("s", "q"), prompt("s", "q", "a", "q2")) is None
    assert first_break(prompt("s", "q"), prompt("s", "q")) is None


def test_another_model_has_another_cache() -> None:
    assert first_break(prompt("s"), prompt("t", model="n")) is None


@pytest.mark.contract("BX-14")
def test_the_first_byte_that_differs_and_the_tokens_lost_are_told() -> None:
    found = breaks(prompt("s", "ä" * 10 + "b" * 400), prompt("s", "ä" * 10 + "c" * 400))
    assert (found.at, found.tokens_lost) == (len(TOOLS) + 1 + 20, 100)


@pytest.mark.contract("BX-14")
@pytest.mark.parametrize(
    ("new", "culprit"),
    [
        (("S", "q", "call", "result"), "init message 1 is not what it was"),
        (("s", "Q", "call", "result"), "the client changed message 1 of its history"),
        (("s",), "the client left out message 1 of its history"),
        (("s", "q", "answer"), "the calls of the turn before could not be put back"),
    ],
)
def test_who_changed_the_prompt_is_told(new: tuple[str, ...], culprit: str) -> None:
    assert culprit in breaks(prompt("s", "q", "call", "result"), prompt(*new)).culprit


@pytest.mark.contract("BX-14")
@pytest.mark.parametrize(
    ("tools", "culprit"),
    [
        ("", "the tools are other ones, without a"),
        (TOOLS.replace('"a"', '"b"'), "the tools are other ones, without a and with b"),
        (TOOLS.replace('"a"', '"a","x":1'), "the tools are described otherwise"),
    ],
)
def test_tools_that_changed_are_named(tools: str, culprit: str) -> None:
    found = breaks(prompt("s" * 400), prompt("s" * 400, tools=tools))
    assert found.culprit == culprit
    assert found.tokens_lost >= 100


def asked(*messages: dict[str, Any]) -> history.History:
    return history.digested(messages)


def guard() -> PrefixGuard:
    return PrefixGuard(Store(Clock()), Bounds(10, 10_000, 60))


def test_a_turn_is_compared_with_the_one_that_it_goes_on_from() -> None:
    kept = guard()
    kept.keep(asked(QUESTION), history.shown("Hello.", []), prompt("s", "q"))
    system = {"role": "system", "content": "changed"}
    assert kept.check(asked(QUESTION), partial(prompt, "x")) is None
    assert kept.check(asked(QUESTION, {**ANSWER, "content": "Hey."}, NEXT), partial(prompt, "x")) is None
    assert kept.check(asked(system, QUESTION, ANSWER, NEXT), partial(prompt, "x")) is not None


def test_of_a_conversation_the_latest_prompt_is_kept() -> None:
    store = Store(Clock())
    kept = PrefixGuard(store, Bounds(10, 10_000, 60))
    kept.keep(asked(QUESTION), history.shown("Hello.", []), prompt("s", "q"))
    kept.keep(asked(QUESTION, ANSWER, NEXT), history.shown("Yes.", []), prompt("s", "q", "a", "n"))
    assert (len(store), store.size) == (1, len(TOOLS) + 4)


@pytest.mark.parametrize("tools", [[], [{"type": "custom", "custom": {"name": "sql"}}]])
def test_a_prompt_is_what_a_draft_sends(tools: list[Any]) -> None:
    fields = {"messages": [QUESTION]} | ({"tools": tools} if tools else {})
    request = parse_request(json.dumps(fields).encode())
    draft = compose(
        request, init_messages=[{"role": "system"}], merge_system=False, tools=[], model="default"
    )
    made = prompt_of(draft, init_count=1, asked_count=2)
    assert (made.model, made.messages) == ("default", draft.messages)
    assert made.tools == (json.dumps(tools) if tools else "").replace(", {", ",{")
