"""Whatever an upstream or a client sends, the answer is one that can be read, and nothing breaks.

The `proxy` fixture fails a test during which the proxy logged a traceback.
"""

import json
from random import Random
from typing import Any

import pytest

from tests.e2e.client import CHAT_PATH, Client, Transcript, question
from tests.e2e.declared import CALL_HELLO, HELLO, WEATHER, WITH_USAGE
from tests.fakes.answers import Json, Sse, calls, says
from tests.fakes.chunks import (
    USAGE,
    Call,
    calls_chunks,
    calls_completion,
    chunk,
    completion,
    text_chunks,
)
from tests.fakes.garble import garbled
from tests.fakes.upstream import Upstream

ROUNDS = 40
"""Garbled values in each test; a bug in one of the usual places shows within a few."""

BOTH = (CALL_HELLO, Call("weather", id="call_w"))


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"actions": [HELLO], "max_tool_loops": 2}


@pytest.mark.contract("WK-143", "OW-52")
@pytest.mark.parametrize("seed", range(4))
async def test_a_garbled_stream_ends_with_one_finish_or_one_error(
    client: Client, upstream: Upstream, seed: int
) -> None:
    random = Random(seed)
    for number in range(ROUNDS):
        pieces = garbled(random, calls_chunks(*BOTH) if number % 2 else text_chunks("Hello", usage=USAGE))
        events = [b"data: " + json.dumps(piece).encode() + b"\n\n" for piece in pieces]
        upstream.script(Sse(events), *[says("Done.")] * 3)
        answer = await client.chat(stream=True, tools=[WEATHER], **WITH_USAGE)
        upstream.reset()
        if answer.status != 502:
            transcript = Transcript()
            for block in answer.body.removesuffix(b"\n\n").split(b"\n\n"):
                transcript.add(block)
            ends = len([choice for choice in finished(transcript)]) + len(transcript.errors)
            assert (answer.status, ends, transcript.done) == (200, 1, 1), pieces


def finished(transcript: Transcript) -> list[Any]:
    """The reasons for the end that were told, of choices that are objects."""
    choices = [choice for chunk in transcript.chunks for choice in chunk.get("choices") or ()]
    return [c["finish_reason"] for c in choices if isinstance(c, dict) and c.get("finish_reason")]


@pytest.mark.contract("OW-52")
@pytest.mark.parametrize("seed", range(4))
async def test_a_garbled_answer_is_passed_on_or_is_a_502(
    client: Client, upstream: Upstream, seed: int
) -> None:
    random = Random(seed)
    whole = [completion("Hello."), calls_completion(*BOTH), calls_completion(CALL_HELLO)]
    for number in range(ROUNDS):
        body = garbled(random, whole[number % 3])
        upstream.script(Json(body), *[says("Done.")] * 3)
        answer = await client.chat(tools=[WEATHER], stream=number % 5 == 0)
        upstream.reset()
        assert answer.status in (200, 502), body


@pytest.mark.contract("WK-152", "OW-52")
@pytest.mark.parametrize("seed", range(4))
async def test_a_garbled_request_is_passed_on_or_refused(
    client: Client, upstream: Upstream, seed: int
) -> None:
    random = Random(seed)
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Hello?"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL_HELLO.wire()]},
        {"role": "tool", "tool_call_id": CALL_HELLO.id, "content": "x"},
    ]
    whole = question(messages=messages, tools=[WEATHER], tool_choice="auto", stream=True, n=1, **WITH_USAGE)
    for _ in range(ROUNDS):
        body = garbled(random, whole)
        upstream.script(calls(CALL_HELLO), *[says("Done.")] * 3)
        answer = await client.send("POST", CHAT_PATH, json.dumps(body).encode())
        upstream.reset()
        assert answer.status in (200, 400), body


@pytest.mark.contract("WK-152")
@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000, b'{"messages": ' + b"9" * 5000 + b"}"])
async def test_a_request_that_no_parser_takes_is_refused(client: Client, body: bytes) -> None:
    answer = await client.send("POST", CHAT_PATH, body)
    assert (answer.status, answer.error["code"]) == (400, "bad_json")


@pytest.mark.contract("OW-52")
@pytest.mark.parametrize("finish", [[], {}, ["stop"], 1])
async def test_a_finish_reason_that_is_no_text_breaks_nothing(
    client: Client, upstream: Upstream, finish: Any
) -> None:
    pieces = [*calls_chunks(CALL_HELLO)[:-2], chunk({}, finish=finish)]
    upstream.script(Sse(pieces), says("Done."))
    assert (await client.chat(stream=True)).status == 200
    upstream.reset()
