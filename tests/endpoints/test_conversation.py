"""What a turn takes over from the one before, and what it leaves to the next."""

import json
import logging
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.test.tflow import tclient_conn

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.endpoints.conversation import opened
from werkzeugkoppler.endpoints.offload import SMALL_BYTES
from werkzeugkoppler.labels import Link
from werkzeugkoppler.traces import begin
from werkzeugkoppler.turn.leg import said
from werkzeugkoppler.turn.prompt import Draft, compose
from werkzeugkoppler.turn.store import Store
from werkzeugkoppler.wire.assemble import ToolCall
from werkzeugkoppler.wire.chat import ChatRequest, parse_request

QUESTION = {"role": "user", "content": "What is up?"}
ANSWER = {"role": "assistant", "content": "Not much."}
NEXT = {"role": "user", "content": "And now?"}


@pytest.fixture
def stack() -> Any:
    settings = Settings.model_validate({"upstream_base_url": "demo"})
    return SimpleNamespace(settings=settings, store=Store(time.monotonic), culprits=set())


def request(*messages: dict[str, Any]) -> ChatRequest:
    return parse_request(json.dumps({"model": "m", "messages": messages}).encode())


def drafted(asked: ChatRequest, *ours: dict[str, Any]) -> Draft:
    return compose(asked, init_messages=ours, merge_system=False, tools=[], model="m")


async def turn(
    stack: Any, *messages: dict[str, Any], ours: str = "Be brief.", tools: bool = False
) -> tuple[ChatRequest, Any]:
    """Ask and be answered; gives the request with what was put back, and the trace's events."""
    trace = begin("turn")
    asked = request(*messages)
    call: Any = SimpleNamespace(stack=stack, link=Link(tclient_conn(), "turn"), trace=trace, body=b"")
    conversation = await opened(call, asked)
    restored = conversation.restored()
    conversation.grants()
    draft = drafted(restored, {"role": "system", "content": ours})
    conversation.begin(draft, restored)
    if tools:
        draft = draft.followed_by({"role": "assistant", "content": None}, [(ToolCall("a", "f", ""), "{}")])
    conversation.end(draft, said("Not much."), "Not much.")
    return restored, trace.events


@pytest.mark.contract("BX-04")
async def test_what_a_turn_called_comes_back_in_the_next(stack: Any) -> None:
    await turn(stack, QUESTION, tools=True)
    restored, _ = await turn(stack, QUESTION, ANSWER, NEXT)
    roles = [message["role"] for message in restored.messages]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]


@pytest.mark.contract("BX-04")
async def test_a_turn_without_calls_puts_the_same_words_in_doubt(stack: Any) -> None:
    await turn(stack, QUESTION)
    await turn(stack, QUESTION, tools=True)
    restored, _ = await turn(stack, QUESTION, ANSWER, NEXT)
    assert len(restored.messages) == 3


@pytest.mark.contract("BX-14")
async def test_the_same_culprit_is_warned_of_once(stack: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await turn(stack, QUESTION)
    events = [
        (await turn(stack, QUESTION, ANSWER, NEXT, ours="Be long."))[1],
        (await turn(stack, QUESTION, ANSWER, NEXT, ANSWER, NEXT, ours="Be brief."))[1],
    ]
    assert [trace[-1]["type"] for trace in events] == ["prefix_broken"] * 2
    assert [record.levelname for record in caplog.records] == ["WARNING", "DEBUG"]


async def test_a_long_history_is_read_in_a_thread_alone(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = set()

    class Noting(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            if key == "content":
                readers.add(threading.current_thread())
            return super().get(key, default)

    asked = request(QUESTION, ANSWER, NEXT)
    asked.body.values["messages"] = [Noting(message) for message in asked.messages]
    call: Any = SimpleNamespace(
        stack=stack, link=Link(tclient_conn(), "turn"), trace=begin("turn"), body=b" " * (SMALL_BYTES + 1)
    )
    conversation = await opened(call, asked)
    restored = conversation.restored()
    conversation.grants()
    draft = drafted(restored)
    conversation.begin(draft, restored)
    conversation.end(draft, said("Not much."), "Not much.")
    assert readers and threading.current_thread() not in readers
