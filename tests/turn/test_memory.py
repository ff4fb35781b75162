"""What a client never saw is put back where it was, and nowhere else."""

import json
from typing import Any

import pytest

from tests.turn.test_store import Clock
from werkzeugkoppler.turn import history
from werkzeugkoppler.turn.memory import NOTHING, Hidden, ToolMemory, owner_of
from werkzeugkoppler.turn.store import Bounds, Store
from werkzeugkoppler.wire.chat import ChatRequest, parse_request

CALLED = '{"role":"assistant","content":"Let me see. ","tool_calls":[{"id":"x","n":1.0}]}'
RESULT = '{"role":"tool","tool_call_id":"x","content":"{}"}'
EXCHANGE = Hidden((CALLED, RESULT), {"content": "Done.", "reasoning": "Now say it."})
QUESTION = {"role": "user", "content": "Do it."}
ANSWER = {"role": "assistant", "content": "Let me see. Done."}
NEXT = {"role": "user", "content": "And now?"}


def request(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    return parse_request(json.dumps({"messages": messages} | fields).encode())


class Memory(ToolMemory):
    """That of one owner."""

    def __init__(self, store: Store, owner: bytes) -> None:
        super().__init__(store, Bounds(10, 10_000, 60))
        self._owner = owner

    def restored(self, asked: ChatRequest) -> ChatRequest:
        return self.restore(asked, history.digested(asked.messages, self._owner))


def memory(*exchanges: Hidden, store: Store | None = None, owner: bytes = b"") -> Memory:
    memory = Memory(Store(Clock()) if store is None else store, owner)
    for exchange in exchanges:
        answer = history.shown("Let me see. Done.", [])
        memory.remember(history.digested([QUESTION], owner), answer, exchange)
    return memory


def contents(request: ChatRequest) -> list[Any]:
    return [message.get("content") for message in request.messages]


@pytest.mark.contract("BX-04")
def test_the_hidden_exchange_is_put_back_byte_for_byte() -> None:
    restored = memory(EXCHANGE).restored(request(QUESTION, ANSWER, NEXT, seed=1.0))
    assert contents(restored) == ["Do it.", "Let me see. ", "{}", "Done.", "And now?"]
    assert f'{{"role": "user", "content": "Do it."}},{CALLED},{RESULT},' in restored.body.text
    assert '"seed": 1.0' in restored.body.text


@pytest.mark.contract("BX-03")
def test_a_message_that_had_calls_of_both_kinds_is_replaced() -> None:
    restored = memory(Hidden((CALLED, RESULT), None)).restored(request(QUESTION, ANSWER, NEXT))
    assert contents(restored) == ["Do it.", "Let me see. ", "{}", "And now?"]


def test_an_answer_that_stood_alone_stays_as_the_client_writes_it() -> None:
    answer = {"x": 1.0, "role": "assistant", "content": [{"type": "text", "text": "Let me see. Done.\n"}]}
    whole = Hidden(EXCHANGE.messages, {"content": "Let me see. Done."})
    restored = memory(whole).restored(request(QUESTION, answer, NEXT))
    assert restored.messages[3] == answer


@pytest.mark.contract("BX-04")
@pytest.mark.parametrize(
    "messages",
    [
        [ANSWER, NEXT],
        [{"role": "user", "content": "Do that."}, ANSWER, NEXT],
        [{"role": "system", "content": "Be brief."}, QUESTION, ANSWER, NEXT],
        [QUESTION, {**ANSWER, "content": "Let me see. Done!"}, NEXT],
        [QUESTION, {**ANSWER, "role": "user"}, NEXT],
        [QUESTION, NEXT, ANSWER],
        [QUESTION],
    ],
)
def test_nothing_is_put_into_another_history(messages: list[dict[str, Any]]) -> None:
    other = request(*messages)
    assert memory(EXCHANGE).restored(other) is other


@pytest.mark.contract("BX-04")
def test_what_differs_for_the_same_history_is_in_doubt_for_good() -> None:
    other = Hidden((CALLED, RESULT.replace("{}", "[]")), EXCHANGE.last)
    asked = request(QUESTION, ANSWER, NEXT)
    assert memory(EXCHANGE, other).restored(asked) is asked
    assert memory(EXCHANGE, other, EXCHANGE).restored(asked) is asked


def test_of_the_same_calls_with_other_ids_the_latest_are_put_back() -> None:
    again = Hidden(tuple(text.replace('"x"', '"y"') for text in EXCHANGE.messages), EXCHANGE.last)
    restored = memory(EXCHANGE, again).restored(request(QUESTION, ANSWER, NEXT))
    assert restored.messages[2]["tool_call_id"] == "y"


@pytest.mark.contract("BX-04")
@pytest.mark.parametrize("turns", [(EXCHANGE, NOTHING), (NOTHING, EXCHANGE), (NOTHING,)])
def test_a_turn_with_the_same_words_that_called_nothing_is_another(turns: tuple[Hidden, ...]) -> None:
    asked = request(QUESTION, ANSWER, NEXT)
    assert memory(*turns).restored(asked) is asked


@pytest.mark.contract("BX-04")
def test_one_owners_exchange_is_not_put_into_anothers_history() -> None:
    store = Store(Clock())
    memory(EXCHANGE, store=store, owner=b"ann")
    asked = request(QUESTION, ANSWER, NEXT)
    assert memory(store=store, owner=b"bob").restored(asked) is asked
    assert len(memory(store=store, owner=b"ann").restored(asked).messages) == 5


@pytest.mark.parametrize("key", ["user", "safety_identifier", "prompt_cache_key", "metadata"])
def test_owners_differ_by_what_their_client_says_and_where_it_is(key: str) -> None:
    ann, bob = request(QUESTION, **{key: "ann"}), request(QUESTION, **{key: "bob"})
    assert len({owner_of(ann, "h"), owner_of(bob, "h"), owner_of(ann, "i"), owner_of(bob, "i")}) == 4


def test_reasoning_that_a_client_sends_back_is_the_last_legs_alone() -> None:
    answer = {**ANSWER, "reasoning": "Look first. Now say it.", "reasoning_content": "Hm."}
    restored = memory(EXCHANGE).restored(request(QUESTION, answer, NEXT))
    last = {"role": "assistant", "content": "Done.", "reasoning": "Now say it."}
    assert restored.messages[3] == last
