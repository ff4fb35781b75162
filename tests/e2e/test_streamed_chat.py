"""A streamed chat, answered in one leg."""

from typing import Any

import anyio
import pytest
from openai import AsyncOpenAI

from tests.e2e.client import Client, question
from tests.e2e.declared import WEATHER, WITH_USAGE
from tests.fakes.answers import RESET, Json, Sse, calls, says
from tests.fakes.chunks import (
    DONE,
    USAGE,
    Call,
    calls_completion,
    chunk,
    completion,
    event,
    text_chunks,
)
from tests.fakes.upstream import Upstream


@pytest.mark.contract("WK-04", "WK-124", "OW-49", "BX-07")
async def test_a_stream_arrives_byte_for_byte(client: Client, upstream: Upstream) -> None:
    pieces = [b": hello\n\n", *map(event, text_chunks("Hel", "lo ä.", system_fingerprint="fp", n=1.50))]
    upstream.script(Sse(pieces))
    async with client.streamed(**WITH_USAGE) as stream:
        received = await stream.response.read()
    assert received == b"".join(pieces) + DONE


@pytest.mark.contract("WK-122")
async def test_a_stream_is_marked_as_one_that_nobody_should_hold_back(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(says("Hello."))
    async with client.streamed() as stream:
        headers = stream.headers
        await stream.rest()
    assert headers["content-type"].startswith("text/event-stream")
    assert "no-cache" in headers["cache-control"]
    assert headers["x-accel-buffering"] == "no"
    assert headers.get("connection", "keep-alive").lower() == "keep-alive"


@pytest.mark.contract("WK-125")
async def test_each_delta_arrives_before_the_next_is_made(client: Client, upstream: Upstream) -> None:
    gates = [anyio.Event(), anyio.Event()]
    upstream.script(says("Hel", gates[0], "lo", gates[1], "."))
    async with client.streamed() as stream:
        await stream.until("Hel")
        gates[0].set()
        await stream.until("lo")
        gates[1].set()
        assert (await stream.rest()).text == "."


@pytest.mark.contract("OW-01")
async def test_the_openai_client_streams(sdk: AsyncOpenAI, upstream: Upstream) -> None:
    upstream.script(says("Hel", "lo."))
    request = question(stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in await sdk.chat.completions.create(**request)]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert (text, chunks[-2].choices[0].finish_reason) == ("Hello.", "stop")
    assert chunks[-1].usage and chunks[-1].usage.total_tokens == USAGE["total_tokens"]


@pytest.mark.contract("WK-140", "OW-53", "BX-06")
@pytest.mark.parametrize("asked", [True, False])
async def test_usage_is_asked_for_always_and_shown_to_who_asked(
    client: Client, upstream: Upstream, asked: bool
) -> None:
    upstream.script(says("Hello."))
    transcript = await client.transcript(**(WITH_USAGE if asked else {}))
    assert transcript.usages == ([USAGE] if asked else [])
    assert upstream.chats[0].json["stream_options"]["include_usage"] is True
    if not asked:
        assert all(chunk["choices"] for chunk in transcript.chunks)


@pytest.mark.contract("WK-139", "OW-54")
@pytest.mark.parametrize("finish", ["stop", "length", "content_filter"])
async def test_the_reason_for_the_end_arrives_once(client: Client, upstream: Upstream, finish: str) -> None:
    upstream.script(says("Hello.", finish=finish))
    transcript = await client.transcript()
    assert (transcript.finishes, transcript.done) == ([finish], 1)


@pytest.mark.contract("WK-123")
async def test_one_choice_is_asked_for_and_one_is_shown(client: Client, upstream: Upstream) -> None:
    second = chunk({"content": "no"})
    second["choices"][0]["index"] = 1
    upstream.script(Sse([*text_chunks("yes")[:-2], second, *text_chunks()[1:]]))
    transcript = await client.transcript(n=2)
    assert transcript.text == "yes"
    assert upstream.chats[0].json["n"] == 1


@pytest.mark.contract("WK-128")
async def test_deltas_that_are_not_known_pass(client: Client, upstream: Upstream) -> None:
    deltas: list[dict[str, Any]] = [{"reasoning": "a"}, {"reasoning_content": "b"}, {"vendor": {"c": [1]}}]
    role, *rest = text_chunks("d")
    upstream.script(Sse([role, *map(chunk, deltas), *rest]))
    transcript = await client.transcript()
    assert transcript.deltas[1:4] == deltas


@pytest.mark.contract("WK-118", "OW-55")
async def test_a_call_of_the_clients_own_tool_is_the_clients(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(Call("weather", '{"city": "Ulm"}', id="call_w"), text="Let me see. "))
    transcript = await client.transcript(tools=[WEATHER])
    assert (transcript.text, transcript.finishes) == ("Let me see. ", ["tool_calls"])
    first, *more = transcript.tool_calls
    assert (first["id"], first["function"]["name"]) == ("call_w", "weather")
    assert "".join(call["function"]["arguments"] for call in [first, *more]) == '{"city": "Ulm"}'


@pytest.mark.contract("WK-138")
async def test_an_upstream_that_does_not_stream_is_streamed(client: Client, upstream: Upstream) -> None:
    upstream.script(Json(completion("Hello.")))
    transcript = await client.transcript(**WITH_USAGE)
    assert (transcript.text, transcript.roles, transcript.finishes) == ("Hello.", ["assistant"], ["stop"])
    assert (transcript.usages, transcript.done) == ([USAGE], 1)


@pytest.mark.contract("WK-138", "WK-118")
async def test_a_call_in_an_answer_that_is_not_streamed_is_streamed(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(Json(calls_completion(Call("weather"))))
    transcript = await client.transcript(tools=[WEATHER])
    (call,) = transcript.tool_calls
    assert (call["index"], call["function"]["name"]) == (0, "weather")
    assert transcript.finishes == ["tool_calls"]


@pytest.mark.contract("WK-143")
async def test_lines_that_are_no_json_are_passed_over(client: Client, upstream: Upstream) -> None:
    garbage = [b"data: nonsense\n\n", b"data:\n\n", b"event: x\ndata: {\n\n", b"\n\n", b"id: 4\n\n"]
    upstream.script(Sse([*garbage, *text_chunks("Hello.")]))
    async with client.streamed() as stream:
        received = await stream.response.read()
    assert b"nonsense" not in received
    assert b"Hello." in received and received.endswith(DONE)


@pytest.mark.contract("WK-142", "OW-50")
async def test_an_error_in_a_stream_reaches_the_client(client: Client, upstream: Upstream) -> None:
    error = {"message": "out of memory", "type": "server_error", "code": "oom", "vendor": 1}
    upstream.script(
        Sse([chunk({"role": "assistant", "content": "Hel"}), event({"error": error})], done=False)
    )
    transcript = await client.transcript()
    assert (transcript.text, transcript.errors, transcript.done) == ("Hel", [error], 1)
    assert "error" in transcript.chunks[-1] and not transcript.finishes


@pytest.mark.contract("WK-142", "WK-148", "OW-50")
@pytest.mark.parametrize("stop", [[RESET], []])
async def test_a_stream_that_breaks_off_ends_with_an_error(
    client: Client, upstream: Upstream, stop: list[Any]
) -> None:
    upstream.script(Sse([chunk({"role": "assistant", "content": "Hel"}), *stop], done=False))
    transcript = await client.transcript()
    (error,) = transcript.errors
    assert (transcript.text, error["code"], transcript.done) == ("Hel", "upstream_error", 1)
    assert not transcript.finishes and len(upstream.chats) == 1


@pytest.mark.contract("WK-139")
async def test_an_end_without_the_end_mark_is_an_end(client: Client, upstream: Upstream) -> None:
    upstream.script(Sse(text_chunks("Hello."), done=False))
    transcript = await client.transcript()
    assert (transcript.text, transcript.finishes, transcript.done) == ("Hello.", ["stop"], 1)


@pytest.mark.contract("BX-07")
async def test_an_event_may_be_cut_anywhere(client: Client, upstream: Upstream) -> None:
    whole = b"".join(map(event, text_chunks("Grüße 🌍")))
    upstream.script(Sse([whole[place : place + 1] for place in range(len(whole))]))
    async with client.streamed(**WITH_USAGE) as stream:
        assert await stream.response.read() == whole + DONE


async def test_lines_may_end_as_the_standard_allows(client: Client, upstream: Upstream) -> None:
    pieces = [event(piece).replace(b"\n", b"\r\n") for piece in text_chunks("Hello.")]
    upstream.script(Sse(pieces))
    async with client.streamed() as stream:
        received = (await stream.response.read()).replace(b"\r\n", b"\n")
    assert b"Hello." in received and received.endswith(DONE)


@pytest.mark.contract("WK-153")
async def test_a_slow_stream_does_not_delay_another_request(client: Client, upstream: Upstream) -> None:
    gate = anyio.Event()
    upstream.script(says("slow", gate), says("fast"), says("fast, too"))
    async with client.streamed() as stream:
        await stream.until("slow")
        assert (await client.chat()).status == 200
        assert (await client.transcript()).text == "fast, too"
        gate.set()
        assert (await stream.rest()).done == 1
