"""Recorded shapes of streamed calls: ours are run and not seen, a client's arrive as OpenAI sends its own."""

import json
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from tests.fakes.chunks import text_chunks
from tests.turn.relaying import IDENTITY, Relayed, is_ours, relay, stream
from tests.wire.shapes import SHAPES, Shape, chunks
from werkzeugkoppler.turn.collect import PlainAnswer
from werkzeugkoppler.wire.sse import SseReader

OURS = "server__add"
THEIRS = "edit_file"

each = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def judged(relayed: Relayed) -> Any:
    """The message that OpenAI's own client makes of the stream."""
    state = ChatCompletionStreamState()
    for chunk in relayed.chunks:
        if chunk["choices"]:
            state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    return state.get_final_completion().choices[0]


@each
def test_our_calls_are_run_and_not_seen(shape: Shape) -> None:
    relayed = relay(stream(*chunks(shape, OURS)), stream(*text_chunks("Hi")))
    ran = relayed.legs[0].calls
    assert [(call.name, call.arguments) for call in ran] == [(OURS, text) for _, text in shape.calls]
    assert len({call.id for call in ran}) == len(ran)
    assert (relayed.text, relayed.calls, relayed.finishes) == ("Hi", [], ["stop"])


@each
def test_what_was_mended_is_told_of_the_leg(shape: Shape) -> None:
    relayed = relay(stream(*chunks(shape, OURS)), stream(*text_chunks("Hi")))
    assert set(relayed.legs[0].repairs) == shape.repairs


@each
def test_a_clients_calls_are_understood_by_openais_client(shape: Shape) -> None:
    choice = judged(relay(stream(*chunks(shape, THEIRS))))
    told = choice.message.tool_calls
    assert [(call.function.name, call.function.arguments) for call in told] == [
        (THEIRS, text) for _, text in shape.calls
    ]
    assert all(id in (None, call.id) for call, (id, _) in zip(told, shape.calls, strict=True))
    assert {call.type for call in told} == {"function"}
    assert (choice.finish_reason, choice.message.role) == ("tool_calls", "assistant")


@each
def test_a_clients_call_begins_once_and_then_has_arguments_only(shape: Shape) -> None:
    seen: list[int] = []
    for delta in relay(stream(*chunks(shape, THEIRS))).deltas:
        items = delta.get("tool_calls") or []
        assert len({item["index"] for item in items}) == len(items)
        for item in items:
            is_new = item["index"] not in seen
            assert item["index"] == len(seen) if is_new else item["index"] in seen
            assert is_new == ("id" in item) == ("name" in item.get("function", {}))
            assert item.get("type", "function") == "function"
            seen += [item["index"]] if is_new else []
    assert len(seen) == len(shape.calls)


@each
@pytest.mark.parametrize("name", [OURS, THEIRS])
def test_a_plain_client_gets_its_calls_of_a_stream_that_nobody_asked_for(shape: Shape, name: str) -> None:
    answer = PlainAnswer(is_ours=is_ours, identity=IDENTITY, new_id=lambda: "call_made")
    for event in SseReader().feed(stream(*chunks(shape, name))):
        answer.take(event)
    leg = answer.end_leg()
    assert [call.arguments for call in leg.calls] == [text for _, text in shape.calls if name == OURS]
    message = json.loads(answer.close())["choices"][0]["message"] if name == THEIRS else {}
    assert [call["function"]["arguments"] for call in message.get("tool_calls", ())] == [
        text for _, text in shape.calls if name == THEIRS
    ]


def test_gemini_gets_its_signature_back_and_so_does_the_client() -> None:
    for name in ("Gemini", "Gemini, in pieces and the signature alone"):
        (leg, _) = relay(stream(*chunks(SHAPES[name], OURS)), stream(*text_chunks("Hi"))).legs
        signed = {"google": {"thought_signature": "xyz"}}
        assert leg.message["tool_calls"][0]["extra_content"] == signed
        told = relay(stream(*chunks(SHAPES[name], THEIRS))).calls
        assert [item["extra_content"] for item in told if "extra_content" in item] == [signed]
